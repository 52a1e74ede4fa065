// A token at connect: which checks stand in its way, in which order, and what it gives when it is through.

import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { isRefusal, type Refusal, refusal } from '../../../src/errors.ts'
import { type AuthorizeDeps, authorize } from '../../../src/providers/nats/callout/authorize.ts'
import { canarySource, createCanaryToken } from '../../../src/providers/nats/canary.ts'
import { openTokens } from '../../../src/providers/nats/mint-token.ts'
import { fromPayload, openTokenKeys, type TokenContent, toPayload } from '../../../src/providers/nats/token.ts'
import { parseTokenId } from '../../../src/revocations/token-id.ts'
import { anonymousCaller, nowMs } from '../../policy/policy-under-test.ts'
import { trapTexts } from '../../trap-values.ts'
import { alice, grantedFor, modes, policyFor, policyText } from './user-grants.ts'

const keys = openTokenKeys(`k1:${randomBytes(32).toString('base64url')}`)
const text = policyText('{ account: APP, publish: ["u.{user}.>", "r.{room}"], connectionTypes: [nats, mqtt] }')
const policy = policyFor('callout', text)

async function tokenOf(input: object = {}, caller = alice, under = policy): Promise<string> {
  const { rights, grounds } = grantedFor('callout', under, input, caller)
  const minted = await openTokens({ entitlement: modes.callout, keys, now: () => nowMs }).mint(rights, grounds)
  if (isRefusal(minted)) throw new Error(minted.reason)
  return minted.credential.token
}
const token = await tokenOf()
const content = fromPayload(keys.open(token)) as TokenContent
const sealed = (change: Partial<TokenContent>) => keys.seal(toPayload({ ...content, ...change }))

const nobody: AuthorizeDeps['refuseRevoked'] = () => undefined
const deps: AuthorizeDeps = {
  keys,
  entitlement: modes.callout,
  policy: () => policy,
  accounts: ['APP', 'OTHER'],
  refuseRevoked: nobody,
  now: () => nowMs,
}
type Request = Parameters<typeof authorize>[0]
const connect = (request: Partial<Request> = {}, over: Partial<AuthorizeDeps> = {}) =>
  authorize({ token, connectionType: 'nats', ...request }, { ...deps, ...over })
/** The reason and the detail of a refusal. */
const refusalOf = (...args: Parameters<typeof connect>) => {
  const result = connect(...args)
  if (!isRefusal(result)) throw new Error('let in')
  return `${result.reason}: ${result.detail}`
}
const later = (seconds: number) => ({ now: () => nowMs + seconds * 1000 })

describe('a good token', () => {
  it('lets its holder in as what the policy says, until its end', () => {
    expect(connect()).toEqual({
      rights: expect.objectContaining({ account: 'APP', publish: ['u.alice.>'], subscribe: [], ttlSeconds: 600 }),
      owner: { kind: 'jwt', source: 'main', subject: 'alice' },
      serial: content.serial,
      expiresAt: nowMs / 1000 + 600,
      grantIds: ['g0'],
      content,
    })
  })

  it('does so again and again: a server that reloads sends everybody back', () => {
    for (let round = 0; round < 3; round++) expect(isRefusal(connect())).toBe(false)
  })

  it('ends at the same moment, whenever he connects', () => {
    expect(connect({}, later(599))).toMatchObject({ expiresAt: nowMs / 1000 + 600 })
  })

  it('gives what was asked for, and nothing else of the grant', async () => {
    const narrow = await tokenOf({ publish: ['r.one'] })
    expect(connect({ token: narrow })).toMatchObject({ rights: { publish: ['r.one'] } })
  })
})

describe('a connect is refused', () => {
  it.each<[string, Partial<Request>, string]>([
    ['without a token', { token: undefined }, 'unauthenticated: no token'],
    [
      'with a token of another service',
      { token: openTokenKeys(`k1:${randomBytes(32).toString('base64url')}`).seal({}) },
      'unauthenticated: not a token of this service',
    ],
    ['with an altered token', { token: `${token.slice(0, -3)}AAA` }, 'unauthenticated: not a token of this service'],
    [
      'with a payload of ours that is no user’s',
      { token: keys.seal({ x: 1 }) },
      'unauthenticated: not a token of a user',
    ],
    ['over a connection of another kind', { connectionType: 'websocket' }, 'beyond_grant: connection type websocket'],
    ['over a leafnode', { connectionType: 'leafnode' }, 'beyond_grant: connection type leafnode'],
    ['over something unknown', { connectionType: undefined }, 'beyond_grant: connection type unknown'],
  ])('%s', (_what, request, expected) => expect(refusalOf(request)).toBe(expected))

  it.each(trapTexts)('with %j for a token, and nothing is thrown', (trap) => {
    expect(refusalOf({ token: trap })).toMatch(/^unauthenticated/)
  })

  it('from the second of its end on', () => {
    expect(refusalOf({}, later(600))).toBe('unauthenticated: expired')
    expect(refusalOf({}, later(1e9))).toBe('unauthenticated: expired')
  })

  it('by a lifetime that was shortened since', () => {
    const shorter = () => policyFor('callout', text.replace(/ \}\n$/, ', ttl: { max: 2m } }\n'))
    expect(connect({}, { policy: shorter, ...later(119) })).toMatchObject({ expiresAt: nowMs / 1000 + 120 })
    expect(refusalOf({}, { policy: shorter, ...later(120) })).toBe(
      'unauthenticated: expired, by a lifetime that has been shortened',
    )
  })

  it('into an account that is not one of NATS_ACCOUNTS, whatever the policy says', () => {
    expect(refusalOf({}, { accounts: ['OTHER'] })).toBe('no_grant: the account is not one of NATS_ACCOUNTS')
    expect(refusalOf({}, { accounts: [] })).toBe('no_grant: the account is not one of NATS_ACCOUNTS')
    const system = policyFor('none', text.replace('account: APP', 'account: SYS'))
    expect(refusalOf({}, { policy: () => system })).toBe('no_grant: the account is not one of NATS_ACCOUNTS')
  })

  it('under a policy that gives a shared token, or a role', () => {
    const shared = () =>
      policyFor(
        'none',
        'callers: { gateway: { header: x, trustedProxies: [10.0.0.0/8] } }\ngrants: [{ id: g0, nats: { shared: true } }]',
      )
    expect(refusalOf({}, { policy: shared })).toMatch(/^no_grant/)
    const role = () => policyFor('none', policyText('{ account: APP, role: m, name: "{user}" }'))
    expect(refusalOf({}, { policy: role })).toMatch(/^no_grant/)
  })

  it('under a policy without its grant', () => {
    expect(refusalOf({}, { policy: () => policyFor('callout', text.replace('g0', 'g1')) })).toMatch(/^no_grant/)
  })
})

describe('the revocation list', () => {
  const asked: unknown[] = []
  const denied: Refusal = refusal('denied', undefined, 'revoked')
  const refuseRevoked: AuthorizeDeps['refuseRevoked'] = (who) => {
    asked.push(who)
    return denied
  }

  it('is asked about the holder and about this token', () => {
    expect(refusalOf({}, { refuseRevoked })).toBe('denied: revoked')
    const [who] = asked as { source: string; subject: string; tokenId: string }[]
    expect(who).toMatchObject({ source: 'main', subject: 'alice' })
    expect(parseTokenId(who?.tokenId)).toEqual({ owner: { source: 'main', subject: 'alice' }, serial: content.serial })
  })

  it('is asked about a holder without subject by his token alone', async () => {
    const open = policyFor(
      'callout',
      `${policyText('{ account: APP, publish: [lobby] }').replace('{ id: g0,', '{ id: g0, when: { caller: anonymous },')}`,
    )
    asked.length = 0
    const anonymous = await tokenOf({}, anonymousCaller, open)
    expect(refusalOf({ token: anonymous }, { refuseRevoked, policy: () => open })).toBe('denied: revoked')
    expect(asked).toEqual([
      { kind: 'anonymous', source: 'anonymous', tokenId: expect.stringMatching(/^[\w-]+\.[\w-]{16}$/) },
    ])
  })

  it('that cannot tell keeps everybody out, and says so', () => {
    expect(refusalOf({}, { refuseRevoked: () => refusal('revocations_unavailable') })).toMatch(
      /^revocations_unavailable/,
    )
  })
})

it('the first thing that is wrong is what is said: token, end, revocation, policy, connection, account', () => {
  const broken: Partial<AuthorizeDeps> = {
    ...later(600),
    refuseRevoked: () => refusal('denied', undefined, 'revoked'),
    policy: () => policyFor('callout', text.replace('g0', 'g1')),
    accounts: [],
  }
  const wrong = { connectionType: undefined } as const
  expect(refusalOf({ ...wrong, token: 'x' }, broken)).toMatch(/not a token/)
  expect(refusalOf(wrong, broken)).toMatch(/expired/)
  expect(refusalOf(wrong, { ...broken, ...later(0) })).toMatch(/revoked/)
  expect(refusalOf(wrong, { ...broken, ...later(0), refuseRevoked: nobody })).toMatch(/a grant of the token|no_grant/)
  expect(refusalOf(wrong, { accounts: [] })).toMatch(/connection type/)
  expect(refusalOf({}, { accounts: [] })).toMatch(/NATS_ACCOUNTS/)
})

it('a refusal carries whose token it was, for the audit, but only once it is known to be ours', () => {
  expect(connect({ connectionType: undefined })).toMatchObject({ content: { basis: { caller: { subject: 'alice' } } } })
  expect(connect({ token: `${token}x` })).not.toHaveProperty('content')
})

describe('the payload of a token of ours is not believed further than policy goes', () => {
  it.each<[string, Partial<TokenContent>]>([
    ['grants that nobody has', { basis: { ...content.basis, grantIds: ['g0', 'root'] } }],
    ['no grants', { basis: { ...content.basis, grantIds: [] } }],
    ['a value outside its pattern', { basis: { ...content.basis, values: { user: '*' } } }],
    ['a value of another type', { basis: { ...content.basis, values: { user: ['alice'] } } }],
    ['a caller of another kind', { basis: { ...content.basis, caller: { kind: 'anonymous', source: 'anonymous' } } }],
    ['subjects beyond the grant', { asked: { publish: ['>'] } }],
    ['another account', { asked: { account: 'OTHER' } }],
  ])('%s', (_what, change) => expect(isRefusal(connect({ token: sealed(change) }))).toBe(true))

  it('a lifetime beyond the grant is cut to it', () => {
    expect(connect({ token: sealed({ lifetime: 1e6 }) })).toMatchObject({ expiresAt: nowMs / 1000 + 3600 })
  })
})

describe('a canary', () => {
  const canary = createCanaryToken({ keys, nowMs, serial: 'CCCCCCCCCCCCCCCC' })

  it('gets in for half a minute, with nothing that it could do', () => {
    expect(connect({ token: canary, connectionType: 'nats' })).toMatchObject({
      owner: { source: canarySource },
      serial: 'CCCCCCCCCCCCCCCC',
      expiresAt: nowMs / 1000 + 30,
      content: undefined,
      rights: { account: 'APP', publish: [], subscribe: [], inbox: false },
    })
    expect(refusalOf({ token: canary }, later(30))).toBe('unauthenticated: an old canary')
  })

  it('is no user: nobody’s revocation list, policy or name has to do with it', () => {
    expect(isRefusal(connect({ token: canary }, { refuseRevoked: () => refusal('denied') }))).toBe(false)
    // An API key has no `-` in its id, and a user of an issuer has a subject.
    expect(canarySource).toContain('-')
  })
})
