// What happens while Usher or nats-server is away, and when they are back: nobody who is connected notices, whoever connects waits,
// and everything finds together again by itself.

import { setTimeout as sleep } from 'node:timers/promises'
import { AuthorizationError } from '@nats-io/transport-node'
import { describe, expect, it, vi } from 'vitest'
import { calloutConf, createKeys, startCalloutServer } from './callout-server.ts'
import { openUsher, patience } from './callout-usher.ts'
import { join, joinSystem, listConnections, openRaw } from './nats-clients.ts'
import { obtainNatsServer, startNatsServer } from './nats-server.ts'

const natsServer = await obtainNatsServer()
const withoutSeeds = { NATS_CALLOUT_SEED: '', NATS_ISSUER_SEEDS: '', NATS_XKEY_SEEDS: '', NATS_SYSTEM_SEED: '' }
/** As the documents advise clients to be. nats.js hears of a server that dies during a connect by this timeout only. */
const patient = {
  timeout: 3000,
  reconnect: true,
  reconnectTimeWait: 100,
  maxReconnectAttempts: -1,
  ignoreAuthErrorAbort: true,
}
const portOf = (url: string): string => new URL(url).port

describe.skipIf(!natsServer)('while no Usher answers', () => {
  it('connects wait for authorization.timeout and fail, connections stay, and clients that try on get in once one is back', async () => {
    const keys = createKeys()
    const { url } = await startCalloutServer(keys, { timeout: 1 })
    const usher = await openUsher(keys, url)
    await usher.untilReady()
    const told = await usher.tokenFor('alice')
    const early = await openRaw(told)
    await usher.close()

    await expect(join(told)).rejects.toThrow(AuthorizationError)
    await expect(join({ ...told, token: 'wrong' })).rejects.toThrow(AuthorizationError)
    await early.ask('SUB u.alice.x 1')
    expect(await early.ask('PUB u.alice.x 0\r\n')).toContain('MSG u.alice.x 1 0')

    const waiting = join(told, { ...patient, waitOnFirstConnect: true })
    const back = await openUsher(keys, url)
    const client = await waiting
    const messages = client.subscribe('u.alice.y', { max: 1 })
    client.publish('u.alice.y', 'in')
    for await (const message of messages) expect(message.string()).toBe('in')
    await back.untilReady()
  })

  it('a replica without seeds goes on to issue tokens, and is ready', async () => {
    const keys = createKeys()
    const { url } = await startCalloutServer(keys, { timeout: 1 })
    const issuing = await openUsher(keys, url, { env: withoutSeeds })
    expect(await issuing.readiness()).toBe(200)
    const told = await issuing.tokenFor('alice')
    await expect(join(told)).rejects.toThrow(AuthorizationError)
    const answering = await openUsher(keys, url)
    await answering.untilReady()
    await join(told)
    expect((await issuing.ops.inject('/status')).json().providers.nats).toEqual({ callout: 'off', system: 'off' })
  })
})

describe.skipIf(!natsServer)('while the audit cannot be written', () => {
  it('nobody new is let in, and everybody is once it can', async () => {
    const keys = createKeys()
    const { url } = await startCalloutServer(keys)
    let isFull = false
    const sink = async () => {
      if (isFull) throw Object.assign(new Error(), { code: 'ENOSPC' })
    }
    const usher = await openUsher(keys, url, { sink })
    await usher.untilReady()
    const told = await usher.tokenFor('alice')
    const early = await openRaw(told)
    isFull = true
    await expect(join(told)).rejects.toThrow(AuthorizationError)
    expect(await usher.callouts('audit_unavailable')).toBe(1)
    expect(await early.ask()).toBe('')
    isFull = false
    await join(told)
  })
})

describe.skipIf(!natsServer)('a nats-server that is restarted', () => {
  it('is answered again by itself, and /readyz tells when', async () => {
    const keys = createKeys()
    const config = calloutConf(keys, { timeout: 2 })
    const server = await startNatsServer({ config })
    const usher = await openUsher(keys, server.url)
    await usher.untilReady()
    await usher.untilKicking()
    const told = await usher.tokenFor('alice')
    const client = await join(told, patient)
    let running = server
    for (let round = 0; round < 2; round++) {
      await running.stop()
      await vi.waitFor(async () => expect(await usher.readiness()).toBe(503), patience)
      await vi.waitFor(async () => expect(await usher.isKicking()).toBe(false), patience)
      await usher.tokenFor('alice')
      running = await startNatsServer({ config, port: portOf(server.url) })
      await usher.untilReady()
      await join(told)
    }
    await usher.untilKicking()
    await vi.waitFor(() => client.flush(), patience)
    const listed = await listConnections(await joinSystem(server.url, keys), { user: 'main/alice' })
    expect(listed.length).toBeGreaterThan(0)
  })

  it('may come after Usher: a start before it is no fault', async () => {
    const keys = createKeys()
    const config = calloutConf(keys)
    const first = await startNatsServer({ config })
    await first.stop()
    const usher = await openUsher(keys, first.url)
    expect(await usher.readiness()).toBe(503)
    expect((await usher.app.inject('/livez')).statusCode).toBe(200)
    await usher.tokenFor('alice')
    await startNatsServer({ config, port: portOf(first.url) })
    await usher.untilReady()
    await join(await usher.tokenFor('alice'))
  })

  it('may come back with a refusal: Usher tries on until it is known again', async () => {
    const keys = createKeys()
    const other = createKeys()
    const first = await startNatsServer({ config: calloutConf(keys) })
    const usher = await openUsher(keys, first.url)
    await usher.untilReady()
    await first.stop()
    const wrong = await startNatsServer({
      config: calloutConf({ ...keys, login: other.login }, { timeout: 1 }),
      port: portOf(first.url),
    })
    await wrong.logged(/authentication error/)
    expect(await usher.readiness()).toBe(503)
    await wrong.stop()
    await startNatsServer({ config: calloutConf(keys), port: portOf(first.url) })
    await usher.untilReady()
    await join(await usher.tokenFor('alice'))
  })
})

describe.skipIf(!natsServer)('two Ushers', () => {
  it('share the callouts, and either goes on alone when the other leaves', async () => {
    const keys = createKeys()
    const { url } = await startCalloutServer(keys)
    const ushers = [await openUsher(keys, url), await openUsher(keys, url)] as const
    await Promise.all(ushers.map(({ untilReady }) => untilReady()))
    const told = await ushers[0].tokenFor('alice')
    const connect = (count: number) =>
      Promise.all(Array.from({ length: count }, async () => (await openRaw(told)).close()))
    await connect(200)
    const counts = await Promise.all(ushers.map(({ callouts }) => callouts('authorized')))
    expect(counts.reduce((sum, count) => sum + count)).toBe(200)
    // Each is drawn by lot: fewer than 40 of 200 for one has a chance of 1e-18.
    for (const count of counts) expect(count).toBeGreaterThan(40)

    // A storm while one of them leaves: it answers what it was given.
    const storm = connect(100)
    await Promise.all([storm, ushers[1].close()])
    await connect(20)
  })
})

describe.skipIf(!natsServer)('an Usher that stops', () => {
  it('answers what it was asked before', async () => {
    const keys = createKeys()
    const { url } = await startCalloutServer(keys, { timeout: 3 })
    let hold = () => {}
    const isHeld = new Promise<void>((resolve) => {
      hold = resolve
    })
    const sink = async (lines: string) => {
      if (!lines.includes('"connected"')) return
      hold()
      await sleep(500)
    }
    const usher = await openUsher(keys, url, { sink })
    await usher.untilReady()
    const connecting = join(await usher.tokenFor('alice'))
    await isHeld
    await usher.close()
    await connecting
  })
})

describe.skipIf(!natsServer)('a reload of nats-server', () => {
  it('twenty times over ends every connection, and all are there again at the end', async () => {
    const keys = createKeys()
    const server = await startCalloutServer(keys)
    const usher = await openUsher(keys, server.url)
    await usher.untilReady()
    const clients = await Promise.all(
      Array.from({ length: 50 }, async (_, index) => {
        const user = `user-${index}`
        const client = await join(await usher.tokenFor(user), patient)
        return { client, subject: `u.${user}.x`, received: client.subscribe(`u.${user}.x`) }
      }),
    )
    for (let count = 1; count <= 20; count++) await server.reload()
    const system = await joinSystem(server.url, keys)
    await vi.waitFor(async () => {
      const users = new Set((await listConnections(system)).map(({ authorized_user: user }) => user))
      expect(clients.filter((_, index) => users.has(`main/user-${index}`))).toHaveLength(50)
    }, patience)
    for (const { client, subject, received } of clients) {
      expect(client.isClosed()).toBe(false)
      await client.flush()
      client.publish(subject, 'still here')
      for await (const message of received) {
        expect(message.string()).toBe('still here')
        break
      }
    }
    expect(await usher.readiness()).toBe(200)
  })
})
