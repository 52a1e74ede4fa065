// The grant `admin: [revoke]`: decided as every other right, and stricter where it is written.

import { describe, expect, it } from 'vitest'
import { isRefusal } from '../../src/errors.ts'
import { toClaims } from '../../src/identity/caller.ts'
import { adminEntitlement } from '../../src/revocations/admin.ts'
import {
  anonymousCaller,
  decided,
  faultsOf,
  jwtCaller,
  nowMs,
  oneIssuer,
  policyOf,
  twoSources,
} from '../policy/policy-under-test.ts'
import { nameOfTrap, trapValues } from '../trap-values.ts'

const vars = 'vars:\n  user: { from: sub, match: "[a-z]{1,20}" }\n'
const file = (grant: string, more = '') => `${twoSources}${vars}grants:\n  - { id: ops, ${grant} }\n${more}`
const root = 'when: { issuer: main, user: root }'
const rest = '  - { id: rest, when: { issuer: main, user: x }, nats: { account: APP, publish: [a] } }\n'

const rulesOf = (text: string) => faultsOf(text).map(({ path, rule }) => `${path}: ${rule}`)
const reasonOf = (text: string, caller = jwtCaller('root')) => {
  const result = decided(adminEntitlement, policyOf(text), caller, { action: 'revoke' })
  return isRefusal(result) ? result.reason : result
}

describe('a grant', () => {
  it.each<[string, string, string]>([
    ['without when', 'admin: [revoke]', 'has no when, so that every caller could cut off every other'],
    ['with an empty when', 'when: {}, admin: [revoke]', 'has no when, so that every caller could cut off every other'],
    ['with a ttl', `${root}, admin: [revoke], ttl: { max: 5m }`, 'stands in a grant with ttl, and issues nothing'],
  ])('%s is refused', (_what, grant, rule) => {
    const faults = faultsOf(file(grant, rest))
    expect(faults).toMatchObject([{ path: 'grants[0].admin', rule }])
    expect(faults[0]?.mend).toMatch(/\w/)
  })

  it.each([
    '[]',
    '[issue]',
    '[revoke, all]',
    'revoke',
    'true',
    '"*"',
    '["*"]',
    '{ revoke: true }',
    '[[revoke]]',
    'null',
  ])('with %s is refused by its shape', (value) =>
    expect(rulesOf(file(`${root}, admin: ${value}`)).join()).toMatch(/^grants\[0\]\.admin/),
  )

  it('that uses a value names whose value it is, where there are several sources', () => {
    expect(rulesOf(file('when: { user: root }, admin: [revoke]'))).toEqual([
      'grants[0].when: does not name the source of "user", and there is more than one source of callers',
    ])
  })
})

describe('who may revoke', () => {
  const text = file(`${root}, admin: [revoke]`, rest)

  it('is whom a grant says, with nothing of a lifetime in it', () => {
    expect(reasonOf(text)).toEqual({ action: 'revoke', grants: ['ops'] })
  })

  it.each([
    ['another user', jwtCaller('alice')],
    ['the same subject of another source', jwtCaller('root', {}, { kind: 'gateway', source: 'gateway' })],
    ['an API key', { kind: 'apiKey' as const, source: 'k7f3a2c1', subject: 'root', claims: toClaims({}) }],
    ['the subject in capitals', jwtCaller('ROOT')],
  ])('is not %s', (_what, caller) => expect(reasonOf(text, caller)).toBe('no_grant'))

  it('is nobody without a credential, and nobody without a grant', () => {
    expect(reasonOf(text, anonymousCaller)).toBe('unauthenticated')
    expect(reasonOf(`${oneIssuer}${vars}grants:\n${rest}`)).toBe('no_grant')
  })

  it('is nobody whom a deny rule meets, and nobody whose credential is about to end', () => {
    expect(reasonOf(`${text}deny:\n  - { id: d, when: { caller: jwt, user: root } }\n`)).toBe('denied')
    expect(reasonOf(text, jwtCaller('root', {}, { expiresAt: nowMs / 1000 + 29 }))).toBe('credential_expiring')
  })

  it('is told by admin alone: a right to tokens is none', () => expect(reasonOf(text, jwtCaller('x'))).toBe('no_grant'))
})

describe('the ask', () => {
  it.each(trapValues.map((trap) => [nameOfTrap(trap), trap] as const))('takes no %s for an action', (_name, trap) => {
    expect(isRefusal(adminEntitlement.parseAsk(trap))).toBe(true)
    expect(adminEntitlement.parseAsk({ action: trap })).toMatchObject({ reason: 'invalid_request' })
  })

  it('is one action', () => {
    expect(adminEntitlement.parseAsk({ action: 'revoke' })).toEqual({ action: 'revoke' })
    expect(adminEntitlement.parseAsk({ action: ['revoke'] })).toMatchObject({ reason: 'invalid_request' })
  })
})
