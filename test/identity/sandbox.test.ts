import { describe, expect, it } from 'vitest'
import { isRefusal } from '../../src/errors.ts'
import { identifySandbox } from '../../src/identity/sandbox.ts'

const outcome = (peer: string, ...rawHeaders: string[]) => {
  const answer = identifySandbox({ peer, rawHeaders })
  return isRefusal(answer) ? answer.reason : answer.kind
}
const here = ['Host', 'localhost:8082']

describe('the sandbox', () => {
  it('takes everybody on this machine for its one caller', () => {
    const rawHeaders = [...here, 'Authorization', 'Bearer anything']
    const sandbox = { kind: 'sandbox', source: 'sandbox', subject: 'sandbox', claims: {}, isAmbient: true }
    expect(identifySandbox({ peer: '127.0.0.1', rawHeaders })).toEqual(sandbox)
  })

  it.each(['127.0.0.1', '127.8.9.1', '::1', '::ffff:127.0.0.1'])('answers the peer %s', (peer) => {
    expect(outcome(peer, ...here)).toBe('sandbox')
  })

  it.each(['10.0.0.1', '192.168.1.2', '0.0.0.0', '::', 'fe80::1', '::ffff:10.0.0.1', ''])(
    'refuses the peer %j',
    (peer) => {
      expect(outcome(peer, ...here)).toBe('sandbox_only')
    },
  )

  const loopbackHosts = [
    'localhost',
    'localhost:8082',
    'LOCALHOST',
    'app.localhost:80',
    '127.0.0.1',
    '127.1.2.3:8082',
    '[::1]',
    '[::1]:8082',
  ]
  it.each(loopbackHosts)('answers to the name %s', (host) => {
    expect(outcome('::1', 'Host', host)).toBe('sandbox')
    expect(outcome('::1', 'Host', host, 'Origin', `http://${host}`)).toBe('sandbox')
    expect(outcome('::1', 'Host', host, 'Origin', `https://${host}`)).toBe('sandbox')
  })

  const foreignHosts = [
    'evil.com',
    'localhost.evil.com',
    'evillocalhost',
    '127.0.0.1.evil.com',
    '128.0.0.1',
    '0.0.0.0',
    '127.1',
    '127.0.0.256',
    '2130706433',
    '[::2]',
    '[::]',
    '::1',
    'localhost.',
    'localhost:',
    'localhost:80:80',
    'localhost@evil.com',
    'evil.com#localhost',
    'localhost, evil.com',
    ' localhost',
    '',
  ]
  it.each(foreignHosts)('refuses the name %j, as a Host and as an Origin', (host) => {
    expect(outcome('127.0.0.1', 'Host', host)).toBe('sandbox_only')
    expect(outcome('127.0.0.1', ...here, 'Origin', `http://${host}`)).toBe('sandbox_only')
  })

  it.each([
    'null',
    '',
    'file://',
    'localhost',
    'ftp://localhost',
    'http://localhost/',
    'http://localhost http://evil.com',
  ])('refuses the Origin %j', (origin) => {
    expect(outcome('127.0.0.1', ...here, 'Origin', origin)).toBe('sandbox_only')
  })

  it('refuses a second Host or Origin that is foreign, and a request without Host', () => {
    expect(outcome('127.0.0.1', ...here, 'Host', 'evil.com')).toBe('sandbox_only')
    expect(outcome('127.0.0.1', ...here, ...here)).toBe('sandbox_only')
    expect(outcome('127.0.0.1', ...here, 'Origin', 'http://localhost', 'Origin', 'http://evil.com')).toBe(
      'sandbox_only',
    )
    expect(outcome('127.0.0.1')).toBe('sandbox_only')
  })

  it.each(['Forwarded', 'X-Forwarded-For', 'X-Forwarded-Host', 'x-forwarded-proto', 'X-Forwarded-', 'X_Forwarded_For'])(
    'refuses what came through a proxy: %s',
    (name) => {
      expect(outcome('127.0.0.1', ...here, name, '127.0.0.1')).toBe('sandbox_only')
    },
  )
})
