// The end of a token is the end of its connections; a client with a token function goes on with a fresh one, and where Usher ends
// connections a little earlier, without an error.

import { type NatsConnection, type Status, tokenAuthenticator } from '@nats-io/transport-node'
import { beforeAll, describe, expect, it, vi } from 'vitest'
import { createKeys, startCalloutServer } from './callout-server.ts'
import { openUsher, patience, type Usher } from './callout-usher.ts'
import { join, keepClientsUntilEnd, openRaw } from './nats-clients.ts'
import { type NatsServer, obtainNatsServer } from './nats-server.ts'

const natsServer = await obtainNatsServer()
const softSeconds = 3
keepClientsUntilEnd()

describe.skipIf(!natsServer).concurrent('the end of a token', () => {
  const keys = createKeys()
  let server: NatsServer
  let usher: Usher

  beforeAll(async () => {
    server = await startCalloutServer(keys)
    usher = await openUsher(keys, server.url)
    await usher.untilReady()
  })

  it('ends its connections, not earlier', async () => {
    const told = await usher.tokenFor('alice', { ttl: 3 })
    const client = await openRaw(told)
    expect(await client.closed).toContain("-ERR 'User Authentication Expired'")
    // Timers of the server are set by its own clock, to the second.
    expect(Date.now() / 1000).toBeGreaterThan(told.expiresAt - 1)
    await expect(openRaw(told)).rejects.toThrow('Authorization Violation')
    const refused = usher.auditLines().find(({ outcome }) => outcome === 'refused')
    expect(refused).toMatchObject({ reason: 'unauthenticated', detail: 'expired' })
  })

  it('renews a client with a token function, which keeps its subscriptions', async () => {
    const [first, second] = [await usher.tokenFor('bob', { ttl: 3 }), await usher.tokenFor('bob')]
    const tokens = [first.token, second.token]
    const client = await join(first, {
      authenticator: tokenAuthenticator(() => tokens.shift() ?? ''),
      reconnect: true,
      reconnectTimeWait: 50,
    })
    const seen = watch(client)
    const messages = client.subscribe('u.bob.x', { max: 1 })
    await vi.waitFor(() => expect(seen.types()).toContain('reconnect'), patience)
    client.publish('u.bob.x', 'still here')
    for await (const message of messages) expect(message.string()).toBe('still here')
    expect(seen.errors()).toEqual(['User Authentication Expired'])
  })

  it('closes a client with a plain token for good', async () => {
    const client = await join(await usher.tokenFor('carol', { ttl: 4 }), { reconnect: true, reconnectTimeWait: 50 })
    expect(String(await client.closed())).toMatch(/Authorization Violation|Authentication Expired/)
  })
})

describe.skipIf(!natsServer).concurrent('the end of a token, where NATS_SOFT_EXPIRY_SECONDS is set', () => {
  const keys = createKeys()
  let usher: Usher

  beforeAll(async () => {
    const { url } = await startCalloutServer(keys)
    usher = await openUsher(keys, url, { env: { NATS_SOFT_EXPIRY_SECONDS: String(softSeconds) } })
    await usher.untilReady()
  })

  it('is no error to a client with a token function: it goes on with the next one before', async () => {
    const [first, second] = [await usher.tokenFor('alice', { ttl: 5 }), await usher.tokenFor('alice')]
    const tokens = [first.token, second.token]
    const client = await join(first, {
      authenticator: tokenAuthenticator(() => tokens.shift() ?? ''),
      reconnect: true,
      reconnectTimeWait: 50,
    })
    const seen = watch(client)
    await vi.waitFor(() => expect(seen.types()).toContain('reconnect'), patience)
    expect(Date.now() / 1000).toBeLessThan(first.expiresAt)
    const messages = client.subscribe('u.alice.x', { max: 1 })
    client.publish('u.alice.x', 'still here')
    for await (const message of messages) expect(message.string()).toBe('still here')
    expect(seen.errors()).toEqual([])
    expect(client.isClosed()).toBe(false)
  })

  it('meets a client that comes back with the same token once only: it keeps its connection until then', async () => {
    const told = await usher.tokenFor('bob', { ttl: 6 })
    const client = await join(told, { reconnect: true, reconnectTimeWait: 50 })
    const seen = watch(client)
    await client.closed()
    expect(Date.now() / 1000).toBeGreaterThan(told.expiresAt - 1)
    expect(seen.errors()[0]).toBe('User Authentication Expired')
    expect(seen.beforeError('disconnect')).toBe(1)
  })

  it('leaves a client alone whose token lives no longer than that', async () => {
    const told = await usher.tokenFor('carol', { ttl: softSeconds })
    const client = await openRaw(told)
    expect(await client.closed).toContain("-ERR 'User Authentication Expired'")
  })
})

/** What happens to a client from now on. */
function watch(client: NatsConnection) {
  const seen: Status[] = []
  const isError = (status: Status) => status.type === 'error'
  void (async () => {
    for await (const status of client.status()) seen.push(status)
  })()
  return {
    types: () => seen.map(({ type }) => type),
    errors: () => seen.flatMap((status) => (status.type === 'error' ? [status.error.message] : [])),
    /** How many of a type there were before the first error. */
    beforeError: (type: Status['type']) => {
      const first = seen.findIndex(isError)
      return seen.slice(0, first < 0 ? undefined : first).filter((status) => status.type === type).length
    },
  }
}
