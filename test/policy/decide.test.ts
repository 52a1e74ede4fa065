import { describe, expect, it } from 'vitest'
import { isRefusal, type Reason } from '../../src/errors.ts'
import type { Caller } from '../../src/identity/caller.ts'
import { decide } from '../../src/policy/decide.ts'
import { ablyEntitlement } from '../../src/providers/ably/rights.ts'
import { agoraEntitlement } from '../../src/providers/agora/rights.ts'
import { anonymousCaller, decided, jwtCaller, nowMs, oneIssuer, policyOf, twoSources } from './policy-under-test.ts'

const vars = `vars:
  user: { from: sub, match: "[a-z]{1,20}" }
  tenant: { from: claims.tenant, match: "[a-z]{1,20}" }
  room: { from: ask, match: "[a-z]{1,20}" }
`
const agora = 'agora: { channel: "r:{room}", uid: 1, role: publisher }'
const full = { channelName: 'r:one', uid: 1, role: 1 }

const agoraOf = (text: string, caller: Caller, input: unknown = full) =>
  decided(agoraEntitlement, policyOf(text), caller, input)
const reasonOf = (result: unknown): Reason | undefined => (isRefusal(result) ? result.reason : undefined)

const simple = `${oneIssuer}${vars.replace(/ {2}(user|tenant).*\n/g, '')}grants:\n  - { id: a, ${agora} }\n`

describe('a decision', () => {
  it('gives frozen rights and the grants behind them', () => {
    const policy = policyOf(simple)
    const ask = agoraEntitlement.parseAsk(full)
    const decision = decide(policy, agoraEntitlement, { caller: jwtCaller('a'), ask: ask as never, nowMs })
    if (isRefusal(decision)) throw new Error(decision.message)
    expect(Object.isFrozen(decision.rights)).toBe(true)
    expect(Object.isFrozen(decision.rights.privileges)).toBe(true)
    expect(decision.grantIds).toEqual(['a'])
  })

  it('is no_grant where no grant is for this provider, or none applies', () => {
    expect(reasonOf(decided(ablyEntitlement, policyOf(simple), jwtCaller('a'), {}))).toBe('no_grant')
    const text = simple.replace('{ id: a,', '{ id: a, when: { caller: gateway },')
    expect(reasonOf(agoraOf(text, jwtCaller('a')))).toBe('no_grant')
  })

  it('is no_grant where a value of the grant’s names is missing', () => {
    const text = `${oneIssuer}${vars.replace(/ {2}room.*\n/, '')}grants:
  - { id: a, agora: { channel: "{tenant}:x", uid: 1, role: publisher }, ably: { clientId: "{user}", capability: { "{tenant}:y": [subscribe] } } }
`
    const policy = policyOf(text)
    const ask = { channelName: 'acme:x', role: 1 }
    expect(reasonOf(decided(agoraEntitlement, policy, jwtCaller('a', { tenant: 'acme' }), ask))).toBeUndefined()
    for (const claims of [
      {},
      { tenant: null },
      { tenant: '' },
      { tenant: ['acme'] },
      { tenant: 'ACME' },
      { tenant: '*' },
    ]) {
      expect(reasonOf(decided(agoraEntitlement, policy, jwtCaller('a', claims), ask))).toBe('no_grant')
      expect(reasonOf(decided(ablyEntitlement, policy, jwtCaller('a', claims), {}))).toBe('no_grant')
    }
    const nobody = jwtCaller('A B', { tenant: 'acme' })
    expect(reasonOf(decided(ablyEntitlement, policy, nobody, {}))).toBe('no_grant')
  })

  it('tells, for an explanation, what became of each grant', () => {
    const text = `${oneIssuer}${vars}grants:
  - { id: other, when: { tenant: umbrella }, ${agora} }
  - { id: missing, agora: { channel: "{tenant}:x", uid: 1, role: publisher } }
  - { id: mine, when: { user: alice }, ${agora} }
`
    const told: string[] = []
    decided(agoraEntitlement, policyOf(text), jwtCaller('alice'), full, (id, outcome) => told.push(`${id}: ${outcome}`))
    expect(told).toEqual([
      'other: does not apply: it needs tenant is "umbrella": the caller has no valid "tenant"',
      'missing: does not apply: the caller lacks a valid value of a var that it uses',
      'mine: applies',
    ])
  })
})

describe('deny rules', () => {
  const text = `${oneIssuer}${vars}grants:
  - { id: a, when: { caller: { in: [jwt, anonymous] } }, ${agora} }
  - { id: b, when: { tenant: acme }, ably: { capability: { a: [subscribe] } } }
deny:
  - { id: banned, when: { caller: jwt, user: { inFile: banned.txt } }, note: spam }
`
  const policy = policyOf(text, { 'banned.txt': '\ufeffmallory \r\n# a comment\r\n\r\n  eve\r\ntrent' })
  const ask = (caller: Caller) => decided(agoraEntitlement, policy, caller, full)

  it('come before every grant', () => {
    for (const name of ['mallory', 'eve', 'trent']) expect(reasonOf(ask(jwtCaller(name)))).toBe('denied')
    expect(reasonOf(decided(ablyEntitlement, policy, jwtCaller('eve', { tenant: 'acme' }), {}))).toBe('denied')
    expect(reasonOf(ask(jwtCaller('alice')))).toBeUndefined()
  })

  it('come before the caller’s remaining life', () => {
    expect(reasonOf(ask(jwtCaller('eve', {}, { expiresAt: nowMs / 1000 })))).toBe('denied')
  })

  it('deny a caller whose value is missing, unless their caller: excludes his kind', () => {
    expect(reasonOf(ask(jwtCaller('Alice Smith')))).toBe('denied')
    expect(reasonOf(ask(anonymousCaller))).toBeUndefined()
    const wide = policyOf(text.replace('caller: jwt, user', 'user'), { 'banned.txt': 'mallory' })
    expect(reasonOf(decided(agoraEntitlement, wide, anonymousCaller, full))).toBe('denied')
  })

  it('keep their note and id for the audit', () => {
    const refused = ask(jwtCaller('mallory'))
    expect(refused).toMatchObject({ detail: 'deny rule banned: spam', message: 'The caller is denied.' })
  })
})

describe('anonymous callers', () => {
  const text = (when: string) =>
    `${oneIssuer}${vars.replace(/ {2}(user|tenant).*\n/g, '')}grants:\n  - { id: a, ${when}${agora} }\n`

  it('get nothing from a grant that does not name them', () => {
    expect(reasonOf(agoraOf(text(''), anonymousCaller))).toBe('unauthenticated')
    expect(reasonOf(agoraOf(text('when: {}, '), anonymousCaller))).toBe('unauthenticated')
    expect(reasonOf(agoraOf(text('when: { caller: jwt }, '), anonymousCaller))).toBe('unauthenticated')
    expect(reasonOf(agoraOf(text('when: { issuer: main }, '), anonymousCaller))).toBe('unauthenticated')
  })

  it('get what a grant gives to them, and that is for nobody else', () => {
    expect(agoraOf(text('when: { caller: anonymous }, '), anonymousCaller)).toMatchObject({ channel: 'r:one', uid: 1 })
    expect(reasonOf(agoraOf(text('when: { caller: anonymous }, '), jwtCaller('a')))).toBe('no_grant')
    expect(agoraOf(text('when: { caller: { in: [jwt, anonymous] } }, '), jwtCaller('a'))).toMatchObject({ uid: 1 })
  })
})

describe('the source of a caller', () => {
  const text = `${twoSources}${vars.replace(/ {2}(tenant|room).*\n/g, '')}grants:
  - { id: a, when: { issuer: main }, agora: { channel: "u:{user}", uid: 1, role: publisher } }
`
  const ask = { channelName: 'u:alice', role: 1 }

  it('decides which alice is meant', () => {
    expect(reasonOf(agoraOf(text, jwtCaller('alice'), ask))).toBeUndefined()
    expect(reasonOf(agoraOf(text, jwtCaller('alice', {}, { source: 'other' }), ask))).toBe('no_grant')
    expect(reasonOf(agoraOf(text, jwtCaller('alice', {}, { kind: 'gateway', source: 'gateway' }), ask))).toBe(
      'no_grant',
    )
    expect(reasonOf(agoraOf(text, jwtCaller('alice', {}, { kind: 'gateway', source: 'main' }), ask))).toBe('no_grant')
  })
})

describe('the lifetime', () => {
  const seconds = (caller: Caller, expire?: number, ttl = 'ttl: { default: 10m, max: 1h }, ') => {
    const text = simple.replace('{ id: a,', `{ id: a, ${ttl}`)
    const result = agoraOf(text, caller, { ...full, ...(expire === undefined ? {} : { expire }) })
    return isRefusal(result) ? result.reason : result.ttlSeconds
  }
  const left = (remaining: number | undefined) =>
    remaining === undefined
      ? { ...jwtCaller('a'), expiresAt: undefined as never }
      : jwtCaller('a', {}, { expiresAt: nowMs / 1000 + remaining })

  it.each<[string, number | undefined, number | undefined, number]>([
    ['the default, where none is asked', 7200, undefined, 600],
    ['what is asked, up to the grant’s maximum', 7200, 900, 900],
    ['the grant’s maximum', 7200, 86_400, 3600],
    ['what is left of the caller’s credential', 60, 900, 60],
    ['what is left of it, against the default too', 60, undefined, 60],
    ['never shortened by a credential without end', undefined, 900, 900],
    ['a second, where that is asked', 7200, 1, 1],
  ])('is %s', (_what, remaining, expire, expected) => {
    expect(seconds(left(remaining), expire)).toBe(expected)
  })

  it.each([29, 1, 0, -1, -100_000])('is none with %i seconds left: credential_expiring', (remaining) => {
    expect(seconds(left(remaining))).toBe('credential_expiring')
    expect(seconds(left(remaining), 10)).toBe('credential_expiring')
  })

  it('is 30 seconds with 30 seconds left', () => {
    expect(seconds(left(30))).toBe(30)
  })

  it('is none where the end of the credential is not a number', () => {
    expect(seconds(left(Number.NaN))).toBe('credential_expiring')
  })

  it('is at most the vendor’s', () => {
    expect(seconds(left(1e9), 86_400, 'ttl: { max: 24h }, ')).toBe(86_400)
  })

  const merged = policyOf(`${oneIssuer}grants:
  - { id: long, ably: { capability: { a: [subscribe] } }, ttl: { default: 30m, max: 2h } }
  - { id: short, ably: { capability: { b: [subscribe] } }, ttl: { default: 20m, max: 25m } }
  - { id: other, ably: { clientId: bob, capability: { c: [subscribe] } }, ttl: { default: 1m, max: 2m } }
`)
  it.each<[string, object, number, string[]]>([
    ['the smallest of the merged grants', {}, 1_200_000, ['long', 'short']],
    ['the smallest maximum of the merged grants', { ttl: 7_000_000 }, 1_500_000, ['long', 'short']],
    ['of the grants for that clientId only', { clientId: 'bob' }, 60_000, ['other']],
  ])('is %s', (_what, input, ttlMs, grants) => {
    expect(decided(ablyEntitlement, merged, jwtCaller('a'), input)).toMatchObject({ ttlMs, grants })
  })
})

describe('names', () => {
  it.each(['constructor', 'toString', 'valueOf', 'hasOwnProperty'])('may be %s wherever a name is free', (name) => {
    const text = `${oneIssuer}vars:
  ${name}: { from: sub, match: "[A-Za-z]{1,20}" }
grants:
  - { id: ${name.toLowerCase()}, when: { ${name}: ${name} }, ably: { clientId: "{${name}}", capability: { ${name}: [subscribe], "{${name}}:x": [publish] } } }
`
    expect(decided(ablyEntitlement, policyOf(text), jwtCaller(name), {})).toMatchObject({
      clientId: name,
      capability: JSON.stringify({ [name]: ['subscribe'], [`${name}:x`]: ['publish'] }),
    })
    expect(reasonOf(decided(ablyEntitlement, policyOf(text), jwtCaller('alice'), {}))).toBe('no_grant')
  })

  it.each(['constructor', 'toString', '__proto__'])('of values that nobody vouched for are missing: %s', (name) => {
    const text = `${oneIssuer}vars:
  it: { from: [claims, ${name}], match: "[ -)+-~]{1,200}" }
grants:
  - { id: a, ably: { clientId: "{it}", capability: { a: [subscribe] } } }
`
    expect(reasonOf(decided(ablyEntitlement, policyOf(text), jwtCaller('alice'), {}))).toBe('no_grant')
  })
})
