// A cluster while its keys are rotated: each node names an issuer and an xkey of its own, and one Usher answers both.

import { AuthorizationError } from '@nats-io/transport-node'
import { beforeAll, describe, expect, it, vi } from 'vitest'
import { calloutConf, createKeys } from './callout-server.ts'
import { openUsher, pathOfFile, patience, type Usher } from './callout-usher.ts'
import { join, joinSystem, listConnections, openRaw } from './nats-clients.ts'
import { obtainNatsServer, startNatsServer } from './nats-server.ts'

const natsServer = await obtainNatsServer()

describe.skipIf(!natsServer)('a cluster of an old and a new node', () => {
  const old = createKeys()
  const fresh = { ...old, issuer: createKeys().issuer, xkey: createKeys().xkey }
  const both = { NATS_ISSUER_SEEDS: `${fresh.issuer},${old.issuer}`, NATS_XKEY_SEEDS: `${fresh.xkey},${old.xkey}` }
  let urls: readonly [string, string]
  let stopOld: () => Promise<void>
  let usher: Usher

  beforeAll(async () => {
    const cluster = (routes = '') => ({
      timeout: 2,
      more: `cluster { name: pair, listen: "127.0.0.1:-1", no_advertise: true, ${routes} }`,
    })
    const one = await startNatsServer({ config: calloutConf(old, cluster()) })
    const route = await one.logged(/Listening for route connections on (\S+)/)
    const two = await startNatsServer({ config: calloutConf(fresh, cluster(`routes: ["nats-route://${route}"]`)) })
    urls = [one.url, two.url]
    stopOld = one.stop
    // Usher is connected to the old node only.
    usher = await openUsher(old, one.url, { env: { ...both, REVOCATIONS_FILE: await pathOfFile('revocations') } })
    await usher.untilReady()
    await usher.untilKicking()
    const at = { ...(await usher.tokenFor('scout')), urls: [two.url] }
    await vi.waitFor(() => join(at), patience)
  })

  it('lets a user in at either, and carries messages between them', async () => {
    const told = await usher.tokenFor('alice')
    const [one, two] = [await join(told), await join({ ...told, urls: [urls[1]] })]
    const messages = two.subscribe('u.alice.x')
    await two.flush()
    const hear = (async () => {
      for await (const message of messages) return message.string()
    })()
    // The interest travels to the other node in its own time.
    await vi.waitFor(async () => {
      one.publish('u.alice.x', 'hello')
      await one.flush()
      expect(messages.getReceived()).toBeGreaterThan(0)
    }, patience)
    expect(await hear).toBe('hello')
  })

  it.each([0, 1])('refuses a wrong token at node %i', async (node) => {
    const told = await usher.tokenFor('alice')
    await expect(join({ ...told, token: `${told.token}x`, urls: [urls[node] as string] })).rejects.toThrow(
      AuthorizationError,
    )
  })

  it('ends the connections of a user at both', async () => {
    const told = await usher.tokenFor('bob')
    const [one, two] = [await openRaw(told), await openRaw({ ...told, urls: [urls[1]] })]
    const listed = await listConnections(await joinSystem(urls[0], old), { user: 'main/bob' })
    expect(listed).toHaveLength(2)
    expect(await usher.revoke({ source: 'main', subject: 'bob' })).toMatchObject({
      detail: 'Connects are refused, and 2 connections were told to end',
    })
    await Promise.all([one.closed, two.closed])
    await expect(join({ ...told, urls: [urls[1]] })).rejects.toThrow(AuthorizationError)
  })

  it('is served on the old node only by an Usher without the new seeds', async () => {
    const before = await openUsher(old, urls[0])
    await before.untilReady()
    await usher.close()
    const told = await before.tokenFor('alice')
    await join(told)
    await expect(join({ ...told, urls: [urls[1]] })).rejects.toThrow(AuthorizationError)
    expect(await before.logText()).toContain('sealed for another xkey')
  })
  it('loses a node, and Usher goes on at the other', async () => {
    const moving = await openUsher(old, urls.join(), { env: both })
    await moving.untilReady()
    await stopOld()
    const told = await moving.tokenFor('alice')
    await vi.waitFor(() => join({ ...told, urls: [urls[1]] }), patience)
    await moving.untilReady()
  })
})
