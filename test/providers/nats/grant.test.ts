// The linter of NATS grants: every fault and every warning, each with its mend. What it lets pass has to mean what it says.

import { describe, expect, it } from 'vitest'
import { findingsOf, type ModeUnderTest } from './user-grants.ts'

const user = (rest: string) => `{ account: APP, ${rest} }`
const subscribe = (subject: string) => user(`subscribe: ["${subject}"]`)
const publish = (subject: string) => user(`publish: ["${subject}"]`)

/** Of a mode that has no rule of its own. */
const findings = (grant: string, mode: ModeUnderTest = 'none') => findingsOf(mode, grant)
const inShort = (grant: string, mode?: ModeUnderTest) =>
  findings(grant, mode).map(
    ({ severity, path, rule }) => `${severity} ${path.replace(/^grants\[0\]\.nats\.?/, '')}: ${rule}`,
  )

const starred = 'ends in "*", which nats-server takes for ">" when somebody subscribes'
const inbox = "is where other users' replies arrive"
const server = 'is a subject of the server itself'
const everywhere = "reaches every subject, other users' inboxes too"
const jetStream = 'is all of JetStream, streams of others and their deletion too'
const answering = "lets him answer other users' requests"
const empty = 'is empty, which NATS reads as everything'

describe('a grant is refused', () => {
  it.each<[string, string, string]>([
    ['with a subscription that ends in a star', subscribe('foo.*'), `subscribe.foo.*: ${starred}`],
    ['with a star alone', subscribe('*'), `subscribe.*: ${starred}`],
    ['with two stars', subscribe('foo.*.*'), `subscribe.foo.*.*: ${starred}`],
    ['with a star after a value', subscribe('{tenant}.*'), `subscribe.{tenant}.*: ${starred}`],
    ['with a star after a part of the ask', subscribe('r.{room}.*'), `subscribe.r.{room}.*: ${starred}`],
    ['with a star before its queue', subscribe('foo.* workers'), `subscribe.foo.* workers: ${starred}`],
    ['with $SYS', subscribe('$SYS.>'), `subscribe.$SYS.>: ${server}`],
    ['with the callout’s own subject', subscribe('$SYS.REQ.USER.AUTH'), `subscribe.$SYS.REQ.USER.AUTH: ${server}`],
    ['with $SYS alone', publish('$SYS'), `publish.$SYS: ${server}`],
    ['with a kick', publish('$SYS.REQ.SERVER.*.KICK'), `publish.$SYS.REQ.SERVER.*.KICK: ${server}`],
    ['with more than USER.INFO', publish('$SYS.REQ.USER.INFO.>'), `publish.$SYS.REQ.USER.INFO.>: ${server}`],
    ['with a subscription to USER.INFO', subscribe('$SYS.REQ.USER.INFO'), `subscribe.$SYS.REQ.USER.INFO: ${server}`],
    ['with every inbox', subscribe('_INBOX.>'), `subscribe._INBOX.>: ${inbox}`],
    [
      'with the inbox of somebody',
      subscribe('_INBOX_2bd806c97f0e00af1a1fc3328fa763.>'),
      `subscribe._INBOX_2bd806c97f0e00af1a1fc3328fa763.>: ${inbox}`,
    ],
    ['with an inbox by a value', subscribe('_INBOX_{user}.>'), `subscribe._INBOX_{user}.>: ${inbox}`],
    ['with an empty list to publish', user('publish: [], subscribe: ["a"]'), `publish: ${empty}`],
    ['with an empty list to subscribe', user('publish: ["a"], subscribe: []'), `subscribe: ${empty}`],
    ['with an empty list to deny', user('publish: ["a"], deny: []'), `deny: ${empty}`],
    ['without a subject', user('inbox: true'), ': gives no subject'],
    ['with nothing but denies', user('deny: ["a"]'), ': gives no subject'],
    [
      'with a queue to publish',
      publish('jobs workers'),
      'publish.jobs workers: names a queue, which only a subscription has',
    ],
    ['with a queue to deny', user('subscribe: ["jobs"], deny: ["jobs workers"]'), 'deny.jobs workers: names a queue'],
    [
      'with a deny that the ask chooses',
      user('subscribe: ["r.>"], deny: ["r.{room}"]'),
      'deny.r.{room}: leaves a part of what is denied to the ask',
    ],
    [
      'without an account',
      '{ publish: ["a"] }',
      'account: is not the name of an account: letters, digits, - and _, 64 at most',
    ],
    [
      'with the system account’s own name',
      '{ account: $SYS, publish: ["a"] }',
      'account: is not the name of an account: letters, digits, - and _, 64 at most',
    ],
    [
      'with an account of the caller',
      '{ account: "{tenant}", publish: ["a"] }',
      'account: is not the name of an account: letters, digits, - and _, 64 at most',
    ],
    [
      'with shared beside others',
      '{ shared: true, account: APP }',
      'account: stands beside shared: true, but a shared token is the whole server',
    ],
    [
      'with shared beside subjects',
      '{ shared: true, publish: ["a"] }',
      'publish: stands beside shared: true, but a shared token is the whole server',
    ],
    ['with name without role', user('publish: ["a"], name: "{user}"'), 'name: is for a role'],
    ['with tags without role', user('publish: ["a"], tags: { t: x }'), 'tags: is for a role'],
    [
      'with a role beside subjects',
      user('role: m, name: "{user}", publish: ["a"]'),
      'publish: stands beside role, whose signing key says what the user may',
    ],
    [
      'with a role beside denies',
      user('role: m, name: "{user}", deny: ["a"]'),
      'deny: stands beside role, whose signing key says what the user may',
    ],
    [
      'with a role beside an inbox',
      user('role: m, name: "{user}", inbox: true'),
      'inbox: stands beside role, whose signing key says what the user may',
    ],
    [
      'with a role beside responses',
      user('role: m, name: "{user}", responses: {}'),
      'responses: stands beside role, whose signing key says what the user may',
    ],
    [
      'with a role beside connection types',
      user('role: m, name: "{user}", connectionTypes: [nats]'),
      'connectionTypes: stands beside role, whose signing key says what the user may',
    ],
    [
      'for leafnodes with a queue, by which they get nothing',
      user('subscribe: ["jobs.> workers"], connectionTypes: [leafnode]'),
      'subscribe: names a queue in a grant for leafnodes, which get nothing by it',
    ],
    ['with a role without a name', user('role: m'), 'name: is missing'],
    [
      'with a role whose name has a dot',
      user('role: m, name: "a.{user}"'),
      'name: "a.x" is not letters, digits, - and _',
    ],
    ['with a role whose name is a star', user('role: m, name: "*"'), 'name: "*" is not letters, digits, - and _'],
    ['with a role whose name the ask chooses', user('role: m, name: "{room}"'), 'name: is left to the ask'],
    [
      'with a tag that the ask chooses',
      user('role: m, name: "{user}", tags: { team: "{room}" }'),
      'tags.team: is left to the ask',
    ],
    [
      'with a tag that can be a wildcard',
      user('role: m, name: "{user}", tags: { team: "{starred}" }'),
      'tags.team: uses {starred}, which can match "*"',
    ],
    [
      'with a tag in capitals',
      user('role: m, name: "{user}", tags: { Team: x }'),
      'tags.Team: is not lower-case letters, digits, - and _',
    ],
  ])('%s', (_what, grant, expected) => expect(inShort(grant)).toContain(`fault ${expected}`))

  it.each<[string, string, string]>([
    ['a separator', '{dotted}', '"."'],
    ['the wildcard of one token', '{starred}', '"*"'],
    ['the wildcard of all', '{open}', '">"'],
    ['a space, behind which a queue stands', '{spaced}', '" "'],
  ])('where a var could be %s, in any place', (_what, variable, char) => {
    for (const [side, subject] of [
      ['publish', `a.${variable}`],
      ['subscribe', `a.${variable}.b`],
      ['subscribe', `a.b ${variable}`],
      ['publish', variable],
    ] as const)
      expect(inShort(user(`${side}: ["${subject}"]`)).join()).toContain(`uses ${variable}, which can match ${char}`)
    if (!/open|spaced/.test(variable))
      expect(inShort(user(`subscribe: ["a.>"], deny: ["a.${variable}"]`)).join()).toContain(`can match ${char}`)
  })

  it.each([
    'a..b',
    '.a',
    'a.',
    'a.>.b',
    '>.a',
    'a b c',
    'a ',
    ' a',
    'a.b  q',
    'a\\tb',
    'a\\u0085b',
    'a\\u2028b',
    'a q..r',
    'é.a',
    'a.＊',
    'a\\u200b.b',
    'a.{tenant}{user}',
    '{tenant}a',
    'r.{room}.{seat}',
    '{',
    '{nobody}',
    '{roles}',
  ])('with %j for a subject', (subject) => {
    expect(inShort(publish(subject)).join()).toMatch(/^fault /)
    expect(inShort(subscribe(subject)).join()).toMatch(/^fault /)
  })

  it.each<[string, string]>([
    ['no text', 'publish: [7]'],
    ['a text for a list', 'publish: a'],
    ['an empty subject', 'publish: [""]'],
    ['256 characters', `publish: ["${'a'.repeat(256)}"]`],
    ['201 subjects', `publish: [${Array.from({ length: 201 }, (_, index) => `s${index}`).join()}]`],
    ['an unknown key', 'publish: ["a"], allow: ["b"]'],
    ['an unknown connection type', 'publish: ["a"], connectionTypes: [tcp]'],
    ['no connection type', 'publish: ["a"], connectionTypes: []'],
    ['no reply', 'publish: ["a"], responses: { max: 0 }'],
    ['replies without bound', 'publish: ["a"], responses: { max: -1 }'],
    ['1001 replies', 'publish: ["a"], responses: { max: 1001 }'],
    ['a time without unit', 'publish: ["a"], responses: { ttl: 5 }'],
    ['a time of 0', 'publish: ["a"], responses: { ttl: 0s }'],
    ['a time in hours', 'publish: ["a"], responses: { ttl: 1h }'],
    ['shared: false', 'publish: ["a"], shared: false'],
    ['a role in capitals', 'role: Member, name: "{user}"'],
    ['inbox as text', 'publish: ["a"], inbox: "false"'],
    ['creds as text', 'publish: ["a"], creds: "true"'],
  ])('with %s, by its shape', (_what, rest) => expect(inShort(user(rest)).join()).toMatch(/^fault /))
})

describe('a grant is warned of', () => {
  it.each<[string, string, string[]]>([
    ['everything to publish', publish('>'), [`publish.>: ${everywhere}`]],
    ['everything to subscribe', subscribe('>'), [`subscribe.>: ${everywhere}`]],
    ['everything for a queue', subscribe('> audit'), [`subscribe.> audit: ${everywhere}`]],
    ['a star first', subscribe('*.status'), [`subscribe.*.status: ${everywhere}`]],
    ['a star alone to publish', publish('*'), [`publish.*: ${everywhere}`]],
    ['all of JetStream’s API', publish('$JS.API.>'), [`publish.$JS.API.>: ${jetStream}`]],
    ['all of $JS', publish('$JS.>'), [`publish.$JS.>: ${jetStream}`]],
    ['answers into inboxes', publish('_INBOX.>'), [`publish._INBOX.>: ${answering}`]],
    ['answers into inboxes of one kind', publish('_INBOX_x.>'), [`publish._INBOX_x.>: ${answering}`]],
    [
      'a deny that meets nothing',
      user('publish: ["a.b"], deny: ["a.c"]'),
      ['deny.a.c: denies nothing that this grant gives'],
    ],
  ])('%s, and it comes into force', (_what, grant, expected) =>
    expect(inShort(grant)).toEqual(expected.map((text) => `warning ${text}`)),
  )

  it('that gives nothing in the mode of the service', () => {
    const grants = { shared: '{ shared: true }', own: publish('a'), role: user('role: member, name: "{user}"') }
    const isWarned = (mode: ModeUnderTest) =>
      Object.entries(grants).flatMap(([name, grant]) => {
        const [found] = inShort(grant, mode)
        if (found === undefined) return []
        expect(found).toBe(`warning : gives nothing, because NATS_MODE is ${mode}`)
        return [name]
      })
    expect(isWarned('static')).toEqual(['own', 'role'])
    expect(isWarned('callout')).toEqual(['shared', 'role'])
    expect(isWarned('jwt')).toEqual(['shared'])
    expect(isWarned('none')).toEqual([])
  })
})

describe('an account that the service cannot place users in', () => {
  it.each<[ModeUnderTest, string, string]>([
    ['callout', '{ account: SYS, publish: ["a"] }', 'account: is not one of NATS_ACCOUNTS'],
    ['callout', '{ account: app, publish: ["a"] }', 'account: is not one of NATS_ACCOUNTS'],
    ['jwt', '{ account: SYS, publish: ["a"] }', 'account: has no key in NATS_SIGNING_KEYS'],
    ['jwt', user('role: admin, name: "{user}"'), 'role: has no key in NATS_SIGNING_KEYS'],
    ['jwt', '{ account: OTHER, role: member, name: "{user}" }', 'role: has no key in NATS_SIGNING_KEYS'],
  ])('is a fault, in mode %s', (mode, grant, expected) => expect(inShort(grant, mode)).toEqual([`fault ${expected}`]))

  it('is none where the mode is another one, or not known', () => {
    for (const mode of ['none', 'static'] as const)
      expect(inShort('{ account: ANY, publish: ["a"] }', mode).join()).not.toContain('fault')
  })
})

it.each([
  publish('orders.{tenant}.new'),
  publish('foo.*'),
  publish('$SYS.REQ.USER.INFO'),
  publish('$JS.API.CONSUMER.CREATE.KV_x.>'),
  publish('$KV.x.{user}'),
  publish('foo*'),
  publish('r.{room}'),
  publish('{room}.x'),
  subscribe('foo.*.{room}'),
  subscribe('foo.*.bar'),
  subscribe('foo.>'),
  subscribe('jobs.> {tenant}'),
  subscribe('jobs.> q.*'),
  subscribe('seat.{seat}'),
  user(
    'publish: ["u.{uid}"], subscribe: ["a.>"], deny: ["a.*", "a.{tenant}.>"], responses: {}, inbox: false, creds: true',
  ),
  user('role: member, name: "{user}", tags: { team: "{tenant}", kind: staff }, creds: true'),
])('nothing is said of %s', (grant) => expect(inShort(grant)).toEqual([]))

it('every finding says how to mend it', () => {
  const grants = [
    subscribe('a.*'),
    subscribe('>'),
    publish('_INBOX.x'),
    user('publish: []'),
    user('role: x'),
    '{ account: "*" }',
  ]
  const found = grants.flatMap((grant) => findings(grant))
  expect(found.length).toBe(6)
  for (const { mend } of found) expect(mend).toMatch(/^[A-Z].*\w/)
})
