// A token rests on the policy of the moment, not of the day it was issued: what an operator edits holds from the next connect on.

import { AuthorizationError } from '@nats-io/transport-node'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createKeys, startCalloutServer } from './callout-server.ts'
import { openUsher, policyWith, type Told, type Usher } from './callout-usher.ts'
import { join, mayPublish, maySubscribe, openRaw } from './nats-clients.ts'
import { obtainNatsServer } from './nats-server.ts'

const natsServer = await obtainNatsServer()
const keys = createKeys()

const bus = `
  - id: bus
    when: { issuer: main, role: user }
    nats: { account: APP, publish: ["a.{user}.>", "b.{user}"], subscribe: ["a.{user}.>", "b.{user}"] }
    ttl: { default: 10m, max: 1h }`
const extra = `
  - id: extra
    when: { issuer: main, team: red }
    nats: { account: APP, publish: ["red.>"] }`
const withVars = (grants: string, more = '') =>
  policyWith(grants, more).replace(
    'vars:',
    'vars:\n  role: { from: claims.role, match: "[a-z]{1,16}" }\n  team: { from: claims.team, match: "[a-z]{1,16}" }',
  )
const before = withVars(bus + extra)

describe.skipIf(!natsServer)('after an edit of the policy, a token of before', () => {
  let usher: Usher
  let alice: Told
  let url: string

  beforeAll(async () => {
    url = (await startCalloutServer(keys, { accounts: 'APP { }\n  OTHER { }' })).url
  })

  beforeEach(async () => {
    usher = await openUsher(keys, url, {
      policy: before,
      env: { NATS_ACCOUNTS: 'APP,OTHER' },
      files: { 'banned.txt': '# nobody\n' },
    })
    await usher.untilReady()
    alice = await usher.tokenFor('alice', {}, { role: 'user', team: 'red' })
    return usher.close
  })

  const edit = async (text: string) => {
    await usher.reload(text)
    expect((await usher.logText()).match(/policy in force/g)).toHaveLength(2)
  }
  const refused = async (reason: string) => {
    await expect(join(alice)).rejects.toThrow(AuthorizationError)
    expect(usher.auditLines().at(-1)).toMatchObject({ outcome: 'refused', reason, caller: { subject: 'alice' } })
  }

  it('gives what both grants give, without an edit', async () => {
    const client = await openRaw(alice)
    for (const subject of ['a.alice.x', 'b.alice', 'red.x']) expect(await mayPublish(client, subject)).toBe(true)
  })

  it('gives less where a grant became narrower, and the connection of before keeps what it had', async () => {
    const early = await openRaw(alice)
    await edit(before.replaceAll('"a.{user}.>"', '"a.{user}.x"'))
    const late = await openRaw(alice)
    expect([await mayPublish(late, 'a.alice.x'), await mayPublish(late, 'a.alice.y')]).toEqual([true, false])
    expect([await maySubscribe(late, 'a.alice.x'), await maySubscribe(late, 'a.alice.>')]).toEqual([true, false])
    expect(await mayPublish(early, 'a.alice.y')).toBe(true)
  })

  it('gives more where a grant became wider: it names grants, not subjects', async () => {
    await edit(before.replace('"b.{user}"]', '"b.{user}", "c.{user}"]'))
    expect(await mayPublish(await openRaw(alice), 'c.alice')).toBe(true)
  })

  it('gives nothing new where a grant is new', async () => {
    await edit(
      `${before}  - id: more\n    when: { issuer: main, role: user }\n    nats: { account: APP, publish: [more] }\n`,
    )
    expect(await mayPublish(await openRaw(alice), 'more')).toBe(false)
  })

  it('is refused where it was narrowed to what is not granted any more', async () => {
    alice = await usher.tokenFor('alice', { publish: ['b.alice'] }, { role: 'user', team: 'red' })
    await edit(before.replaceAll(', "b.{user}"', ''))
    await refused('beyond_grant')
  })

  it.each([
    ['one of its grants is gone', before.replace('id: extra', 'id: other'), 'no_grant'],
    ['all of its grants are gone', before.replace('id: bus', 'id: x').replace('id: extra', 'id: y'), 'no_grant'],
    ['a condition does not hold any more', before.replace('team: red', 'team: blue'), 'no_grant'],
    ['a grant asks for what it does not carry', before.replace('team: red', 'team: red, user: bob'), 'no_grant'],
    [
      'its grants lie in different accounts now',
      before.replace('account: APP, publish: ["red', 'account: OTHER, publish: ["red'),
      'no_grant',
    ],
    [
      'it may not be used over this transport',
      before.replaceAll('account: APP', 'account: APP, connectionTypes: [websocket]'),
      'beyond_grant',
    ],
    [
      'a deny rule names its holder',
      withVars(bus + extra, 'deny:\n  - { id: banned, when: { user: alice } }'),
      'denied',
    ],
    [
      'a deny rule names his issuer',
      withVars(bus + extra, 'deny:\n  - { id: shut, when: { issuer: main } }'),
      'denied',
    ],
    [
      'a deny rule reads what it does not carry',
      withVars(bus + extra, 'deny:\n  - { id: d, when: { mail: evil } }').replace(
        'vars:',
        'vars:\n  mail: { from: claims.mail, match: "[a-z]{1,16}" }',
      ),
      'denied',
    ],
  ])('is refused where %s', async (_name, text, reason) => {
    await edit(text)
    await refused(reason)
  })

  it('is refused where its holder is put on a list, by the reload of that file alone, and let in when he is off it', async () => {
    const listed = withVars(bus + extra, 'deny:\n  - { id: banned, when: { user: { inFile: banned.txt } } }')
    await usher.reload(listed)
    await join(alice)
    await usher.reload('alice\n', 'banned.txt')
    await refused('denied')
    await usher.reload('# nobody\n', 'banned.txt')
    await join(alice)
  })

  it('ends by the lifetime that its grants have now', async () => {
    const early = await openRaw(alice)
    await edit(before.replaceAll('default: 10m, max: 1h', 'default: 4s, max: 4s'))
    const late = await openRaw(alice)
    expect(await late.closed).toContain("-ERR 'User Authentication Expired'")
    await expect(join(alice)).rejects.toThrow(AuthorizationError)
    expect(usher.auditLines().at(-1)?.detail).toContain('shortened')
    expect(await mayPublish(early, 'b.alice')).toBe(true)
  })

  it('is judged by the policy before where the new one is bad', async () => {
    await usher.reload(before.replace('account: APP', 'account: NOWHERE'))
    expect(await usher.logText()).toContain('the one before stays in force')
    await join(alice)
  })
})
