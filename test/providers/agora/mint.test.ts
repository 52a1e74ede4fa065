import agora from 'agora-token'
import { describe, expect, it } from 'vitest'
import { isRefusal } from '../../../src/errors.ts'
import { createTokenKey, packToken } from '../../../src/providers/agora/codec.ts'
import { openAgora } from '../../../src/providers/agora/mint.ts'
import type { AgoraRights } from '../../../src/providers/agora/rights.ts'
import type { Granted } from '../../../src/providers/provider.ts'
import { createSecret } from '../../../src/secret.ts'
import { noGrounds } from '../../open-deps.ts'
import { parseByVendor } from '../../oracles/agora.ts'
import { nowMs } from '../../policy/policy-under-test.ts'
import { keys } from '../../usher-in-memory.ts'

const { appId, certificate } = keys.agora
const open = (deflate: boolean) => openAgora({ appId, certificate: createSecret(certificate), deflate }, () => nowMs)
const granted = (rights: Partial<AgoraRights>) =>
  ({
    channel: 'room',
    uid: 7,
    role: 'publisher',
    privileges: { 1: 600, 2: 600 },
    ttlSeconds: 600,
    ...rights,
  }) as Granted<AgoraRights>

describe('an Agora token', () => {
  it.each([false, true])('says to the vendor what the rights say, compressed: %s', async (deflate) => {
    for (const [rights, user] of [
      [granted({}), '7'],
      [granted({ uid: 0 }), ''],
      [granted({ uid: undefined as never, account: 'alice' }), 'alice'],
    ] as const) {
      const minted = await open(deflate).mint(rights, noGrounds)
      if (isRefusal(minted)) throw new Error(minted.reason)
      expect(parseByVendor(minted.credential)).toMatchObject({
        appId,
        issuedAt: nowMs / 1000,
        expiresIn: 600,
        services: [{ type: 1, privileges: { 1: 600, 2: 600 }, texts: ['room', user] }],
      })
      expect(minted.expiresAt).toBe(nowMs / 1000 + 600)
      expect(open(deflate).findOverreach(minted, rights, noGrounds)).toBeUndefined()
    }
  })
})

describe('what was minted is held against the rights', () => {
  const rtc = { type: 1, privileges: { 1: 600, 2: 600 }, texts: ['room', '7'] }
  const token = { appId, issuedAt: nowMs / 1000, expiresIn: 600, salt: 1, services: [rtc] }
  const overreach = (change: object, rights = granted({})) => {
    const credential = packToken({ ...token, ...change }, createTokenKey(certificate))
    return open(false).findOverreach({ credential, expiresAt: nowMs / 1000 + 600 }, rights, noGrounds)
  }

  it('and nothing is said of what is the same', () => {
    expect(overreach({})).toBeUndefined()
    expect(overreach({ services: [{ ...rtc, privileges: { 1: 600 } }] })).toBeUndefined()
  })

  it.each<[string, object]>([
    ['another App ID', { appId: 'f'.repeat(32) }],
    ['a longer life', { expiresIn: 601 }],
    ['a later start', { issuedAt: nowMs / 1000 + 1 }],
    ['milliseconds for seconds', { issuedAt: 0xffff_ffff }],
    ['another channel', { services: [{ ...rtc, texts: ['other', '7'] }] }],
    ['any channel', { services: [{ ...rtc, texts: ['', '7'] }] }],
    ['a pattern of channels', { services: [{ ...rtc, texts: ['*', '7'] }] }],
    ['another user', { services: [{ ...rtc, texts: ['room', '8'] }] }],
    ['any user', { services: [{ ...rtc, texts: ['room', ''] }] }],
    ['a privilege more', { services: [{ ...rtc, privileges: { 1: 600, 2: 600, 3: 600 } }] }],
    ['a privilege for longer', { services: [{ ...rtc, privileges: { 1: 601 } }] }],
    ['a privilege without end', { services: [{ ...rtc, privileges: { 1: 0 } }] }],
    ['a privilege of an object', { services: [{ ...rtc, privileges: { 5: 600 } }] }],
    ['another service', { services: [{ ...rtc, type: 2, texts: ['7'] }] }],
    ['a service more', { services: [rtc, { type: 2, privileges: { 1: 600 }, texts: ['7'] }] }],
    ['a service more, twice the same', { services: [rtc, rtc] }],
    [
      'a service more, of a kind that is not parsed',
      { services: [rtc, { type: 9, privileges: { 1: 600 }, texts: [] }] },
    ],
    ['no service', { services: [] }],
  ])('and %s is found', (_what, change) => {
    expect(overreach(change)).toBeTypeOf('string')
  })

  it('and any user is found in rights that are for somebody', () => {
    for (const account of ['', '0']) {
      const services = [{ ...rtc, texts: ['room', account] }]
      expect(overreach({ services }, granted({ uid: undefined as never, account }))).toBe('the token is for any user')
    }
  })

  it('and what does not decode is found', () => {
    for (const credential of [
      '',
      '007',
      'x',
      agora.RtcTokenBuilder.buildTokenWithUid('no', 'no', 'room', 7, 1, 600, 600),
    ])
      expect(open(false).findOverreach({ credential, expiresAt: 0 }, granted({}), noGrounds)).toBe(
        'the token does not decode',
      )
  })
})
