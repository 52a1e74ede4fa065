import { describe, expect, it } from 'vitest'
import { openNetworks, parseNetwork } from '../../src/identity/networks.ts'

describe('a network', () => {
  const isInside = openNetworks(['10.0.0.0/24', '192.0.2.7/32', 'fd00:1::/32'])

  it.each(['10.0.0.0', '10.0.0.255', '192.0.2.7', 'fd00:1::1', '::ffff:10.0.0.5', '::ffff:a00:5'])(
    'holds %s',
    (address) => {
      expect(isInside(address)).toBe(true)
    },
  )

  it.each([
    '10.0.1.0',
    '192.0.2.8',
    'fd00:2::1',
    '::ffff:10.0.1.5',
    '::10.0.0.5',
    '::1',
    '',
    'localhost',
    '010.0.0.5',
    '10.0.0.5 ',
    '10.0.0.5, 10.0.0.6',
    '10.0.0.5:80',
  ])('does not hold %j', (address) => {
    expect(isInside(address)).toBe(false)
  })

  it('holds nothing where the list is empty', () => {
    expect(openNetworks([])('127.0.0.1')).toBe(false)
  })

  it.each(['0.0.0.0/0', '::/0', '10.0.0.0', '10.0.0.0/33', 'fd00::/129', '10.0.0/24', 'gateway/24', '10.0.0.0/-1', ''])(
    'is not %j',
    (text) => {
      expect(parseNetwork(text)).toBeTypeOf('string')
      expect(() => openNetworks([text])).toThrow(TypeError)
    },
  )
})
