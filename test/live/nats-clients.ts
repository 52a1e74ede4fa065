// Clients of the suites against a real nats-server. It owns that they are closed, and what is asked of the server in
// its own words: over a bare socket the answers come in order, so that after PONG nothing is still on its way.

import { once } from 'node:events'
import { connect as connectSocket } from 'node:net'
import { type ConnectionOptions, connect, type NatsConnection, nkeyAuthenticator } from '@nats-io/transport-node'
import { afterAll, afterEach } from 'vitest'
import { serviceInbox } from '../../src/providers/nats/connection.ts'
import type { CalloutKeys } from './callout-server.ts'
import type { Told } from './callout-usher.ts'

const open = new Set<() => unknown>()
let untilEnd = false
const closeAll = async () => {
  await Promise.all([...open].map((close) => close()))
  open.clear()
}
afterEach(() => (untilEnd ? undefined : closeAll()))
afterAll(closeAll)

/** For a suite whose tests run side by side: its clients are closed after the last, not after each. */
export const keepClientsUntilEnd = (): void => {
  untilEnd = true
}

type Shown = Pick<Told, 'token' | 'urls'> & Partial<Told>

/** As the README tells clients to connect; refused once is refused. */
export async function join(told: Shown, options: ConnectionOptions = {}): Promise<NatsConnection> {
  const { urls, token, inboxPrefix } = told
  return keep(
    await connect({
      servers: [...urls],
      ...(options.authenticator ? {} : { token }),
      ...(inboxPrefix && { inboxPrefix }),
      reconnect: false,
      ...options,
    }),
  )
}

/** Closed after the test. */
export function keep(client: NatsConnection): NatsConnection {
  open.add(() => client.close())
  return client
}

/** In the system account, as Usher itself is. */
export const joinSystem = (url: string, { system }: CalloutKeys): Promise<NatsConnection> =>
  connect({
    servers: url,
    authenticator: nkeyAuthenticator(Buffer.from(system)),
    inboxPrefix: serviceInbox,
    reconnect: false,
  }).then(keep)

export interface ConnectionInfo {
  readonly cid: number
  readonly name?: string
  readonly authorized_user?: string
  readonly account?: string
}

/** Who is connected, as each server of a cluster tells the system account. */
export async function listConnections(system: NatsConnection, filter: object = {}): Promise<ConnectionInfo[]> {
  const replies = await system.requestMany(
    '$SYS.REQ.SERVER.PING.CONNZ',
    JSON.stringify({ auth: true, limit: 5000, ...filter }),
    { strategy: 'stall', stall: 300, maxWait: 5000 },
  )
  const found: ConnectionInfo[] = []
  for await (const reply of replies)
    found.push(...reply.json<{ data: { connections: ConnectionInfo[] } }>().data.connections)
  return found
}

export interface RawClient {
  /** Sends lines of the protocol. @returns all that the server sent since the last time, until its PONG */
  ask(...lines: string[]): Promise<string>
  /** What the server sent last, once it has closed. */
  readonly closed: Promise<string>
  close(): void
}

/** @throws what the server refused it with */
export async function openRaw({ urls: [url = ''], token }: Shown, fields: object = {}): Promise<RawClient> {
  const { hostname, port } = new URL(url)
  const socket = connectSocket({ host: hostname, port: Number(port), noDelay: true })
  open.add(() => socket.destroy())
  socket.setEncoding('latin1').on('error', () => {})
  let text = ''
  socket.on('data', (more) => {
    text += more
  })
  const closed = once(socket, 'close').then(() => text)
  const ended = closed.then((last) => {
    throw new Error(last)
  })
  ended.catch(() => {})
  const ask = async (...lines: string[]): Promise<string> => {
    socket.write(`${lines.map((line) => `${line}\r\n`).join('')}PING\r\n`)
    while (!text.includes('PONG\r\n')) await Promise.race([once(socket, 'data'), ended])
    const [answer = '', rest = ''] = text.split('PONG\r\n')
    text = rest
    return answer
  }
  await ask(`CONNECT ${JSON.stringify({ auth_token: token, verbose: false, pedantic: false, ...fields })}`)
  return { ask, closed, close: () => socket.destroy() }
}

/** Whether the server takes it; an error line comes before the PONG. */
export const mayPublish = async (client: RawClient, subject: string): Promise<boolean> =>
  !(await client.ask(`PUB ${subject} 0\r\n`)).includes("-ERR 'Permissions Violation for Publish")

let sid = 0
/** The same for a subscription, of a queue group where one is named. */
export const maySubscribe = async (client: RawClient, subject: string, queue = ''): Promise<boolean> =>
  !(await client.ask(`SUB ${subject} ${queue} ${++sid}`)).includes("-ERR 'Permissions Violation for Subscription")
