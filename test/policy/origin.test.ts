// Where values come from: a token’s are worth what stood behind them, and nothing under another issuer, key, gateway or claim.

import { describe, expect, it } from 'vitest'
import { isRefusal } from '../../src/errors.ts'
import type { Caller } from '../../src/identity/caller.ts'
import { toClaims } from '../../src/identity/caller.ts'
import { decide } from '../../src/policy/decide.ts'
import { decideAgain } from '../../src/policy/decide-again.ts'
import { createNatsEntitlement } from '../../src/providers/nats/rights.ts'
import { jwtCaller, nowMs, policyOf } from './policy-under-test.ts'

const entitlement = createNatsEntitlement({ mode: 'callout', accounts: ['APP'], roles: [] })
const before = `callers:
  jwt:
    - { name: main, issuer: https://id.example.com/, jwksUri: https://id.example.com/jwks, audience: [rt], algorithms: [RS256] }
  apiKeys:
    - { id: k7f3a2c1, name: one, sha256: ${'a'.repeat(64)}, claims: { tenant: acme } }
  gateway: { header: x-auth-user, trustedProxies: [10.0.0.0/24] }
vars:
  user: { from: sub, match: "[a-z]{1,20}" }
  tenant: { from: claims.tenant, match: "[a-z]{1,20}" }
grants:
  - { id: of-users, when: { issuer: main }, nats: { account: APP, publish: ["{tenant}.{user}"] } }
  - { id: of-keys, when: { client: k7f3a2c1 }, nats: { account: APP, publish: ["{tenant}.x"] } }
  - { id: of-gateway, when: { caller: gateway }, nats: { account: APP, publish: ["g.{user}"] } }
`
const user = jwtCaller('alice', { tenant: 'acme' })
const key: Caller = { kind: 'apiKey', source: 'k7f3a2c1', claims: toClaims({ tenant: 'acme' }) }
const gateway: Caller = { kind: 'gateway', source: 'gateway', subject: 'alice', claims: toClaims({}) }

/** What a token of before gives under the policy of later; the reason where that is nothing. */
function resultUnder(text: string, caller: Caller) {
  const decision = decide(policyOf(before, {}, [entitlement]), entitlement, { caller, ask: {}, nowMs })
  if (isRefusal(decision)) throw new Error(decision.reason)
  const basis = JSON.parse(JSON.stringify(decision.grounds.basis()))
  const again = decideAgain(policyOf(text, {}, [entitlement]), entitlement, { basis, ask: { ttlMs: 60_000 }, nowMs })
  return isRefusal(again) ? again.reason : 'given'
}

describe('a token of before gives nothing', () => {
  it.each<[string, Caller, (text: string) => string]>([
    [
      'where the issuer of that name is another one',
      user,
      (text) => text.replace('issuer: https://id.', 'issuer: https://new.'),
    ],
    ['where the issuer has other keys', user, (text) => text.replace('com/jwks', 'com/keys')],
    ['where a value is read of another claim', user, (text) => text.replace('claims.tenant', 'claims.verified')],
    ['where the subject is read of a claim', user, (text) => text.replace('from: sub', 'from: claims.name')],
    ['where a claim of a key is its subject', key, (text) => text.replace('claims.tenant', 'sub')],
    ['where the API key was made anew', key, (text) => text.replace('a'.repeat(64), 'b'.repeat(64))],
    ['where the API key has other claims', key, (text) => text.replace('tenant: acme }', 'tenant: umbrella }')],
    ['where the gateway names users elsewhere', gateway, (text) => text.replace('x-auth-user', 'x-user')],
  ])('%s', (_what, caller, change) => {
    expect(change(before)).not.toBe(before)
    expect(resultUnder(change(before), caller)).toBe('no_grant')
    expect(resultUnder(before, caller)).toBe('given')
  })
})

it.each<[string, (text: string) => string]>([
  ['other grants', (text) => text.replace('publish: ["g.{user}"]', 'publish: ["h.{user}"]')],
  ['a wider pattern', (text) => text.replace('match: "[a-z]{1,20}" }\ngrants', 'match: "[a-z0-9]{1,20}" }\ngrants')],
  ['another audience', (text) => text.replace('[rt]', '[rt, more]')],
  ['another name of the key for the audit', (text) => text.replace('name: one', 'name: two')],
  [
    'another issuer beside it',
    (text) =>
      text.replace(
        '  apiKeys:',
        '    - { name: other, issuer: https://o/, jwksUri: https://o/k, audience: [rt], algorithms: [RS256] }\n  apiKeys:',
      ),
  ],
])('%s is no reason to refuse it', (_what, change) => {
  expect(change(before)).not.toBe(before)
  for (const caller of [user, key]) expect(resultUnder(change(before), caller)).toBe('given')
})
