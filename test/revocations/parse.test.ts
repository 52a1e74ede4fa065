// The body of POST /revoke: whom it names, or which field is wrong, by which rule, and how to mend it.

import { describe, expect, it } from 'vitest'
import { isRefusal } from '../../src/errors.ts'
import type { CallersDocument } from '../../src/policy/schema.ts'
import { parseRevocation } from '../../src/revocations/parse.ts'
import { toTokenId } from '../../src/revocations/token-id.ts'
import { nowMs } from '../policy/policy-under-test.ts'
import { nameOfTrap, trapValues } from '../trap-values.ts'

const callers: CallersDocument = {
  jwt: [{ name: 'main', issuer: 'https://a/', jwksUri: 'https://a/k', audience: ['x'], algorithms: ['ES256'] }],
  apiKeys: [{ id: 'k7f3a2c1', name: 'backend', sha256: 'a'.repeat(64) }],
  gateway: { header: 'x-user', trustedProxies: ['10.0.0.0/24'] },
}
const parse = (input: unknown, from = callers) => parseRevocation(input, from, nowMs)
const until = nowMs / 1000 + 86_400 + 60
const serial = 'm7MRJSPON8dwp1bH'
const tokenId = toTokenId({ source: 'main', subject: 'alice' }, serial)

describe('a revocation', () => {
  it.each<[string, object, object]>([
    ['of a user of an issuer', { source: 'main', subject: 'alice' }, { source: 'main', subject: 'alice' }],
    [
      'of a user whom an API key acted for',
      { source: 'k7f3a2c1', subject: 'bob' },
      { source: 'k7f3a2c1', subject: 'bob' },
    ],
    ['of a user of the gateway', { source: 'gateway', subject: 'a/b' }, { source: 'gateway', subject: 'a/b' }],
    ['of one token', { tokenId }, { source: 'main', subject: 'alice', tokenId }],
    [
      'of the token of a caller without subject',
      { tokenId: toTokenId({ source: 'anonymous' }, serial) },
      { source: 'anonymous', tokenId: toTokenId({ source: 'anonymous' }, serial) },
    ],
    [
      'of a token of an issuer that is gone',
      { tokenId: toTokenId({ source: 'old', subject: 'x' }, serial) },
      { source: 'old', subject: 'x', tokenId: toTokenId({ source: 'old', subject: 'x' }, serial) },
    ],
  ])('%s', (_what, input, expected) => expect(parse(input)).toEqual({ ...expected, until }))

  it('lasts longer than any token that there can be, and a minute for the clocks', () => {
    expect(parse({ source: 'main', subject: 'alice' })).toMatchObject({ until })
    expect(parseRevocation({ source: 'main', subject: 'alice' }, callers, nowMs + 999)).toMatchObject({ until })
  })
})

describe('what is refused', () => {
  const message = (input: unknown, from = callers) => {
    const refused = parse(input, from)
    if (!isRefusal(refused)) throw new Error('not refused')
    expect(refused.reason).toBe('invalid_request')
    expect(refused.message).toMatch(/^[\x20-\x7e]{1,400}$/)
    return refused.message
  }

  it.each<[string, unknown]>([
    ['body', null],
    ['body', 'alice'],
    ['body', [{ source: 'main', subject: 'alice' }]],
    ['source', {}],
    ['source', { subject: 'alice' }],
    ['source', { source: 'other', subject: 'alice' }],
    ['source', { source: 'MAIN', subject: 'alice' }],
    ['source', { source: 'jwt', subject: 'alice' }],
    ['source', { source: 'apiKey', subject: 'alice' }],
    ['source', { source: 'https://a/', subject: 'alice' }],
    ['source', { source: 'backend', subject: 'alice' }],
    ['source', { source: 'constructor', subject: 'alice' }],
    ['source', { source: ['main'], subject: 'alice' }],
    ['source', { source: '*', subject: 'alice' }],
    ['source', { source: 'anonymous', subject: 'alice' }],
    ['subject', { source: 'main' }],
    ['subject', { source: 'main', subject: '' }],
    ['subject', { source: 'main', subject: null }],
    ['subject', { source: 'main', subject: 7 }],
    ['subject', { source: 'main', subject: ['alice'] }],
    ['subject', { source: 'main', subject: 'a b' }],
    ['subject', { source: 'main', subject: 'alice\n' }],
    ['subject', { source: 'main', subject: 'é' }],
    ['subject', { source: 'main', subject: 'a'.repeat(256) }],
    ['tokenId', { tokenId: '' }],
    ['tokenId', { tokenId: null }],
    ['tokenId', { tokenId: [tokenId] }],
    ['tokenId', { tokenId: `${tokenId}x` }],
    ['tokenId', { tokenId: 'ntk_k1.abc.def' }],
    ['tokenId', { tokenId, source: 'main' }],
    ['tokenId', { tokenId, subject: 'alice' }],
    ['tokenId', { tokenId, source: 'main', subject: 'alice' }],
    ['until', { source: 'main', subject: 'alice', until: 1 }],
    ['user', { source: 'main', subject: 'alice', user: 1 }],
    ['provider', { source: 'main', subject: 'alice', provider: 'nats' }],
  ])('%s of %j', (field, input) => expect(message(input).split(':')[0]).toBe(field))

  it('says which sources there are', () => {
    expect(message({ source: 'x', subject: 'alice' })).toBe(
      'source: must be one of main, k7f3a2c1, gateway, sandbox; a subject means nothing without its source',
    )
    expect(message({ source: 'main', subject: 'alice' }, {})).toMatch(/^source: /)
  })

  it('repeats nothing that it was sent', () => {
    for (const input of [{ tokenId: 'secret-1' }, { source: 'secret-1' }, { source: 'main', subject: 'secret 1' }])
      expect(message(input)).not.toContain('secret')
  })

  it.each(trapValues.map((trap) => [nameOfTrap(trap), trap] as const))(
    '%s in any place that it does not fit, and nothing is thrown',
    (_name, trap) => {
      const isSubject = typeof trap === 'string' && /^[\x21-\x7e]{1,255}$/.test(trap)
      expect(isRefusal(parse({ source: 'main', subject: trap }))).toBe(!isSubject)
      expect(isRefusal(parse({ source: trap, subject: 'alice' }))).toBe(true)
      expect(isRefusal(parse({ source: 'main', subject: 'alice', tokenId: trap }))).toBe(trap !== undefined)
      expect(isRefusal(parse({ source: 'main', subject: 'alice', [String(nameOfTrap(trap))]: 1 }))).toBe(true)
      expect(isRefusal(parse(trap))).toBe(true)
    },
  )
})
