// A decision that is taken again, under the policy of later, about what a token carries: it gives what its grants give then, or nothing.

import { describe, expect, it } from 'vitest'
import { isRefusal } from '../../src/errors.ts'
import type { Caller } from '../../src/identity/caller.ts'
import { toClaims } from '../../src/identity/caller.ts'
import { decide } from '../../src/policy/decide.ts'
import { decideAgain } from '../../src/policy/decide-again.ts'
import { agoraEntitlement } from '../../src/providers/agora/rights.ts'
import { createNatsEntitlement, type UserRights } from '../../src/providers/nats/rights.ts'
import { anonymousCaller, jwtCaller, nowMs, oneIssuer, policyOf } from './policy-under-test.ts'

const entitlement = createNatsEntitlement({ mode: 'callout', accounts: ['APP', 'OTHER'], roles: [] })
const key = 'a'.repeat(64)
const callers = `${oneIssuer}    - { name: old, issuer: https://old.example.com/, jwksUri: https://old.example.com/jwks, audience: [rt], algorithms: [RS256] }
  apiKeys:
    - { id: k7f3a2c1, name: one, sha256: ${key}, claims: { tenant: acme } }
    - { id: k8f3a2c1, name: two, sha256: ${key.replaceAll('a', 'b')} }
  gateway: { header: x-auth-user, trustedProxies: [10.0.0.0/24] }
`
const vars = `vars:
  user: { from: sub, match: "[a-z]{1,20}" }
  tenant: { from: claims.tenant, match: "[a-z]{1,20}" }
  roles: { from: claims.roles, type: set }
  room: { from: ask, match: "[a-z]{1,20}" }
`
const bus = `
  - id: bus
    when: { issuer: main, tenant: acme }
    nats: { account: APP, publish: ["u.{user}.>", "r.{room}"], subscribe: ["u.{user}.>"] }
    ttl: { default: 10m, max: 1h }`
const more = `
  - { id: more, when: { issuer: main }, nats: { account: APP, subscribe: [news] }, ttl: { max: 30m } }`
const rest = `
  - { id: rest, when: { issuer: main, roles: { has: x } }, agora: { channel: "{room}", account: "{user}", role: subscriber } }`
const first = `${callers}${vars}grants:${bus}${rest}`
const alice = jwtCaller('alice', { tenant: 'acme', roles: ['host'] })

/** With Agora, so that a var which no other grant uses is no fault. */
const load = (text: string, files: Readonly<Record<string, string>> = {}) =>
  policyOf(text, files, [entitlement, agoraEntitlement])

interface Options {
  readonly caller?: Caller
  readonly input?: object
  readonly before?: string
  readonly files?: Readonly<Record<string, string>>
  readonly laterMs?: number
}

/** Decides under one policy, carries the basis as a token does, and decides again under the other. */
function again(after: string, { caller = alice, input = {}, before = first, files = {}, laterMs = 0 }: Options = {}) {
  const parsed = entitlement.parseAsk(input)
  if (isRefusal(parsed)) throw new Error(parsed.message)
  const decision = decide(load(before, files), entitlement, { caller, ask: parsed, nowMs })
  if (isRefusal(decision)) throw new Error(`${decision.reason}: ${decision.detail ?? decision.message}`)
  const basis = JSON.parse(JSON.stringify(decision.grounds.basis()))
  const { ttlSeconds, asked } = decision.rights as UserRights
  const ask = { ...asked, ttlMs: ttlSeconds * 1000 }
  return decideAgain(load(after, files), entitlement, { basis, ask, nowMs: nowMs + laterMs })
}
const rightsAfter = (...args: Parameters<typeof again>): UserRights => {
  const decision = again(...args)
  if (isRefusal(decision)) throw new Error(`${decision.reason}: ${decision.detail ?? decision.message}`)
  return decision.rights as UserRights
}
const reasonAfter = (...args: Parameters<typeof again>) => {
  const decision = again(...args)
  return isRefusal(decision) ? decision.reason : decision.rights
}

describe('under the same policy', () => {
  it.each<[string, object]>([
    ['without an ask', {}],
    ['with an ask', { publish: ['r.one'], subscribe: [], ttl: 60, account: 'APP', connectionTypes: ['nats'] }],
  ])('it comes to the same, %s', (_what, input) => {
    const before = decide(load(first), entitlement, { caller: alice, ask: entitlement.parseAsk(input) as never, nowMs })
    expect(rightsAfter(first, { input })).toEqual(isRefusal(before) ? undefined : before.rights)
  })

  it('it gives frozen rights and the grants behind them', () => {
    const decision = again(first)
    expect(isRefusal(decision) || Object.isFrozen(decision.rights)).toBe(true)
    expect(decision).toMatchObject({ grantIds: ['bus'] })
  })

  it('it does so when the caller’s own credential has ended: that was counted into the lifetime', () => {
    const caller = { ...alice, expiresAt: nowMs / 1000 + 100 }
    expect(rightsAfter(first, { caller, laterMs: 3_600_000 })).toMatchObject({ ttlSeconds: 100 })
  })
})

describe('what stood behind the values', () => {
  it.each([
    ['another claim', /from: sub/, 'from: claims.name'],
    ['another key set', /jwksUri: [^\s,}]+/, 'jwksUri: https://other.example/jwks'],
  ])('is %s now: the token gives nothing', (_what, before, after) => {
    expect(first).toMatch(before)
    expect(reasonAfter(first.replace(before, after))).toBe('no_grant')
  })
})

describe('a grant of the token', () => {
  it('that became narrower is narrower', () => {
    const narrower = first.replace('"u.{user}.>", "r.{room}"', '"u.{user}.x"')
    expect(rightsAfter(narrower)).toMatchObject({ publish: ['u.alice.x'] })
  })

  it('that does not cover the ask any more refuses it, and does not cut it down', () => {
    const narrower = first.replace('"u.{user}.>", "r.{room}"', '"u.{user}.>"')
    expect(reasonAfter(narrower, { input: { publish: ['u.alice.x', 'r.one'] } })).toBe('beyond_grant')
  })

  it('that got a deny has it', () => {
    const denied = first.replace('subscribe: ["u.{user}.>"]', 'subscribe: ["u.{user}.>"], deny: ["u.{user}.x"]')
    expect(rightsAfter(denied)).toMatchObject({ deny: ['u.alice.x'] })
    expect(reasonAfter(denied, { input: { publish: ['u.alice.x'] } })).toBe('beyond_grant')
  })

  it.each<[string, string]>([
    ['that is gone', first.replace('id: bus', 'id: tram')],
    ['that is for somebody else', first.replace('main, tenant: acme', 'main, tenant: umbrella')],
    ['that is for another source', first.replace('when: { issuer: main, tenant', 'when: { issuer: old, tenant')],
    [
      'that is for another kind of caller',
      first.replace('when: { issuer: main, tenant', 'when: { caller: gateway, tenant'),
    ],
    [
      'that asks for a value which the token does not carry',
      first.replace('main, tenant: acme', 'main, tenant: acme, roles: { has: host }'),
    ],
    [
      'that uses a value which the token does not carry',
      first
        .replace('subscribe: ["u.{user}.>"]', 'subscribe: ["u.{user}.>", "{plan}"]')
        .replace('vars:', 'vars:\n  plan: { from: claims.plan, match: "[a-z]{1,9}" }'),
    ],
    [
      'that is for a shared token now',
      first.replace(/nats: \{ account: APP, publish.*\n.*ttl.*/, 'nats: { shared: true }'),
    ],
    ['that is of another provider now', first.replace('id: bus', 'id: tram').replace('id: rest', 'id: bus')],
  ])('%s refuses', (_what, after) => {
    expect(after).not.toBe(first)
    expect(reasonAfter(after)).toBe('no_grant')
  })

  it('that may be longer does not make the token longer, and that may be shorter makes it shorter', () => {
    expect(rightsAfter(first.replace('max: 1h', 'max: 8h'))).toMatchObject({ ttlSeconds: 600 })
    expect(rightsAfter(first.replace('default: 10m, max: 1h', 'max: 2m'))).toMatchObject({ ttlSeconds: 120 })
    expect(rightsAfter(first.replace('default: 10m', 'default: 1m'))).toMatchObject({ ttlSeconds: 600 })
  })

  it('is found by its id, however the others around it change', () => {
    expect(rightsAfter(first.replace('grants:', `grants:${more}`))).toMatchObject({ subscribe: ['u.alice.>'] })
  })

  it('that is for another account now gives that one, but not to who asked for the one of before', () => {
    const moved = first.replace('account: APP', 'account: OTHER')
    expect(rightsAfter(moved)).toMatchObject({ account: 'OTHER' })
    expect(reasonAfter(moved, { input: { account: 'APP' } })).toBe('beyond_grant')
  })

  it('that is for other connections now refuses who asked for those of before', () => {
    const moved = first.replace('account: APP', 'account: APP, connectionTypes: [mqtt]')
    expect(rightsAfter(moved)).toMatchObject({ connectionTypes: ['mqtt'] })
    expect(reasonAfter(moved, { input: { connectionTypes: ['nats'] } })).toBe('beyond_grant')
  })
})

describe('grants that were one', () => {
  const two = first.replace('grants:', `grants:${more}`)
  const options = { before: two }

  it('are one again', () => {
    const decision = again(two, options)
    expect(decision).toMatchObject({
      grantIds: ['more', 'bus'],
      rights: { subscribe: ['news', 'u.alice.>'], ttlSeconds: 600 },
    })
  })

  it.each<[string, string]>([
    ['of which one is gone', first],
    [
      'of which one does not apply any more',
      two.replace('when: { issuer: main }', 'when: { issuer: main, tenant: umbrella }'),
    ],
    [
      'of which one is for another account',
      two.replace('account: APP, subscribe: [news]', 'account: OTHER, subscribe: [news]'),
    ],
    [
      'of which one is for other connections',
      two.replace('subscribe: [news]', 'subscribe: [news], connectionTypes: [nats]'),
    ],
  ])('%s are not cut down to the other', (_what, after) => expect(reasonAfter(after, options)).toBe('no_grant'))

  it('and one that was not is not joined to them', () => {
    const third = two.replace(
      'grants:',
      'grants:\n  - { id: third, when: { issuer: main }, nats: { account: APP, publish: [x] } }',
    )
    expect(rightsAfter(third, options).publish).not.toContain('x')
  })
})

describe('a value of the token', () => {
  const withPattern = (pattern: string) =>
    first.replace('user: { from: sub, match: "[a-z]{1,20}" }', `user: { from: sub, match: "${pattern}" }`)

  it('is held against the var of now', () => {
    expect(reasonAfter(withPattern('[a-d]{1,20}'))).toBe('no_grant')
    expect(reasonAfter(withPattern('[a-z]{1,4}'))).toBe('no_grant')
    expect(rightsAfter(withPattern('[a-z0-9]{1,20}'))).toMatchObject({ subscribe: ['u.alice.>'] })
  })

  it('of another type now is missing', () => {
    const number = first.replace('user: { from: sub, match: "[a-z]{1,20}" }', 'user: { from: sub, type: uint32 }')
    expect(reasonAfter(number)).toBe('no_grant')
  })

  it('is the one that the token carries, and no claim: none is there', () => {
    const { caller } = { caller: { ...alice, claims: toClaims({ tenant: 'acme', user: 'mallory' }) } }
    expect(rightsAfter(first, { caller })).toMatchObject({ subscribe: ['u.alice.>'] })
  })

  it('is its own, and not a member that every object has', () => {
    const named = first
      .replaceAll('tenant', 'constructor')
      .replace('claims.constructor', 'claims.tenant')
      .replace('claims: { constructor', 'claims: { tenant')
    expect(rightsAfter(named, { before: named })).toMatchObject({ subscribe: ['u.alice.>'] })
    expect(reasonAfter(named)).toBe('no_grant')
  })
})

describe('a deny rule', () => {
  const denying = (when: string) => `${first}\ndeny:\n  - { id: d, when: ${when} }\n`

  it('that meets the holder denies, before anything else is looked at', () => {
    expect(reasonAfter(denying('{ caller: jwt, user: alice }'))).toBe('denied')
    expect(reasonAfter(denying('{ caller: jwt, user: alice }').replace('id: bus', 'id: tram'))).toBe('denied')
    expect(reasonAfter(denying('{ caller: jwt }'))).toBe('denied')
  })

  it('that does not meet him does not', () => {
    expect(rightsAfter(denying('{ caller: jwt, user: bob }'))).toMatchObject({ account: 'APP' })
    expect(rightsAfter(denying('{ caller: gateway, roles: { has: host } }'))).toMatchObject({ account: 'APP' })
  })

  it('on a value that the token does not carry denies until it is renewed', () => {
    const onRoles = denying('{ caller: jwt, roles: { has: banned } }')
    expect(reasonAfter(onRoles)).toBe('denied')
    expect(rightsAfter(onRoles, { before: onRoles })).toMatchObject({ account: 'APP' })
  })

  it('reads the list of now', () => {
    const banned = denying('{ caller: jwt, user: { inFile: banned.txt } }')
    expect(rightsAfter(banned, { before: banned, files: { 'banned.txt': 'mallory' } })).toMatchObject({
      account: 'APP',
    })
    expect(reasonAfter(banned, { files: { 'banned.txt': 'mallory\nalice' } })).toBe('denied')
  })
})

describe('a caller', () => {
  const open = `
  - { id: bus, when: { caller: anonymous }, nats: { account: APP, publish: [lobby] } }`
  const anybody = `
  - { id: bus, nats: { account: APP, publish: [lobby] } }`
  const text = (grant: string, from = callers) => `${from}${vars}grants:${grant}${rest}${bus.replace('bus', 'own')}`
  const keyCaller: Caller = { kind: 'apiKey', source: 'k7f3a2c1', claims: toClaims({}) }

  it('without a credential gets what is for him, and what is for identified callers never', () => {
    const options = { caller: anonymousCaller, before: text(open) }
    expect(rightsAfter(text(open), options)).toMatchObject({ publish: ['lobby'] })
    expect(reasonAfter(text(anybody), options)).toBe('unauthenticated')
  })

  it('with a credential does not get what is for anonymous ones now', () => {
    expect(reasonAfter(text(open), { before: text(anybody) })).toBe('no_grant')
  })

  it('who acts for nobody has no subject the second time either', () => {
    const options = { caller: keyCaller, before: text(anybody) }
    expect(rightsAfter(text(anybody), options)).toMatchObject({ publish: ['lobby'] })
    expect(
      reasonAfter(
        text(anybody.replace('lobby', '"{user}"').replace('bus,', 'bus, when: { client: k7f3a2c1 },')),
        options,
      ),
    ).toBe('no_grant')
  })

  it.each<[string, Caller, string]>([
    ['an issuer', jwtCaller('alice', {}, { source: 'old' }), callers.replace(/ {4}- \{ name: old.*\n/, '')],
    ['an API key', keyCaller, callers.replace(/ {4}- \{ id: k7.*\n/, '')],
    [
      'the gateway',
      { kind: 'gateway', source: 'gateway', subject: 'alice', claims: toClaims({}) },
      callers.replace(/ {2}gateway.*\n/, ''),
    ],
  ])('whom %s vouched for that the file does not name any more gets nothing', (_what, caller, without) => {
    expect(without).not.toBe(callers)
    expect(rightsAfter(text(anybody), { caller, before: text(anybody) })).toMatchObject({ publish: ['lobby'] })
    expect(reasonAfter(text(anybody, without), { caller, before: text(anybody) })).toBe('no_grant')
  })
})
