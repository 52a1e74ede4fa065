// Ids of tokens: each says whose it is, and one text is one id.

import { describe, expect, it } from 'vitest'
import { newSerial, type Owner, parseTokenId, toTokenId } from '../../src/revocations/token-id.ts'
import { nameOfTrap, trapValues } from '../trap-values.ts'

const serial = 'm7MRJSPON8dwp1bH'
const id = toTokenId({ source: 'main', subject: 'alice' }, serial)
const of = (text: string, end = serial) => `${Buffer.from(text).toString('base64url')}.${end}`

describe('an id', () => {
  it('is of characters that a URL and a command line leave alone', () => {
    expect(id).toMatch(/^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{16}$/)
    expect(Array.from({ length: 100 }, newSerial).every((text) => /^[\w-]{16}$/.test(text))).toBe(true)
    expect(new Set(Array.from({ length: 1000 }, newSerial)).size).toBe(1000)
  })

  it.each<Owner>([
    { source: 'main', subject: 'alice' },
    { source: 'main', subject: 'a/b' },
    { source: 'main', subject: '/' },
    { source: 'main', subject: ':' },
    { source: 'main', subject: 'auth0|5f7c8ec7c33c6c004bbafe82' },
    { source: 'main', subject: '"\\{}$&%*>~!' },
    { source: 'main', subject: '~'.repeat(255) },
    { source: 'a'.repeat(32), subject: '~'.repeat(255) },
    { source: 'k7f3a2c1' },
    { source: 'anonymous' },
  ])('tells its owner: %j', (owner) => expect(parseTokenId(toTokenId(owner, serial))).toEqual({ owner, serial }))

  it('of a caller without subject is nobody’s who is called like nothing', () => {
    expect(toTokenId({ source: 'main' }, serial)).not.toBe(toTokenId({ source: 'main', subject: '' }, serial))
    expect(parseTokenId(of('main/'))).toBeUndefined()
    expect(parseTokenId(of('main:alice'))).toBeUndefined()
    expect(parseTokenId(of('main:'))).toEqual({ owner: { source: 'main' }, serial })
  })
})

describe('no id', () => {
  it.each<[string, unknown]>([
    ['is empty', ''],
    ['is without serial', id.slice(0, -17)],
    ['has an empty serial', id.slice(0, -16)],
    ['has a short serial', id.slice(0, -1)],
    ['has a long serial', `${id}A`],
    ['has a line break', `${id}\n`],
    ['has a space', ` ${id}`],
    ['has padding', id.replace('.', '=.')],
    ['has standard base64 in it', of('main/ÿ>?').replaceAll('_', '/')],
    ['has three parts', `${id}.x`],
    ['is a token', `ntk_k1.${'A'.repeat(100)}.${'A'.repeat(43)}`],
    ['has no source', of('/alice')],
    ['has no mark', of('main')],
    ['has a source of 33 characters', of(`${'a'.repeat(33)}/alice`)],
    ['has a source with a mark', of('a.b/alice')],
    ['has a subject of 256 characters', of(`main/${'a'.repeat(256)}`)],
    ['has a subject with a space', of('main/a b')],
    ['has a subject with a line break', of('main/a\n')],
    ['has a subject beyond ASCII', of('main/é')],
    ['has a subject beyond Latin-1', of('main/Ω')],
    ['has bytes that are no UTF-8', `${Buffer.from([0x6d, 0x2f, 0xff]).toString('base64url')}.${serial}`],
    ['is in a list', [id]],
    ['is in an object', { tokenId: id }],
  ])('%s', (_what, text) => expect(parseTokenId(text)).toBeUndefined())

  it('is another text of the same name: base64 has bits that mean nothing', () => {
    // Two characters of base64url for one byte: the second has four bits that nobody reads.
    const [name = ''] = of('main/alice').split('.')
    const bits = name.length % 4 === 0 ? 0 : name.length % 4 === 2 ? 4 : 2
    expect(bits).toBeGreaterThan(0)
    const twins = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_']
      .map((char) => `${name.slice(0, -1)}${char}`)
      .filter((twin) => Buffer.from(twin, 'base64url').toString() === 'main/alice')
    expect(twins.length).toBe(2 ** bits)
    expect(twins.filter((twin) => parseTokenId(`${twin}.${serial}`) !== undefined)).toEqual([name])
  })

  it.each(trapValues.map((trap) => [nameOfTrap(trap), trap] as const))(
    'is %s, and nothing is thrown',
    (_name, trap) => {
      expect(parseTokenId(trap)).toBeUndefined()
      if (typeof trap !== 'string') return
      expect(parseTokenId(`${trap}.${serial}`)).toBeUndefined()
      expect(parseTokenId(`bWFpbi9h.${trap}`)).toBeUndefined()
      // A name may be what it likes within a subject; and then it is told byte for byte.
      const parsed = parseTokenId(of(`main/${trap}`))
      expect(parsed?.owner).toEqual(/^[\x21-\x7e]{1,255}$/.test(trap) ? { source: 'main', subject: trap } : undefined)
    },
  )
})
