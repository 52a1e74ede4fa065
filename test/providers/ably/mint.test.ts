import { describe, expect, it } from 'vitest'
import { isRefusal } from '../../../src/errors.ts'
import { type AblyCredential, isTokenDetails } from '../../../src/providers/ably/credentials.ts'
import { openAbly } from '../../../src/providers/ably/mint.ts'
import type { AblyRights } from '../../../src/providers/ably/rights.ts'
import type { Granted } from '../../../src/providers/provider.ts'
import { createSecret } from '../../../src/secret.ts'
import { noGrounds } from '../../open-deps.ts'
import { macOf } from '../../oracles/ably.ts'
import { nowMs } from '../../policy/policy-under-test.ts'
import { keys } from '../../usher-in-memory.ts'

const { keyName, secret } = keys.ably
const ably = openAbly({ apiKey: createSecret(`${keyName}:${secret}`), hosts: [] }, () => nowMs)
const granted = (rights: Partial<AblyRights> = {}) =>
  ({
    clientId: 'alice',
    capability: '{"a:*":["subscribe"]}',
    mode: 'request',
    ttlMs: 60_000,
    ...rights,
  }) as Granted<AblyRights>

async function mint(rights: Granted<AblyRights>) {
  const minted = await ably.mint(rights, noGrounds)
  if (isRefusal(minted)) throw new Error(minted.reason)
  if (isTokenDetails(minted.credential)) throw new Error('a token')
  return { minted, request: minted.credential }
}

describe('a TokenRequest', () => {
  it.each<[string, Partial<AblyRights>]>([
    ['of a client', {}],
    ['of nobody', { clientId: undefined as never }],
    [
      'of channels 9 and 10, which the SDK puts into another order',
      { capability: '{"10":["subscribe"],"9":["history"]}' },
    ],
    ['of a channel with quotes', { capability: '{"a\\"b":["subscribe"]}' }],
  ])('%s is signed over all that it says', async (_what, rights) => {
    const { request, minted } = await mint(granted(rights))
    const { clientId, capability } = granted(rights)
    expect(request.mac).toBe(macOf(request, secret))
    expect(JSON.parse(request.capability)).toEqual(JSON.parse(capability))
    expect(request).toMatchObject({ keyName, ttl: 60_000, timestamp: nowMs })
    expect('clientId' in request).toBe(clientId !== undefined)
    expect(Object.keys(request).sort()).toEqual(
      [
        'capability',
        'keyName',
        'mac',
        'nonce',
        'timestamp',
        'ttl',
        ...(clientId === undefined ? [] : ['clientId']),
      ].sort(),
    )
    expect(ably.findOverreach(minted, granted(rights), noGrounds)).toBeUndefined()
  })
})

describe('what was minted is held against the rights', () => {
  const request = {
    keyName,
    ttl: 60_000,
    capability: '{"a:*":["subscribe"]}',
    clientId: 'alice',
    timestamp: nowMs,
    nonce: '0123456789abcdef',
    mac: 'x',
  }
  const token = {
    token: 'app1.x',
    issued: nowMs,
    expires: nowMs + 60_000,
    capability: request.capability,
    clientId: 'alice',
  }
  const overreach = (credential: object, rights = granted()) =>
    ably.findOverreach({ credential: credential as AblyCredential, expiresAt: 0 }, rights, noGrounds)

  it('and nothing is said of what is the same, or of a token that Ably made narrower', () => {
    expect(overreach(request)).toBeUndefined()
    expect(overreach(token)).toBeUndefined()
    expect(overreach({ ...token, expires: nowMs + 1000 })).toBeUndefined()
    expect(overreach({ ...token, capability: '{"a:b":["subscribe"]}' })).toBeUndefined()
  })

  it.each<[string, object]>([
    ['another clientId', { clientId: 'bob' }],
    ['any clientId', { clientId: '*' }],
    ['no clientId', { clientId: undefined }],
    ['another channel', { capability: '{"b":["subscribe"]}' }],
    ['a channel more', { capability: '{"a:*":["subscribe"],"b":["subscribe"]}' }],
    ['an operation more', { capability: '{"a:*":["publish","subscribe"]}' }],
    ['all operations', { capability: '{"a:*":["*"]}' }],
    ['every channel', { capability: '{"*":["subscribe"]}' }],
    ['an empty capability, which is all', { capability: '{}' }],
    ['no capability, which is all', { capability: '' }],
    ['a capability that is no JSON', { capability: 'a' }],
  ])('and %s is found, in a request and in a token', (_what, change) => {
    expect(overreach({ ...request, ...change })).toBeTypeOf('string')
    expect(overreach({ ...token, ...change })).toBeTypeOf('string')
  })

  it.each<[string, object]>([
    ['a longer life', { ...request, ttl: 60_001 }],
    ['another key', { ...request, keyName: 'app1.key2' }],
    ['a longer life of a token', { ...token, expires: nowMs + 60_001 }],
  ])('and %s is found', (_what, credential) => {
    expect(overreach(credential)).toBeTypeOf('string')
  })

  it('and a clientId is found where the rights have none', () => {
    expect(overreach(request, granted({ clientId: undefined as never }))).toBeTypeOf('string')
  })

  it('and rights that are empty cover nothing', () => {
    expect(overreach({ ...request, capability: '{}' }, granted({ capability: '{}' }))).toBeTypeOf('string')
    expect(overreach({ ...request, capability: '' }, granted({ capability: '' }))).toBeTypeOf('string')
  })
})
