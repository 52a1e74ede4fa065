// Tokens of callout mode: what they tell their holder, how long they are, and that the check of what was minted sees every difference.

import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { isRefusal } from '../../../src/errors.ts'
import type { NatsCredential } from '../../../src/providers/nats/credential.ts'
import { openTokens } from '../../../src/providers/nats/mint-token.ts'
import {
  fromPayload,
  maxTokenBytes,
  openTokenKeys,
  type TokenContent,
  toPayload,
} from '../../../src/providers/nats/token.ts'
import type { Granted } from '../../../src/providers/provider.ts'
import { parseTokenId } from '../../../src/revocations/token-id.ts'
import { anonymousCaller, jwtCaller, nowMs } from '../../policy/policy-under-test.ts'
import { alice, grantedFor, modes, policyFor, policyText } from './user-grants.ts'

const keys = openTokenKeys(`k1:${randomBytes(32).toString('base64url')}`)
const tokens = openTokens({ entitlement: modes.callout, keys, now: () => nowMs })

const grant =
  '{ account: APP, publish: ["t.{tenant}.{user}", "r.{room}"], subscribe: ["t.{tenant}.>", "all"], responses: {} }, iKnow: full-access'
const text = `${policyText(grant)}  - { id: other, when: { caller: anonymous }, nats: { account: OTHER, publish: [x] } }\n`
const policy = policyFor('callout', text)

async function mint(input: object = {}, caller = alice, under = policy) {
  const { rights, grounds } = grantedFor('callout', under, input, caller)
  const minted = await tokens.mint(rights, grounds)
  if (isRefusal(minted)) throw new Error(minted.reason)
  const { own, token } = minted.credential
  if (own === undefined) throw new Error('nobody’s')
  return { minted, own, token, rights, grounds, content: fromPayload(keys.open(token)) as TokenContent }
}

describe('a token', () => {
  it('names grants and values in place of rights, and tells its holder what they are', async () => {
    const { minted, own, content } = await mint()
    expect(content).toEqual({
      serial: parseTokenId(own.tokenId)?.serial,
      basis: {
        caller: { kind: 'jwt', source: 'main', subject: 'alice' },
        grantIds: ['g0'],
        values: { tenant: 'acme', user: 'alice' },
        origin: expect.stringMatching(/^[\w-]{8}$/),
      },
      issuedAt: nowMs / 1000,
      lifetime: 600,
      asked: {},
    })
    expect(minted).toMatchObject({ expiresAt: nowMs / 1000 + 600, identifies: minted.credential.token })
    expect(own).toMatchObject({
      user: 'main/alice',
      account: 'APP',
      inboxPrefix: expect.stringMatching(/^_INBOX_[0-9a-f]{30}$/),
    })
    expect(own.permissions).toEqual({
      publish: { allow: ['t.acme.alice'], deny: [] },
      subscribe: { allow: ['t.acme.>', 'all', `${own.inboxPrefix}.>`], deny: [] },
      responses: { max: 1, ttlMs: 5000 },
    })
    expect(parseTokenId(own.tokenId)?.owner).toEqual({ source: 'main', subject: 'alice' })
  })

  it('carries what was asked for, the account too', async () => {
    const asked = { account: 'APP', publish: ['r.one'], subscribe: [], connectionTypes: ['websocket'] }
    const { content, own } = await mint({ ...asked, ttl: 60 })
    expect(content).toMatchObject({ asked, lifetime: 60 })
    expect(own.permissions).toMatchObject({
      publish: { allow: ['r.one'] },
      subscribe: { allow: [`${own.inboxPrefix}.>`] },
    })
  })

  it('says nothing of the credential but what these grants and the deny rules read', async () => {
    const withDeny = policyFor(
      'callout',
      `${text.replace('grants:', '  uid: { from: claims.uid, type: uint32 }\ngrants:')}deny:\n  - { id: d, when: { caller: jwt, uid: 9 } }\n`,
    )
    const secretive = jwtCaller('alice', { tenant: 'acme', uid: 7, email: 'alice@example.com', roles: ['admin'] })
    const { content } = await mint({}, secretive, withDeny)
    expect(content.basis.values).toEqual({ uid: 7, tenant: 'acme', user: 'alice' })
  })

  it('of one caller is a new one each time, and so is its id', async () => {
    const all = await Promise.all(Array.from({ length: 100 }, () => mint()))
    expect(new Set(all.map(({ token }) => token)).size).toBe(100)
    expect(new Set(all.map(({ own }) => own.tokenId)).size).toBe(100)
    expect(new Set(all.map(({ own }) => own.inboxPrefix)).size).toBe(1)
  })

  it('of a caller without subject has a user and an inbox of its own', async () => {
    const [one, two] = [await mint({}, anonymousCaller), await mint({}, anonymousCaller)]
    expect(one.own.user).toMatch(/^anonymous:[\w-]{16}$/)
    expect(one.own.inboxPrefix).not.toBe(two.own.inboxPrefix)
  })

  it('without an inbox has none', async () => {
    const { own } = await mint(
      {},
      alice,
      policyFor('callout', policyText('{ account: APP, publish: [a], inbox: false }')),
    )
    expect(own).toMatchObject({ inboxPrefix: null, permissions: { subscribe: { allow: [], deny: ['>'] } } })
  })

  it('is never made for a shared right', async () => {
    const { grounds } = grantedFor('callout', policy)
    expect(await tokens.mint({ shared: true } as Granted<{ shared: true }>, grounds)).toMatchObject({
      reason: 'no_grant',
    })
  })
})

describe('its length', () => {
  it('is below 300 characters for usual users, an asked subject included', async () => {
    const usual = jwtCaller('auth0|5f7c8ec7c33c6c004bbafe82', { tenant: 'acme-industries-eu' })
    const open = policyFor('callout', policyText('{ account: APP, publish: ["t.{tenant}.cmd", "r.{room}"] }'))
    expect((await mint({}, usual, open)).token.length).toBeLessThan(280)
    expect((await mint({ publish: ['r.room-1'] }, usual, open)).token.length).toBeLessThan(320)
  })

  it('is what a client can send: one byte more is a refusal with the number, and no token', async () => {
    const of = (count: number) => ({ publish: Array.from({ length: count }, (_, index) => `r.room-${index}`) })
    let last = 0
    for (let count = 1; count <= 200; count++) {
      const { rights, grounds } = grantedFor('callout', policy, of(count))
      const minted = await tokens.mint(rights, grounds)
      if (isRefusal(minted)) {
        expect(minted.reason).toBe('token_too_large')
        expect(Number(/\d{4}/.exec(minted.message)?.[0])).toBeGreaterThan(maxTokenBytes)
        expect(minted.message).toMatch(/^[\x20-\x7e]+$/)
        expect(count).toBeGreaterThan(80)
        break
      }
      last = minted.credential.token.length
      expect(last).toBeLessThanOrEqual(maxTokenBytes)
      expect(tokens.findOverreach(minted, rights, grounds)).toBeUndefined()
    }
    expect(last).toBeGreaterThan(maxTokenBytes - 20)
  })
})

describe('what was minted is held against the rights', async () => {
  const { minted, content, rights, grounds, own } = await mint({ publish: ['r.one'] })
  const overreach = (change: Partial<TokenContent>, expiresAt: number | null = minted.expiresAt) =>
    tokens.findOverreach(
      {
        ...minted,
        credential: { ...minted.credential, token: keys.seal(toPayload({ ...content, ...change })) },
        expiresAt,
      },
      rights,
      grounds,
    )
  const { basis } = content

  it('and nothing is said of what is the same', () => expect(overreach({})).toBeUndefined())

  it.each<[string, Partial<TokenContent>]>([
    ['a longer life', { lifetime: 601 }],
    ['a shorter life', { lifetime: 599 }],
    ['a later issue', { issuedAt: content.issuedAt + 1 }],
    ['another caller', { basis: { ...basis, caller: { ...basis.caller, subject: 'bob' } } }],
    ['another source', { basis: { ...basis, caller: { ...basis.caller, source: 'gateway' } } }],
    ['another kind of caller', { basis: { ...basis, caller: { ...basis.caller, kind: 'sandbox' } } }],
    ['no subject', { basis: { ...basis, caller: { kind: 'jwt', source: 'main' } } }],
    ['another value', { basis: { ...basis, values: { ...basis.values, tenant: 'umbrella' } } }],
    ['a value more', { basis: { ...basis, values: { ...basis.values, uid: 1 } } }],
    ['a value less', { basis: { ...basis, values: { user: 'alice' } } }],
    ['a grant more', { basis: { ...basis, grantIds: ['g0', 'other'] } }],
    ['another grant', { basis: { ...basis, grantIds: ['other'] } }],
    ['no grant', { basis: { ...basis, grantIds: [] } }],
    ['all that the grant gives', { asked: {} }],
    ['another subject', { asked: { publish: ['r.two'] } }],
    ['one more subject', { asked: { publish: ['r.one', 'r.two'] } }],
    ['a subject beyond the grant', { asked: { publish: ['>'] } }],
    ['a side less narrow', { asked: { publish: ['r.one'], subscribe: ['all'] } }],
    ['another account', { asked: { publish: ['r.one'], account: 'OTHER' } }],
    ['another kind of connection', { asked: { publish: ['r.one'], connectionTypes: ['nats'] } }],
  ])('and %s is found', (_what, change) => expect(overreach(change)).toBeTypeOf('string'))

  it('and another end is found', () => {
    expect(overreach({}, (minted.expiresAt as number) + 1)).toBeTypeOf('string')
    expect(overreach({}, null)).toBeTypeOf('string')
  })

  it('and rights that are not those of the token are found, each of them', () => {
    for (const [key, value] of Object.entries(rights)) {
      const other = { ...rights, [key]: typeof value === 'object' ? {} : undefined } as never
      expect(tokens.findOverreach(minted, other, grounds), key).toBeTypeOf('string')
    }
    expect(tokens.findOverreach(minted, { shared: true } as never, grounds)).toBeTypeOf('string')
  })

  it.each<[string, (token: string) => string]>([
    ['of another key', () => openTokenKeys(`k1:${randomBytes(32).toString('base64url')}`).seal(toPayload(content))],
    ['that is no token', () => 'x'],
    ['that is empty', () => ''],
    ['that is a canary', () => keys.seal({ canary: content.serial, t: content.issuedAt })],
    ['that is altered', (token) => `${token.slice(0, -2)}AA`],
  ])('and a token %s is found', (_what, change) => {
    const credential: NatsCredential = { ...minted.credential, token: change(minted.credential.token), own }
    expect(tokens.findOverreach({ ...minted, credential }, rights, grounds)).toBe('the token does not open')
  })
})
