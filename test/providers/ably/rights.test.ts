import { describe, expect, it } from 'vitest'
import { isRefusal } from '../../../src/errors.ts'
import type { Caller } from '../../../src/identity/caller.ts'
import { ablyEntitlement } from '../../../src/providers/ably/rights.ts'
import { decided, faultsOf, jwtCaller, oneIssuer, policyOf } from '../../policy/policy-under-test.ts'

const varLines: Record<string, string> = {
  tenant: 'tenant: { from: claims.tenant, match: "[a-z0-9-]{1,32}" }',
  user: 'user: { from: sub, match: "[A-Za-z0-9_.-]{1,64}" }',
  room: 'room: { from: ask, match: "[A-Za-z0-9_-]{1,40}" }',
  star: 'star: { from: sub, match: "[a-z*]{1,9}" }',
  colon: 'colon: { from: sub, match: "[a-z:]{1,9}" }',
  bracket: 'bracket: { from: ask, match: "[a-z\\\\[]{1,9}" }',
}
const policyText = (...grants: string[]): string => {
  const vars = Object.keys(varLines).filter((name) => grants.some((grant) => grant.includes(`{${name}}`)))
  const head = vars.length === 0 ? '' : `vars:\n${vars.map((name) => `  ${varLines[name]}\n`).join('')}`
  return `${oneIssuer}${head}grants:\n${grants.map((grant, index) => `  - { id: g${index}, ably: ${grant} }\n`).join('')}`
}
const alice = jwtCaller('alice', { tenant: 'acme' })

const rightsOf = (grants: string | readonly string[], input: object, caller: Caller = alice) =>
  decided(ablyEntitlement, policyOf(policyText(...[grants].flat())), caller, input)
/** Rights in short: the grants, the clientId and the capability; or the reason and the field of the refusal. */
function outcome(...args: Parameters<typeof rightsOf>) {
  const rights = rightsOf(...args)
  if (isRefusal(rights)) return `${rights.reason} ${rights.message.split(':')[0]}`
  return `${rights.grants} ${rights.clientId ?? '-'} ${rights.capability}`
}
const a = '{"a":["subscribe"]}'
const beyond = (field: string) => `beyond_grant ${field}`
const mismatch = 'client_id_mismatch The caller may not use this clientId.'

describe('clientId', () => {
  const none = '{ capability: { a: [subscribe] } }'
  const own = '{ clientId: "{tenant}.{user}", capability: { a: [subscribe] } }'
  const fixed = '{ clientId: kiosk, capability: { a: [subscribe] } }'
  const guest = '{ clientId: "guest-{room}", capability: { a: [subscribe] } }'

  it.each<[string, string | string[], string | undefined, string]>([
    ['left out, where the grant has none', none, undefined, `g0 - ${a}`],
    ['sent, where the grant has none', none, 'alice', mismatch],
    ['left out, where it is the caller’s own', own, undefined, `g0 acme.alice ${a}`],
    ['the caller’s own', own, 'acme.alice', `g0 acme.alice ${a}`],
    ['another’s', own, 'acme.bob', mismatch],
    ['the caller’s own in another case', own, 'acme.Alice', mismatch],
    ['the beginning of the caller’s own', own, 'acme.', mismatch],
    ['longer than the caller’s own', own, 'acme.alice2', mismatch],
    ['that of the grant', fixed, 'kiosk', `g0 kiosk ${a}`],
    ['left to the ask, and sent', guest, 'guest-7', `g0 guest-7 ${a}`],
    ['left to the ask, without its beginning', guest, '7', mismatch],
    ['left to the ask, and nothing but its beginning', guest, 'guest-', mismatch],
    ['left to the ask, and left out', guest, undefined, beyond('clientId')],
    ['left out: that of the first grant', [own, none], undefined, `g0 acme.alice ${a}`],
    ['left out: none, where the first grant has none', [none, own], undefined, `g0 - ${a}`],
    ['left out: never one that the ask should have chosen', [guest, fixed], undefined, `g1 kiosk ${a}`],
    ['sent: that of the grant that has it', [none, own, fixed], 'kiosk', `g2 kiosk ${a}`],
  ])('%s', (_what, grants, clientId, expected) => {
    expect(outcome(grants, clientId === undefined ? {} : { clientId })).toBe(expected)
  })

  it('of two callers is never the same by another way to split it', () => {
    const text = '{ clientId: "{tenant}.{user}", capability: { a: [subscribe] } }'
    const id = (tenant: string, user: string) => {
      const rights = rightsOf(text, {}, jwtCaller(user, { tenant }))
      return isRefusal(rights) ? undefined : rights.clientId
    }
    expect(id('acme', 'eu.alice')).toBe('acme.eu.alice')
    expect(id('acme.eu', 'alice')).toBeUndefined()
  })
})

describe('capability', () => {
  const own =
    '{ capability: { "{tenant}:dm:{user}": [publish, subscribe], "{tenant}:lobby": [subscribe], "news:*": ["*"] } }'
  const rooms =
    '{ capability: { "{tenant}:{room}": [subscribe], "{tenant}:{room}:log": [history], "[meta]{tenant}:{room}": [subscribe] } }'
  const ask = (capability: object) => ({ capability })

  it('is all that the grant names, where none is asked', () => {
    expect(outcome(own, {})).toBe(
      'g0 - {"acme:dm:alice":["publish","subscribe"],"acme:lobby":["subscribe"],"news:*":["*"]}',
    )
  })

  it('is to be named, where the grant leaves its channels to the ask', () => {
    expect(outcome(rooms, {})).toBe(beyond('capability'))
  })

  it('is what the grant names without the ask, where it leaves the rest to it', () => {
    expect(outcome('{ capability: { a: [subscribe], "{room}:x": [publish] } }', {})).toBe(`g0 - ${a}`)
  })

  it.each<[string, string, object]>([
    ['a channel of the grant', own, { 'acme:lobby': ['subscribe'] }],
    ['some of its operations', own, { 'acme:dm:alice': ['publish'] }],
    ['a channel below its pattern', own, { 'news:eu:de': ['publish', 'history'] }],
    ['all operations where it gives all', own, { 'news:x': ['*'] }],
    ['a narrower pattern', own, { 'news:*:x': ['*'] }],
    ['the pattern itself', own, { 'news:*': ['*'] }],
    ['a room of the tenant', rooms, { 'acme:r1': ['subscribe'] }],
    ['its log', rooms, { 'acme:r1:log': ['history'] }],
    ['its metachannel', rooms, { '[meta]acme:r1': ['subscribe'] }],
    ['several rooms', rooms, { 'acme:r1': ['subscribe'], 'acme:r2': ['subscribe'] }],
  ])('is what is asked: %s', (_what, grant, capability) => {
    expect(outcome(grant, ask(capability))).toBe(
      `g0 - ${JSON.stringify(capability).replace('["publish","history"]', '["history","publish"]')}`,
    )
  })

  it.each<[string, string, object]>([
    ['another channel', own, { 'acme:dm:bob': ['subscribe'] }],
    ['another tenant', own, { 'umbrella:lobby': ['subscribe'] }],
    ['another operation', own, { 'acme:lobby': ['publish'] }],
    ['all operations', own, { 'acme:lobby': ['*'] }],
    ['every channel', own, { '*': ['subscribe'] }],
    ['every channel and queue', own, { '[*]*': ['subscribe'] }],
    ['the channel’s metachannel', own, { '[meta]acme:lobby': ['subscribe'] }],
    ['a pattern around its channel', own, { 'acme:*': ['subscribe'] }],
    ['a pattern in front', own, { '*:lobby': ['subscribe'] }],
    ['the name of the pattern without its end', own, { news: ['subscribe'] }],
    ['one channel of its own and one that is not', own, { 'acme:lobby': ['subscribe'], b: ['subscribe'] }],
    ['a pattern of rooms', rooms, { 'acme:*': ['subscribe'] }],
    ['a pattern of logs', rooms, { 'acme:*:log': ['history'] }],
    ['a pattern of everything below a room', rooms, { 'acme:r1:*': ['subscribe'] }],
    ['a room of another tenant', rooms, { 'acme-eu:r1': ['subscribe'] }],
    ['a room outside the pattern', rooms, { 'acme:r 1': ['subscribe'] }],
    ['a room without name', rooms, { 'acme:': ['subscribe'] }],
    ['a log of a room, for another operation', rooms, { 'acme:r1:log': ['subscribe'] }],
    ['a room with the hole’s own sign', rooms, { 'acme:{room}': ['subscribe'] }],
    ['a queue', rooms, { '[queue]acme:r1': ['subscribe'] }],
    ['both kinds at once', rooms, { '[*]acme:r1': ['subscribe'] }],
  ])('is refused: %s', (_what, grant, capability) => {
    expect(outcome(grant, ask(capability))).toBe(beyond('capability'))
  })

  it('is put together from the grants for one clientId, and from no other', () => {
    const grants = [
      '{ capability: { a: [subscribe], b: ["*"] } }',
      '{ capability: { a: [publish, publish], b: [publish] } }',
      '{ clientId: kiosk, capability: { c: [subscribe] } }',
    ]
    expect(outcome(grants, {})).toBe('g0,g1 - {"a":["publish","subscribe"],"b":["*"]}')
    expect(outcome(grants, ask({ a: ['publish', 'subscribe'] }))).toBe('g0,g1 - {"a":["publish","subscribe"]}')
    expect(outcome(grants, ask({ c: ['subscribe'] }))).toBe(beyond('capability'))
    expect(outcome(grants, { clientId: 'kiosk', capability: { c: ['subscribe'] } })).toBe(
      'g2 kiosk {"c":["subscribe"]}',
    )
    expect(outcome(grants, { clientId: 'kiosk', capability: { a: ['subscribe'] } })).toBe(beyond('capability'))
  })

  it('holds an operation once, however often the grant says it', () => {
    expect(outcome('{ capability: { a: [subscribe, subscribe] } }', {})).toBe(`g0 - ${a}`)
  })

  it('is never empty, and never everything by a missing value', () => {
    for (const tenant of ['', '*', null, undefined, [], '[*]*', '*:*', 'a:b'])
      expect(outcome(own, {}, jwtCaller('alice', { tenant }))).toContain('no_grant')
  })
})

describe('mode', () => {
  const request = '{ capability: { a: [subscribe] } }'
  const both = '{ capability: { b: [subscribe] }, modes: [request, token] }'

  it.each<[string, string[], object, string]>([
    ['is request, where the grant says none', [request], { mode: 'token' }, beyond('mode')],
    ['is what the grant says', [both], { mode: 'token' }, 'g0 - {"b":["subscribe"]}'],
    ['takes nothing from a grant of another mode', [request, both], { mode: 'token' }, 'g1 - {"b":["subscribe"]}'],
    ['takes from all grants of its own', [request, both], {}, 'g0,g1 - {"a":["subscribe"],"b":["subscribe"]}'],
  ])('%s', (_what, grants, input, expected) => {
    expect(outcome(grants, input)).toBe(expected)
  })
})

describe('a grant for Ably is refused', () => {
  it.each<[string, string, string]>([
    ['without capability', '{ clientId: a }', 'capability'],
    ['with an empty capability', '{ capability: {} }', 'capability'],
    ['with a resource without operations', '{ capability: { a: [] } }', 'capability.a'],
    ['with a resource of null', '{ capability: { a: } }', 'capability.a'],
    ['with an unknown operation', '{ capability: { a: [root] } }', 'capability.a[0]'],
    ['with * among others', '{ capability: { a: ["*", publish] } }', 'capability.a'],
    ['with every channel', '{ capability: { "*": [subscribe] } }', 'capability.*'],
    ['with every channel of two parts', '{ capability: { "*:*": [subscribe] } }', 'capability.*:*'],
    ['with every channel and queue', '{ capability: { "[*]*": [subscribe] } }', 'capability.[*]*'],
    ['with every metachannel', '{ capability: { "[meta]*": [subscribe] } }', 'capability.[meta]*'],
    ['with a * that is only a letter', '{ capability: { "foo*": [subscribe] } }', 'capability.foo*'],
    ['with a * beside a var', '{ capability: { "a:*{user}": [subscribe] } }', 'capability.a:*{user}'],
    ['with channel parameters', '{ capability: { "[?rewind=1]a": [subscribe] } }', 'capability.[?rewind=1]a'],
    ['with an empty resource', '{ capability: { "": [subscribe] } }', 'capability.'],
    ['with a resource that begins with a colon', '{ capability: { ":a": [subscribe] } }', 'capability.:a'],
    ['with a full-width colon', '{ capability: { "a：b": [subscribe] } }', 'capability.a：b'],
    ['with __proto__', '{ capability: { __proto__: [subscribe] } }', 'capability.__proto__'],
    ['with a var that can match *', '{ capability: { "a:{star}": [subscribe] } }', 'capability.a:{star}'],
    ['with a var that can match a colon', '{ capability: { "a:{colon}": [subscribe] } }', 'capability.a:{colon}'],
    ['with a var that can match a bracket', '{ capability: { "{bracket}": [subscribe] } }', 'capability.{bracket}'],
    ['with any clientId', '{ clientId: "*", capability: { a: [subscribe] } }', 'clientId'],
    ['with an empty clientId', '{ clientId: "", capability: { a: [subscribe] } }', 'clientId'],
    ['with a clientId of null', '{ clientId: , capability: { a: [subscribe] } }', 'clientId'],
    ['with a line break in its clientId', '{ clientId: "a\\nb", capability: { a: [subscribe] } }', 'clientId'],
    ['with a clientId whose var can match *', '{ clientId: "{star}", capability: { a: [subscribe] } }', 'clientId'],
    ['with no mode', '{ capability: { a: [subscribe] }, modes: [] }', 'modes'],
    ['with an unknown mode', '{ capability: { a: [subscribe] }, modes: [jwt] }', 'modes[0]'],
    ['with a key that there is not', '{ capability: { a: [subscribe] }, ttl: 60 }', 'ttl'],
  ])('%s', (_what, grant, path) => {
    const paths = faultsOf(policyText(grant)).map((fault) =>
      fault.path.replace('grants[0].ably', '').replace(/^\./, ''),
    )
    expect(paths).toContain(path)
  })

  it('but for every channel, where the operator says that he knows', () => {
    const text = policyText('{ capability: { "[*]*": ["*"] } }').replace('ably:', 'iKnow: full-access, ably:')
    const rights = decided(ablyEntitlement, policyOf(text), alice, {})
    expect(isRefusal(rights) ? rights.reason : rights.capability).toBe('{"[*]*":["*"]}')
  })
})
