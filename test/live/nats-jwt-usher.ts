// Usher in jwt mode beside a nats-server of an operator, and clients with keys of their own. It owns what the suites ask of both.

import { createRequire } from 'node:module'
import {
  type ConnectionOptions,
  connect,
  jwtAuthenticator,
  type NatsConnection,
  nkeys,
  PermissionViolationError,
  wsconnect,
} from '@nats-io/transport-node'
import { expect } from 'vitest'
import { bearer, callers, type TestService, testService } from '../app/test-app.ts'
import { pathOfFile, type Told } from './callout-usher.ts'
import { keep } from './nats-clients.ts'
import { type JwtServer, jwtEnv } from './nats-jwt-server.ts'

/** What a caller gets goes by his claim `as`. */
export const jwtPolicy = `${callers}
vars:
  user: { from: sub, match: "[a-z][a-z0-9-]{0,31}" }
  tenant: { from: claims.tenant, match: "[a-z]{1,16}" }
  as: { from: claims.as, match: "[a-z]{1,16}" }
grants:
  - { id: ops, when: { issuer: main, user: root }, admin: [revoke] }
  - id: own
    when: { issuer: main, as: user }
    iKnow: full-access
    nats: { account: APP, publish: ["u.{user}.>"], subscribe: ["u.{user}.>"], deny: ["u.*.secret"], responses: { max: 1 } }
  - id: wide
    when: { issuer: main, as: wide }
    nats: { account: APP, publish: ["w.>"] }
  - id: browser
    when: { issuer: main, as: browser }
    nats: { account: APP, publish: ["u.{user}.>"], connectionTypes: [websocket] }
  - id: daemon
    when: { issuer: main, as: daemon }
    nats: { account: APP, publish: ["u.{user}.>"], connectionTypes: [nats] }
  - id: device
    when: { issuer: main, as: device }
    nats: { account: APP, publish: ["u.{user}.>"], subscribe: ["u.{user}.>"], creds: true }
  - id: member
    when: { issuer: main, as: member }
    nats: { account: APP, role: member, name: "{user}", tags: { team: "{tenant}" } }
  - id: other
    when: { issuer: main, as: other }
    nats: { account: OTHER, publish: ["u.{user}.>"], subscribe: ["u.{user}.>"] }
  - id: gone
    when: { issuer: main, as: gone }
    nats: { account: GONE, publish: ["u.{user}.>"], subscribe: ["u.{user}.>"] }
`

/** As a client makes it: the seed never leaves it. */
export function createNkey() {
  const pair = nkeys.createUser()
  return { publicKey: pair.getPublicKey(), seed: pair.getSeed() }
}
export const own = createNkey()

export interface JwtUsher extends TestService {
  post(path: string, claims: object, body: object): Promise<{ status: number; body: Record<string, unknown> }>
  /** As the user alice with this grant. */
  ask(as: string, body?: object): ReturnType<JwtUsher['post']>
  /** The same, where it is issued. */
  told(as: string, body?: object): Promise<Told & { readonly creds?: string }>
}

export async function openJwtUsher(jwtServer: JwtServer): Promise<JwtUsher> {
  const env = { ...jwtEnv(jwtServer), REVOCATIONS_FILE: await pathOfFile('revocations') }
  const service = await testService({ policy: jwtPolicy, env })
  const post = async (path: string, claims: object, body: object) => {
    const headers = await bearer({ ...claims })
    const answer = await service.app.inject({ method: 'POST', url: path, headers, payload: body })
    return { status: answer.statusCode, body: answer.json() }
  }
  const ask = (as: string, body: object = { publicKey: own.publicKey }) =>
    post('/nats/token', { as, tenant: 'acme' }, body)
  const told: JwtUsher['told'] = async (as, body) => {
    const answer = await ask(as, body)
    expect(answer).toMatchObject({ status: 200, body: { mode: 'jwt', shared: false } })
    return answer.body as unknown as Told
  }
  return { ...service, post, ask, told }
}

export const join = async ({ token, urls, inboxPrefix }: Told, seed: Uint8Array, options: ConnectionOptions = {}) =>
  keep(
    await connect({
      servers: [...urls],
      authenticator: jwtAuthenticator(token, seed),
      ...(inboxPrefix && { inboxPrefix }),
      reconnect: false,
      ...options,
    }),
  )

export const joinByWebSocket = async ({ token, wsUrls }: Told, seed: Uint8Array) =>
  keep(
    await wsconnect({
      servers: [...wsUrls],
      authenticator: jwtAuthenticator(token, seed),
      reconnect: false,
      wsFactory: async (url) => ({ socket: new WebSocket(url), encrypted: false }),
    }),
  )

/** Of the package that ably brings: Node 20 has none of its own. */
const WebSocket = createRequire(import.meta.resolve('ably'))('ws')

export async function echo(client: NatsConnection, subject: string): Promise<string> {
  const messages = client.subscribe(subject, { max: 1, timeout: 5_000 })
  client.publish(subject, 'hello')
  for await (const message of messages) return message.string()
  throw new Error('the subscription ended without a message')
}

/** What of it the server refuses, in its own words. */
export async function refused(client: NatsConnection, publish: readonly string[], subscribe: readonly string[] = []) {
  const violations: string[] = []
  const listening = (async () => {
    for await (const status of client.status())
      if (status.type === 'error' && status.error instanceof PermissionViolationError)
        violations.push(`${status.error.operation} ${status.error.subject}`)
  })()
  void listening
  for (const subject of publish) client.publish(subject)
  for (const subject of subscribe) client.subscribe(subject, { callback: () => {} })
  // A violation comes before the PONG; the second round trip is for the iterator, which is a turn behind.
  await client.flush()
  await client.flush()
  return violations
}
