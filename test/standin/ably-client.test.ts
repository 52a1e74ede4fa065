import { EventEmitter, once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Realtime } from 'ably'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type AblyStandin, startAbly } from './ably.ts'
import { closeAbly, connectAbly, settled } from './ably-client.ts'

/** A token endpoint as anybody would write it: it answers by path, and tells of every hit. */
const startAuthServer = async () => {
  const hits: string[] = []
  const events = new EventEmitter()
  const error = (statusCode: number, code: number) =>
    JSON.stringify({ error: { message: 'No', code, statusCode, href: '' } })
  const answers: Record<string, [number, string, string]> = {
    '/403': [403, 'application/json', error(403, 40300)],
    '/403-fastify': [403, 'application/json', '{"statusCode":403,"error":"Forbidden","message":"No"}'],
    '/401': [401, 'application/json', error(401, 40101)],
    '/429': [429, 'application/json', error(429, 42910)],
    '/503': [503, 'application/json', error(503, 50003)],
  }
  const server = createServer((request, response) => {
    const path = request.url?.split('?')[0] ?? ''
    const [status, type, body] = answers[path] ?? [404, 'text/plain', '']
    response.writeHead(status, { 'content-type': type }).end(body)
    hits.push(path)
    events.emit('hit', path)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    hitsOf: (path: string) => hits.filter((hit) => hit === path).length,
    nextHit: () => once(events, 'hit'),
    close: () => {
      server.closeAllConnections()
      return new Promise((resolve) => server.close(resolve))
    },
  }
}

describe('an authUrl', () => {
  let ably: AblyStandin
  let auth: Awaited<ReturnType<typeof startAuthServer>>
  let clients: Realtime[] = []

  beforeEach(async () => {
    ably = await startAbly({ keys: [] })
    auth = await startAuthServer()
  })

  afterEach(async () => {
    await Promise.all(clients.map(closeAbly))
    clients = []
    await Promise.all([auth.close(), ably.close()])
  })

  // The default of 15 seconds, made short: a client that retries does so while the test looks on.
  const connect = (path: string) => {
    const client = connectAbly({ ably, authUrl: auth.url + path, disconnectedRetryTimeout: 20 })
    clients.push(client)
    return client
  }

  test('that answers 403 in Ably’s shape fails the client after exactly one hit', async () => {
    const client = connect('/403')
    const { state, reason } = await settled(client)
    expect(state).toBe('failed')
    expect(reason).toMatchObject({ code: 80019, statusCode: 403, cause: { code: 40300, statusCode: 403 } })

    // A second client shows that time enough for a retry has passed.
    connect('/503')
    while (auth.hitsOf('/503') < 4) await auth.nextHit()
    expect(auth.hitsOf('/403')).toBe(1)
    expect(client.connection.state).toBe('failed')
  })

  test.each([
    ['/401', 40101, 401],
    ['/429', 42910, 429],
    ['/503', 50003, 503],
  ])('that answers %s leaves the client trying', async (path, code, statusCode) => {
    const client = connect(path)
    const { state, reason } = await settled(client)
    expect(state).toBe('disconnected')
    expect(reason).toMatchObject({ code: 80019, statusCode: 401, cause: { code, statusCode } })
    while (auth.hitsOf(path) < 3) await auth.nextHit()
    expect(client.connection.state).not.toBe('failed')
  })

  test('that answers 403 in Fastify’s own shape is asked again: the tool sees the trap', async () => {
    const client = connect('/403-fastify')
    expect((await settled(client)).state).toBe('disconnected')
    while (auth.hitsOf('/403-fastify') < 2) await auth.nextHit()
  })
})
