// Whoever is revoked gets in no more, and what he has is ended: all of it, whoever let it in and whenever. Others are not met.

import { setTimeout as sleep } from 'node:timers/promises'
import { AuthorizationError, type NatsConnection } from '@nats-io/transport-node'
import { beforeAll, describe, expect, it, vi } from 'vitest'
import { createKeys, startCalloutServer } from './callout-server.ts'
import { openUsher, pathOfFile, patience, policyWith, type Told, type Usher } from './callout-usher.ts'
import { join, joinSystem, listConnections, openRaw } from './nats-clients.ts'
import { type NatsServer, obtainNatsServer } from './nats-server.ts'
import { startProxy } from './tcp-proxy.ts'

const natsServer = await obtainNatsServer()
const policy = policyWith(`
  - id: own
    when: { issuer: main }
    nats: { account: APP, publish: ["u.{user}.>"], subscribe: ["u.{user}.>"] }
  - id: news
    when: { issuer: main, guest: "yes" }
    nats: { account: APP, subscribe: [news] }
  - id: open
    when: { caller: anonymous }
    nats: { account: APP, subscribe: [news] }
`).replace('vars:', 'vars:\n  guest: { from: claims.guest, match: "yes" }')

describe.skipIf(!natsServer)('a revocation', () => {
  const keys = createKeys()
  let server: NatsServer
  let usher: Usher
  let file: string
  let system: () => Promise<NatsConnection>
  const open = () => openUsher(keys, server.url, { policy, env: { REVOCATIONS_FILE: file } })

  beforeAll(async () => {
    server = await startCalloutServer(keys)
    file = await pathOfFile('revocations')
    usher = await open()
    await usher.untilReady()
    system = () => joinSystem(server.url, keys)
    await usher.untilKicking()
  })

  it('of a user refuses every token of his, and ends all of his connections', async () => {
    const [first, second, other] = await Promise.all(['alice', 'alice', 'bob'].map((user) => usher.tokenFor(user)))
    const hers = await Promise.all([first, first, second].map((told) => openRaw(told as Told)))
    const his = await openRaw(other as Told)
    expect(await usher.revoke({ source: 'main', subject: 'alice' })).toEqual({
      done: true,
      detail: 'Connects are refused, and 3 connections were told to end',
    })
    await Promise.all(hers.map(({ closed }) => closed))
    for (const told of [first, second]) await expect(join(told as Told)).rejects.toThrow(AuthorizationError)
    expect(usher.auditLines().at(-1)).toMatchObject({ outcome: 'refused', reason: 'denied', provider: 'nats' })
    expect((await usher.post('/nats/token', 'alice', {})).status).toBe(403)
    expect(await his.ask()).toBe('')
  })

  it('of a token refuses that one, and its holder’s other connections come back by themselves', async () => {
    const [lost, kept] = [await usher.tokenFor('carol'), await usher.tokenFor('carol')]
    const thief = await openRaw(lost)
    const client = await join(kept, { reconnect: true, reconnectTimeWait: 50 })
    const messages = client.subscribe('u.carol.x')
    const back = (async () => {
      for await (const { type } of client.status()) if (type === 'reconnect') return
    })()
    expect((await usher.revoke({ tokenId: lost.tokenId })).done).toBe(true)
    await Promise.all([thief.closed, back])
    await expect(join(lost)).rejects.toThrow(AuthorizationError)
    await join(kept)
    client.publish('u.carol.x', 'hello')
    for await (const message of messages) {
      expect(message.string()).toBe('hello')
      break
    }
    await join(await usher.tokenFor('carol'))
  })

  it('that comes right after another of the same user is carried out as well', async () => {
    const [lost, kept] = [await usher.tokenFor('dave'), await usher.tokenFor('dave')]
    await usher.revoke({ tokenId: lost.tokenId })
    const client = await openRaw(kept)
    expect(await usher.revoke({ source: 'main', subject: 'dave' })).toEqual({
      done: true,
      detail: 'Connects are refused, and 1 connections were told to end',
    })
    await client.closed
  })

  it('ends connections that another Usher let in before, and holds after a restart', async () => {
    const [erin, frank] = [await usher.tokenFor('erin'), await usher.tokenFor('frank')]
    const clients = [await openRaw(erin), await openRaw(frank)] as const
    await usher.revoke({ source: 'main', subject: 'erin' })
    await clients[0].closed
    await usher.close()
    usher = await open()
    await usher.untilReady()
    await usher.untilKicking()
    await expect(join(erin)).rejects.toThrow(AuthorizationError)
    expect((await usher.post('/nats/token', 'erin', {})).status).toBe(403)

    await usher.revoke({ tokenId: frank.tokenId })
    await clients[1].closed
    await expect(join(frank)).rejects.toThrow(AuthorizationError)
  })

  it('that found nobody who could end connections is carried out by who can, when he comes', async () => {
    const ivy = await usher.tokenFor('ivy')
    const client = await openRaw(ivy)
    await usher.close()
    usher = await openUsher(keys, server.url, { policy, env: { REVOCATIONS_FILE: file, NATS_SYSTEM_SEED: '' } })
    await usher.untilReady()
    expect((await usher.revoke({ source: 'main', subject: 'ivy' })).done).toBe(false)
    expect(await listConnections(await system(), { user: 'main/ivy' })).toHaveLength(1)
    await usher.close()
    usher = await open()
    await client.closed
    await usher.untilReady()
    await usher.untilKicking()
  })

  it('meets nobody whose name only looks alike', async () => {
    const names = [
      'gwen',
      'gwen/x',
      'gwen:x',
      'Gwen',
      'gwe*',
      '*',
      '>',
      'gw.en',
      'gwen"',
      '{"user":"gwen"}',
      'main/gwen',
      'gwen\\',
    ]
    const clients = await Promise.all(
      names.map(async (name) =>
        openRaw(await usher.tokenFor(name, { subscribe: ['news'], publish: [] }, { guest: 'yes' })),
      ),
    )
    const others = names.slice(1)
    for (const [index, subject] of others.entries()) {
      expect(await usher.revoke({ source: 'main', subject }), subject).toMatchObject({
        detail: expect.stringContaining(' 1 connections'),
      })
      await clients[index + 1]?.closed
    }
    expect(await clients[0]?.ask()).toBe('')
  })

  it('of a token without a subject ends that holder alone', async () => {
    const anonymous = async () => (await usher.app.inject('/nats/token')).json<Told>()
    const [one, two] = [await anonymous(), await anonymous()]
    const clients = [await openRaw(one), await openRaw(two)] as const
    await usher.revoke({ tokenId: one.tokenId })
    await clients[0].closed
    await expect(join(one)).rejects.toThrow(AuthorizationError)
    expect(await clients[1].ask()).toBe('')
  })

  it('ends more connections than the server names at a time', async () => {
    const told = await usher.tokenFor('heidi')
    const clients = []
    for (let batch = 0; batch < 21; batch++)
      clients.push(...(await Promise.all(Array.from({ length: 50 }, () => openRaw(told)))))
    const { detail } = await usher.revoke({ source: 'main', subject: 'heidi' })
    expect(Number(/\d+/.exec(detail)?.[0])).toBeGreaterThanOrEqual(clients.length)
    await Promise.all(clients.map(({ closed }) => closed))
    expect(await listConnections(await system(), { user: 'main/heidi' })).toEqual([])
  })
})

describe.skipIf(!natsServer)('a connect that is under way while its holder is revoked', () => {
  it('is ended too, however long the audit took', async () => {
    const keys = createKeys()
    const { url } = await startCalloutServer(keys)
    let hold = () => {}
    const isHeld = new Promise<void>((resolve) => {
      hold = resolve
    })
    // Less than a connect waits for its line (audit.ts), and more than until the second look.
    const sink = async (lines: string) => {
      if (!lines.includes('"connected"')) return
      hold()
      await sleep(1600)
    }
    const usher = await openUsher(keys, url, { sink, env: { REVOCATIONS_FILE: await pathOfFile('revocations') } })
    await usher.untilReady()
    await usher.untilKicking()
    const connecting = openRaw(await usher.tokenFor('alice'))
    await isHeld
    await usher.revoke({ source: 'main', subject: 'alice' })
    await (await connecting).closed
  })
})

describe.skipIf(!natsServer)('a revocation while Usher is cut off from nats-server', () => {
  it('is carried out when it is back, on connections that stayed all the while', async () => {
    const keys = createKeys()
    const { url } = await startCalloutServer(keys)
    const proxy = await startProxy(url)
    const usher = await openUsher(keys, url, {
      env: { REVOCATIONS_FILE: await pathOfFile('revocations'), NATS_SERVICE_URLS: proxy.url },
    })
    await usher.untilReady()
    await usher.untilKicking()
    const client = await openRaw(await usher.tokenFor('alice'))
    proxy.cut()
    await vi.waitFor(async () => expect(await usher.isKicking()).toBe(false), patience)
    expect(await usher.revoke({ source: 'main', subject: 'alice' })).toEqual({
      done: false,
      detail: expect.stringContaining('tried again'),
    })
    expect(await client.ask()).toBe('')
    proxy.mend()
    await client.closed
  })
})

describe.skipIf(!natsServer)('a replica that cannot end connections', () => {
  it('says so, refuses connects all the same, and one that shares its list ends them', async () => {
    const keys = createKeys()
    const { url } = await startCalloutServer(keys)
    const REVOCATIONS_FILE = await pathOfFile('revocations')
    const usher = await openUsher(keys, url, { env: { REVOCATIONS_FILE, NATS_SYSTEM_SEED: '' } })
    await usher.untilReady()
    const [alice, bob] = [await usher.tokenFor('alice'), await usher.tokenFor('bob')]
    const clients = [await openRaw(alice), await openRaw(bob)] as const
    const { done, detail } = await usher.revoke({ source: 'main', subject: 'alice' })
    expect([done, detail]).toEqual([false, expect.stringContaining('NATS_SYSTEM_SEED')])
    await expect(join(alice)).rejects.toThrow(AuthorizationError)
    expect(await clients[0].ask()).toBe('')

    const other = await openUsher(keys, url, { env: { REVOCATIONS_FILE } })
    await other.untilKicking()
    await usher.revoke({ source: 'main', subject: 'bob' })
    await clients[1].closed
    expect((await other.post('/nats/token', 'bob', {})).status).toBe(403)
  })
})
