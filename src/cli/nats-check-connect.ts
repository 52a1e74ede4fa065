// How `usher nats check` speaks to one nats-server. It owns what a failure means: nobody there, refused, or no answer.

import { connect as openSocket } from 'node:net'
import {
  AuthorizationError,
  type ConnectionOptions,
  connect,
  type Msg,
  type NatsConnection,
  NoRespondersError,
  PermissionViolationError,
  TimeoutError,
} from '@nats-io/transport-node'
import { authenticatorOf, serviceInbox } from '../providers/nats/connection.ts'
import type { Signer } from '../providers/nats/nkeys.ts'
import { type Finding, fault } from './nats-check-report.ts'

/** What a server says to everybody who opens its port: INFO of the protocol. */
export interface Greeting {
  readonly version: string
  readonly server_name?: string
  readonly auth_required?: boolean
  readonly nonce?: string
}

export interface Failure {
  /** silent = it was reached, and did not say yes or no in time. */
  readonly failed: 'refused' | 'silent' | 'broken'
  readonly code: string
}

export const waitMs = 3000

/** @param url as in NATS_URLS; @returns a word for why there is none, such as ECONNREFUSED */
export function greet(url: string): Promise<Greeting | string> {
  const { hostname, port } = new URL(url)
  return new Promise((resolve) => {
    const socket = openSocket({ host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || '4222') })
    let text = ''
    const end = (result: Greeting | string) => {
      socket.destroy()
      resolve(result)
    }
    socket.setTimeout(waitMs, () => end('no answer'))
    socket.once('error', (error: NodeJS.ErrnoException) => end(error.code ?? 'error'))
    socket.once('close', () => end('closed at once'))
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk
      if (text.includes('\r\n') || text.length > 65_536) end(parseGreeting(text) ?? 'something else answers there')
    })
  })
}

function parseGreeting(text: string): Greeting | undefined {
  try {
    const [, json = ''] = /^INFO (.*?)\s*\r\n/.exec(text) ?? []
    const info: unknown = JSON.parse(json)
    return typeof (info as Greeting).version === 'string' ? (info as Greeting) : undefined
  } catch {
    return undefined
  }
}

/** Once, to this very server. */
export async function tryConnect(
  server: string,
  options: ConnectionOptions,
  timeoutMs = waitMs,
): Promise<NatsConnection | Failure> {
  try {
    return await connect({
      servers: server,
      name: 'usher check',
      inboxPrefix: serviceInbox,
      reconnect: false,
      ignoreClusterUpdates: true,
      timeout: timeoutMs,
      ...options,
    })
  } catch (error) {
    const { name, code, cause } = error as NodeJS.ErrnoException & { cause?: NodeJS.ErrnoException }
    const failed = error instanceof AuthorizationError ? 'refused' : error instanceof TimeoutError ? 'silent' : 'broken'
    return { failed, code: code ?? cause?.code ?? name }
  }
}

export const tryLogin = (server: string, login: Signer): Promise<NatsConnection | Failure> =>
  tryConnect(server, { authenticator: authenticatorOf(login) })

/** @param whose such as "of a canary" */
export const broken = (whose: string, { code }: Failure): Finding =>
  fault(`the connection ${whose} broke (${code})`, 'Look into the log of nats-server')

export const isFailure = (result: object): result is Failure => 'failed' in result

/** Why a request got no reply. */
export interface Unanswered {
  /** A subject that may not be published, or subscribed for the reply; nobody listens; or no answer in time. */
  readonly unanswered: 'publish' | 'subscribe' | 'nobody' | 'silent'
}

export async function request(connection: NatsConnection, subject: string, body = ''): Promise<Msg | Unanswered> {
  try {
    return await connection.request(subject, body, { timeout: waitMs })
  } catch (error) {
    const reason = (error as Error).cause ?? error
    if (reason instanceof PermissionViolationError)
      return { unanswered: reason.operation === 'publish' ? 'publish' : 'subscribe' }
    return { unanswered: reason instanceof NoRespondersError ? 'nobody' : 'silent' }
  }
}

export const isUnanswered = (result: object): result is Unanswered => 'unanswered' in result
