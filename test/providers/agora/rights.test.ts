import { describe, expect, it } from 'vitest'
import { isRefusal } from '../../../src/errors.ts'
import type { Caller } from '../../../src/identity/caller.ts'
import { agoraEntitlement } from '../../../src/providers/agora/rights.ts'
import { decided, faultsOf, jwtCaller, oneIssuer, policyOf } from '../../policy/policy-under-test.ts'

const varLines: Record<string, string> = {
  tenant: 'tenant: { from: claims.tenant, match: "[a-z0-9-]{1,32}" }',
  user: 'user: { from: sub, match: "[A-Za-z0-9_-]{1,64}" }',
  uid: 'uid: { from: claims.uid, type: uint32 }',
  seat: 'seat: { from: ask, type: uint32, max: 100 }',
  room: 'room: { from: ask, match: "[A-Za-z0-9_-]{1,40}" }',
  guest: 'guest: { from: ask, match: "[a-z0-9]{1,8}" }',
  roles: 'roles: { from: claims.roles, type: set }',
}
/** A policy of these grants, with the vars that they use. */
const policyText = (...grants: string[]): string => {
  const vars = Object.keys(varLines).filter((name) => grants.some((grant) => grant.includes(`{${name}}`)))
  const head = vars.length === 0 ? '' : `vars:\n${vars.map((name) => `  ${varLines[name]}\n`).join('')}`
  return `${oneIssuer}${head}grants:\n${grants.map((grant, index) => `  - { id: g${index}, agora: ${grant} }\n`).join('')}`
}
const alice = jwtCaller('alice', { tenant: 'acme', uid: 7 })

/** Rights in short: user, role and the grant; or the reason and the field of the refusal. */
function outcome(grants: string | readonly string[], input: object, caller: Caller = alice) {
  const rights = decided(agoraEntitlement, policyOf(policyText(...[grants].flat())), caller, input)
  if (isRefusal(rights)) return `${rights.reason} ${rights.message.split(':')[0]}`
  const { uid, account, role, channel, grants: ids } = rights
  expect((uid === undefined) !== (account === undefined)).toBe(true)
  return `${ids} ${channel} ${uid ?? account} ${role}`
}
const beyond = (field: string) => `beyond_grant ${field}`
const ask = { channelName: 'room', role: 1 }

describe('uid', () => {
  const fixed = '{ channel: room, uid: 7, role: publisher }'
  const own = '{ channel: room, uid: "{uid}", role: publisher }'
  const seat = '{ channel: room, uid: "{seat}", role: publisher }'
  const any = '{ channel: room, uid: any, role: publisher }'

  it.each<[string, string, number | undefined, string]>([
    ['left out of a fixed one', fixed, undefined, 'g0 room 7 publisher'],
    ['equal to a fixed one', fixed, 7, 'g0 room 7 publisher'],
    ['another than a fixed one', fixed, 8, beyond('uid')],
    ['0 for a fixed one', fixed, 0, beyond('uid')],
    ['left out of the caller’s own', own, undefined, 'g0 room 7 publisher'],
    ['equal to the caller’s own', own, 7, 'g0 room 7 publisher'],
    ['another than the caller’s own', own, 70, beyond('uid')],
    ['0 for the caller’s own', own, 0, beyond('uid')],
    ['left to the ask, and sent', seat, 100, 'g0 room 100 publisher'],
    ['left to the ask, and out of its bounds', seat, 101, beyond('uid')],
    ['left to the ask, and 0', seat, 0, beyond('uid')],
    ['left to the ask, and -0', seat, -0, beyond('uid')],
    ['left to the ask, and left out', seat, undefined, beyond('uid')],
    ['any, and left out', any, undefined, 'g0 room 0 publisher'],
    ['any, and 0', any, 0, 'g0 room 0 publisher'],
    ['any, and one', any, 4294967295, 'g0 room 4294967295 publisher'],
  ])('%s', (_what, grant, uid, expected) => {
    expect(outcome(grant, uid === undefined ? ask : { ...ask, uid })).toBe(expected)
  })

  it.each([0, -1, 2 ** 32, 1.5, '7', null, undefined, [7], true])('of a claim that is %j is none', (uid) => {
    const caller = jwtCaller('alice', { uid })
    for (const asked of [{}, { uid: 0 }, { uid: 7 }])
      expect(outcome(own, { ...ask, ...asked }, caller)).toContain('no_grant')
  })

  it('is never an account', () => {
    for (const grant of [fixed, own, seat, any])
      expect(outcome(grant, { ...ask, account: 'alice' })).toBe(beyond('account'))
    expect(outcome(any, { ...ask, account: '7' })).toBe('invalid_request account')
  })
})

describe('account', () => {
  const fixed = '{ channel: room, account: bob, role: publisher }'
  const own = '{ channel: room, account: "{user}", role: publisher }'
  const guest = '{ channel: room, account: "g{guest}", role: publisher }'
  const bare = '{ channel: room, account: "{guest}", role: publisher }'

  it.each<[string, string, string | undefined, string]>([
    ['left out of a fixed one', fixed, undefined, 'g0 room bob publisher'],
    ['equal to a fixed one', fixed, 'bob', 'g0 room bob publisher'],
    ['another case of a fixed one', fixed, 'Bob', beyond('account')],
    ['left out of the caller’s own', own, undefined, 'g0 room alice publisher'],
    ['equal to the caller’s own', own, 'alice', 'g0 room alice publisher'],
    ['longer than the caller’s own', own, 'alice2', beyond('account')],
    ['left to the ask, and sent', guest, 'g7', 'g0 room g7 publisher'],
    ['left to the ask, and without its beginning', guest, 'x7', beyond('account')],
    ['left to the ask, and nothing but its beginning', guest, 'g', beyond('account')],
    ['left to the ask, and left out', guest, undefined, beyond('account')],
    ['left to the ask, and digits only', bare, '7', 'invalid_request account'],
    ['left to the ask, and 0', bare, '0', 'invalid_request account'],
  ])('%s', (_what, grant, account, expected) => {
    expect(outcome(grant, account === undefined ? ask : { ...ask, account })).toBe(expected)
  })

  it('of a caller whose name is digits only is none, because it would be a uid', () => {
    for (const name of ['7', '0', '4294967295']) expect(outcome(own, ask, jwtCaller(name))).toBe(beyond('account'))
  })

  it('is never a uid', () => {
    for (const grant of [fixed, own, guest, bare])
      for (const uid of [0, 7]) expect(outcome(grant, { ...ask, uid })).toBe(beyond('uid'))
  })
})

describe('role', () => {
  const publisher = '{ channel: room, uid: 7, role: publisher }'
  const subscriber = '{ channel: room, uid: 7, role: subscriber }'

  it.each<[string, string[], number, string]>([
    ['of a publisher covers publisher', [publisher], 1, 'g0 room 7 publisher'],
    ['of a publisher covers subscriber', [publisher], 2, 'g0 room 7 subscriber'],
    ['of a subscriber covers subscriber', [subscriber], 2, 'g0 room 7 subscriber'],
    ['of a subscriber does not cover publisher', [subscriber], 1, beyond('role')],
    ['is that of the first grant that covers it', [subscriber, publisher], 1, 'g1 room 7 publisher'],
    ['is that of the first grant in file order', [publisher, subscriber], 2, 'g0 room 7 subscriber'],
  ])('%s', (_what, grants, role, expected) => {
    expect(outcome(grants, { ...ask, role })).toBe(expected)
  })
})

describe('channel', () => {
  const grant = '{ channel: "{tenant}:{room}", uid: 7, role: publisher }'

  it('is the caller’s own tenant’s, and any room in it', () => {
    expect(outcome(grant, { ...ask, channelName: 'acme:one' })).toBe('g0 acme:one 7 publisher')
    for (const channelName of [
      'acme',
      'acme:',
      'umbrella:one',
      'acme-eu:one',
      'acme:one:two',
      'acme:a b',
      'acme;one',
      'one',
    ])
      expect(outcome(grant, { ...ask, channelName })).toBe(beyond('channelName'))
  })

  it('longer than Agora takes is none, however it is put together', () => {
    const caller = jwtCaller('alice', { tenant: 'a'.repeat(32) })
    expect(outcome(grant, { ...ask, channelName: `${'a'.repeat(32)}:${'r'.repeat(31)}` }, caller)).toContain('g0 ')
    expect(outcome(grant, { ...ask, channelName: `${'a'.repeat(32)}:${'r'.repeat(32)}` }, caller)).toBe(
      'invalid_request channelName',
    )
  })
})

describe('several grants', () => {
  const grants = [
    '{ channel: a, uid: 1, role: publisher }',
    '{ channel: b, uid: 2, role: publisher }',
    '{ channel: a, account: bob, role: subscriber }',
  ]

  it.each<[string, object, string]>([
    ['the first that covers the whole ask', { channelName: 'b', role: 1 }, 'g1 b 2 publisher'],
    ['never one for the channel and another for the uid', { channelName: 'a', uid: 2, role: 1 }, beyond('uid')],
    [
      'never one for the channel and another for the role',
      { channelName: 'a', account: 'bob', role: 1 },
      beyond('role'),
    ],
    ['the later one for the account', { channelName: 'a', account: 'bob', role: 2 }, 'g2 a bob subscriber'],
    ['none for a channel of nobody', { channelName: 'c', role: 1 }, beyond('channelName')],
  ])('stand behind a token one by one: %s', (_what, input, expected) => {
    expect(outcome(grants, input)).toBe(expected)
  })
})

describe('privileges', () => {
  const rightsOf = (input: object) => {
    const rights = decided(
      agoraEntitlement,
      policyOf(policyText('{ channel: room, uid: 7, role: publisher }')),
      alice,
      {
        ...ask,
        ...input,
      },
    )
    if (isRefusal(rights)) throw new Error(rights.message)
    return rights
  }

  it.each<[string, object, Record<number, number>]>([
    ['a publisher’s, for the token’s life', {}, { 1: 600, 2: 600, 3: 600, 4: 600 }],
    ['a subscriber’s, for the token’s life', { role: 2 }, { 1: 600 }],
    ['those that are asked, besides joining', { privileges: { publishData: 60 } }, { 1: 600, 4: 60 }],
    ['none of them, where none is asked', { privileges: {} }, { 1: 600 }],
    ['joining for a shorter time', { privileges: { joinChannel: 60 } }, { 1: 60 }],
    [
      'none longer than the token',
      { expire: 100, privileges: { publishAudio: 86_400, joinChannel: 101 } },
      { 1: 100, 2: 100 },
    ],
    ['a subscriber’s for a shorter time', { role: 2, privileges: { joinChannel: 1 } }, { 1: 1 }],
  ])('are %s', (_what, input, privileges) => {
    expect(rightsOf(input).privileges).toEqual(privileges)
  })
})

describe('a grant for Agora is refused', () => {
  it.each<[string, string, string]>([
    ['for any channel', '{ channel: "*", uid: 7, role: publisher }', 'agora.channel'],
    ['for a pattern of channels', '{ channel: "a*b", uid: 7, role: publisher }', 'agora.channel'],
    ['for an empty channel', '{ channel: "", uid: 7, role: publisher }', 'agora.channel'],
    ['for a channel that is too long', `{ channel: ${'a'.repeat(65)}, uid: 7, role: publisher }`, 'agora.channel'],
    ['for a channel outside the set', '{ channel: "a/b", uid: 7, role: publisher }', 'agora.channel'],
    ['for a channel with a full-width star', '{ channel: "＊", uid: 7, role: publisher }', 'agora.channel'],
    ['for a channel that ends a line', '{ channel: "a\\n", uid: 7, role: publisher }', 'agora.channel'],
    ['without channel', '{ uid: 7, role: publisher }', 'agora.channel'],
    ['without role', '{ channel: a, uid: 7 }', 'agora.role'],
    ['for another role', '{ channel: a, uid: 7, role: admin }', 'agora.role'],
    ['without user', '{ channel: a, role: publisher }', 'agora'],
    ['for two kinds of user', '{ channel: a, uid: 7, account: bob, role: publisher }', 'agora'],
    ['for uid 0', '{ channel: a, uid: 0, role: publisher }', 'agora.uid'],
    ['for uid "0"', '{ channel: a, uid: "0", role: publisher }', 'agora.uid'],
    ['for uid *', '{ channel: a, uid: "*", role: publisher }', 'agora.uid'],
    ['for a uid as text', '{ channel: a, uid: "7", role: publisher }', 'agora.uid'],
    ['for a uid above 32 bits', '{ channel: a, uid: 4294967296, role: publisher }', 'agora.uid'],
    ['for a negative uid', '{ channel: a, uid: -1, role: publisher }', 'agora.uid'],
    ['for a uid of null', '{ channel: a, uid: , role: publisher }', 'agora.uid'],
    ['for a uid that is a text', '{ channel: a, uid: "{user}", role: publisher }', 'agora.uid'],
    ['for a uid that is a set', '{ channel: a, uid: "{roles}", role: publisher }', 'agora.uid'],
    ['for a uid with something around it', '{ channel: a, uid: "1{uid}", role: publisher }', 'agora.uid'],
    ['for an account of digits', '{ channel: a, account: "7", role: publisher }', 'agora.account'],
    ['for any account', '{ channel: a, account: "*", role: publisher }', 'agora.account'],
    ['for an empty account', '{ channel: a, account: "", role: publisher }', 'agora.account'],
    ['for an account that is a number', '{ channel: a, account: 7, role: publisher }', 'agora.account'],
    ['for a key that there is not', '{ channel: a, uid: 7, role: publisher, ttl: 60 }', 'agora.ttl'],
  ])('%s', (_what, grant, path) => {
    expect(faultsOf(policyText(grant)).map((fault) => fault.path)).toContain(`grants[0].${path}`)
  })

  it('for a channel whose var can match what Agora reads as "any"', () => {
    const text = `${oneIssuer}vars:\n  it: { from: sub, match: "[a-z*]{1,9}" }\n`
    const grants =
      'grants:\n  - { id: a, agora: { channel: "c:{it}", uid: 7, role: publisher } }\n  - { id: b, agora: { channel: c, account: "{it}", role: publisher } }\n'
    expect(faultsOf(text + grants).map(({ path, rule }) => [path, rule])).toEqual([
      ['grants[0].agora.channel', 'uses {it}, which can match "*"'],
      ['grants[1].agora.account', 'uses {it}, which can match "*"'],
    ])
  })
})
