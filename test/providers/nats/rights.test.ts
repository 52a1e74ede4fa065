// Ask ∩ grants for NATS: what is covered is given, what is not is refused and never cut down.

import { describe, expect, it } from 'vitest'
import { isRefusal } from '../../../src/errors.ts'
import { decide } from '../../../src/policy/decide.ts'
import { jwtCaller, nowMs, policyOf, twoSources } from '../../policy/policy-under-test.ts'
import { alice, modes, outcomeOf } from './user-grants.ts'

const beyond = (field: string) => `beyond_grant ${field}`
const app = (rest: string) => `{ account: APP, ${rest} }`

/** Whether these grants give what is asked, as it is asked. */
const isGiven = (side: 'publish' | 'subscribe', grant: string, subject: string, caller = alice): boolean => {
  const rights = outcomeOf('callout', app(grant), { [side]: [subject] }, caller)
  if (typeof rights !== 'string') expect(rights[side]).toEqual([subject])
  else expect(rights).toBe(beyond(side))
  return typeof rights !== 'string'
}

describe('without an ask', () => {
  it('all that the grant names is given, and on a side that it leaves out nothing', () => {
    expect(outcomeOf('callout', app('publish: ["u.{user}.>", "t.{tenant}"], deny: ["u.*.x"]'))).toEqual({
      shared: false,
      account: 'APP',
      publish: ['u.alice.>', 't.acme'],
      subscribe: [],
      deny: ['u.*.x'],
      connectionTypes: ['nats', 'websocket'],
      inbox: true,
      asked: {},
      ttlSeconds: 600,
      grants: ['g0'],
    })
  })

  it('what the grant leaves to the ask is not given, and has to be named where that is all', () => {
    expect(outcomeOf('callout', app('publish: ["r.{room}", "a"]'))).toMatchObject({ publish: ['a'] })
    expect(outcomeOf('callout', app('publish: ["r.{room}"]'))).toBe(beyond('publish, subscribe'))
    expect(outcomeOf('callout', app('publish: ["r.{room}"]'), { publish: [] })).toMatchObject({
      publish: [],
      subscribe: [],
    })
  })

  it('two entries that come out the same are one', () => {
    expect(outcomeOf('callout', app('publish: ["u.{user}", "u.alice"]'))).toMatchObject({ publish: ['u.alice'] })
  })
})

describe('an asked subject', () => {
  const own =
    'publish: ["u.{user}.>", "a.*", "r.{room}.x"], subscribe: ["u.{user}.>", "a.*.b", "r.{room}.>", "jobs.> w.*"]'

  it.each<['publish' | 'subscribe', string]>([
    ['publish', 'u.alice.x'],
    ['publish', 'u.alice.x.y'],
    ['publish', 'u.alice.*'],
    ['publish', 'u.alice.>'],
    ['publish', 'a.b'],
    ['publish', 'a.*'],
    ['publish', 'a.b*'],
    ['publish', 'r.one.x'],
    ['subscribe', 'u.alice.*'],
    ['subscribe', 'u.alice.> any.queue'],
    ['subscribe', 'a.x.b'],
    ['subscribe', 'a.*.b'],
    ['subscribe', 'r.one.>'],
    ['subscribe', 'r.one.*.y'],
    ['subscribe', 'jobs.x w.1'],
    ['subscribe', 'jobs.> w.*'],
  ])('to %s is given inside the grant: %s', (side, subject) => expect(isGiven(side, own, subject)).toBe(true))

  it.each<['publish' | 'subscribe', string]>([
    ['publish', '>'],
    ['publish', '*'],
    ['publish', 'u.>'],
    ['publish', 'u.*.x'],
    ['publish', 'u.bob.x'],
    ['publish', 'u.alice'],
    ['publish', 'U.alice.x'],
    ['publish', 'u.Alice.x'],
    ['publish', 'u.alice2.x'],
    ['publish', 'a'],
    ['publish', 'a.>'],
    ['publish', 'a.b.c'],
    ['publish', 'r.*.x'],
    ['publish', 'r.>'],
    ['publish', 'r.one'],
    ['publish', 'r.one.y'],
    ['publish', 'r.one.x.x'],
    ['publish', 'r.o$e.x'],
    ['publish', `r.${'o'.repeat(41)}.x`],
    ['publish', '$SYS.REQ.USER.INFO'],
    ['subscribe', '>'],
    ['subscribe', 'u.>'],
    ['subscribe', 'a.>'],
    ['subscribe', 'a.*.>'],
    ['subscribe', 'a.*.*'],
    ['subscribe', 'a.x'],
    ['subscribe', 'r.*.x'],
    ['subscribe', 'r.>'],
    ['subscribe', 'jobs.x'],
    ['subscribe', 'jobs.> w'],
    ['subscribe', 'jobs.> w.>'],
    ['subscribe', 'jobs.> x.1'],
    ['subscribe', 'jobs w.1'],
    ['subscribe', '_INBOX.>'],
  ])('to %s is refused beyond it: %s', (side, subject) => expect(isGiven(side, own, subject)).toBe(false))

  it('is named by its place, and repeated nowhere: it could be a token', () => {
    const [first, secret] = ['u.alice.x', 'ntk_k1.eyJpIjoi']
    const ask = modes.callout.parseAsk({ publish: [first, secret] })
    if (isRefusal(ask)) throw new Error(ask.message)
    const policy = policyOf(
      `${twoSources}vars:\n  user: { from: sub, match: "[a-z]{1,9}" }\ngrants:\n  - { id: a, when: { issuer: main }, nats: ${app('publish: ["u.{user}.>"]')} }\n`,
      {},
      [modes.callout],
    )
    const refused = decide(policy, modes.callout, { caller: alice, ask, nowMs })
    expect(refused).toMatchObject({ message: "publish: subject 2 of the request is beyond the caller's grants" })
    expect(JSON.stringify(refused)).not.toContain('eyJ')
  })

  it('on one side leaves the other as it is', () => {
    const rights = outcomeOf('callout', app('publish: ["a"], subscribe: ["b", "c"]'), { subscribe: ['c'] })
    expect(rights).toMatchObject({ publish: ['a'], subscribe: ['c'] })
  })

  it('is covered by the other side never', () => {
    expect(isGiven('publish', 'subscribe: ["a"]', 'a')).toBe(false)
    expect(isGiven('subscribe', 'publish: ["a"]', 'a')).toBe(false)
  })

  it('of one caller is not that of another', () => {
    expect(isGiven('publish', 'publish: ["u.{user}"]', 'u.bob', jwtCaller('bob', {}))).toBe(true)
    expect(isGiven('publish', 'publish: ["u.{user}"]', 'u.bob')).toBe(false)
  })

  it('takes the numbers of its var', () => {
    expect(isGiven('publish', 'publish: ["s.{seat}"]', 's.1')).toBe(true)
    for (const seat of ['0', '01', '4294967296', '-1', '*', 'x'])
      expect(isGiven('publish', 'publish: ["s.{seat}"]', `s.${seat}`)).toBe(false)
  })
})

describe('what belongs to the server and to other users', () => {
  const reserved = ['$SYS', '$JS', '$', '$KV', '_INBOX', '_INBOX_2bd806c97f0e00af1a1fc3328fa763', '_INBOXES']

  it.each(reserved)('%s is no value that a template can begin with', (any) => {
    const caller = jwtCaller('alice', { any })
    for (const subject of ['{any}.x', '{any}', '{any}.>'])
      for (const grant of [
        `publish: ["${subject}"]`,
        `subscribe: ["${subject}"]`,
        `publish: [x], deny: ["${subject}"]`,
      ])
        expect(outcomeOf('callout', app(grant), {}, caller)).toMatch(/^no_grant/)
    expect(outcomeOf('callout', app('publish: ["x.{any}"]'), {}, caller)).toMatchObject({ publish: [`x.${any}`] })
  })

  it('is not put together by a template and a value either', () => {
    expect(outcomeOf('callout', app('subscribe: ["_IN{any}.>"]'), {}, jwtCaller('a', { any: 'BOX' }))).toMatch(
      /^no_grant/,
    )
    expect(outcomeOf('callout', app('subscribe: ["$S{any}.>"]'), {}, jwtCaller('a', { any: 'YS' }))).toMatch(
      /^no_grant/,
    )
    expect(isGiven('subscribe', 'subscribe: ["_IN{pick}.x"]', '_INBOX.x')).toBe(false)
    expect(isGiven('subscribe', 'subscribe: ["_IN{pick}.x"]', '_INX.x')).toBe(true)
  })

  it.each(reserved)('%s is nothing that an ask can begin with, where the grant leaves that to it', (first) => {
    for (const side of ['publish', 'subscribe'] as const) {
      expect(isGiven(side, `${side}: ["{pick}.>"]`, `${first}.x`)).toBe(false)
      expect(isGiven(side, `${side}: ["x.{pick}"]`, `x.${first}`)).toBe(true)
    }
  })

  it.each(['>', '*.>', '*.*.*.*', '*.{pick}.USER.INFO'])(
    '$SYS is not asked out of a wildcard: permissions deny it beside %s, and would not beside what was asked',
    (granted) => {
      for (const side of ['publish', 'subscribe'] as const) {
        const grant = `${side}: ["${side === 'subscribe' ? granted.replace(/\*$/, 'INFO') : granted}"]`
        expect(isGiven(side, grant, '$SYS.REQ.USER.INFO')).toBe(false)
        expect(isGiven(side, grant, 'x.REQ.USER.INFO')).toBe(true)
      }
    },
  )

  it('$SYS.REQ.USER.INFO is given where a grant says so', () => {
    expect(isGiven('publish', 'publish: ["$SYS.REQ.USER.INFO"]', '$SYS.REQ.USER.INFO')).toBe(true)
    expect(isGiven('publish', 'publish: ["$SYS.REQ.USER.INFO"]', '$SYS.REQ.USER.*')).toBe(false)
  })
})

describe('a deny', () => {
  const grant = 'publish: ["a.>"], subscribe: ["a.>"], deny: ["a.secret.>", "a.{tenant}", "a.*.b"]'

  it.each(['a.secret.x', 'a.secret.>', 'a.secret.*', 'a.acme', 'a.*.b', 'a.x.b'])(
    'refuses what it covers whole: %s',
    (subject) => {
      for (const side of ['publish', 'subscribe'] as const) expect(isGiven(side, grant, subject)).toBe(false)
    },
  )

  it.each(['a.>', 'a.other', 'a.secret', 'a.*', 'a.x.*'])('goes along with what it covers in part: %s', (subject) => {
    expect(outcomeOf('callout', app(grant), { subscribe: [subject] })).toMatchObject({
      subscribe: [subject],
      deny: ['a.secret.>', 'a.acme', 'a.*.b'],
    })
  })

  it('is looked at as far as a subscription reaches: a.* is a.> to a subscriber, and one token to a publisher', () => {
    const some = 'publish: ["a.>"], subscribe: ["a.>"], deny: ["a.*"]'
    expect(isGiven('publish', some, 'a.*')).toBe(false)
    expect(isGiven('subscribe', some, 'a.*')).toBe(true)
  })

  it('of one grant holds for the subjects of another that it is merged with', () => {
    const grants = [app('publish: ["a.>"], deny: ["b.x"]'), app('publish: ["b.>"]')]
    expect(outcomeOf('callout', grants)).toMatchObject({ publish: ['a.>', 'b.>'], deny: ['b.x'] })
    expect(outcomeOf('callout', grants, { publish: ['b.x'] })).toBe(beyond('publish'))
    const turned = grants.toReversed()
    expect(outcomeOf('callout', turned)).toMatchObject({ publish: ['b.>', 'a.>'], deny: ['b.x'] })
    expect(outcomeOf('callout', turned, { publish: ['b.x'] })).toBe(beyond('publish'))
  })

  it('whose value is missing takes the grant away, and not itself', () => {
    expect(outcomeOf('callout', app('publish: ["a.>"], deny: ["a.{tenant}"]'), {}, jwtCaller('alice'))).toMatch(
      /^no_grant/,
    )
  })
})
