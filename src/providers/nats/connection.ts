// Usher's own connections to nats-server. It owns that one is kept open: over restarts, refusals and a server that is not there yet.

import { setTimeout as sleep } from 'node:timers/promises'
import { connect, type NatsConnection, PermissionViolationError } from '@nats-io/transport-node'
import { type Log, toErrorFields } from '../../log.ts'
import type { Signer } from './nkeys.ts'

export interface Connection {
  /** Undefined while there is none. */
  current(): NatsConnection | undefined
  close(): Promise<void>
}

export interface ConnectionOptions {
  readonly servers: readonly string[]
  /** The user nkey that nats-server knows us by. */
  readonly login: Signer
  /** What it is for, in the log and in the lists of nats-server. */
  readonly name: string
  readonly log: Log
  /** Once connected, and again after each interruption; what it subscribed is kept by then. */
  onUp(connection: NatsConnection): void
  /** Hears that nats-server does not let it do something. */
  onRefused?(connection: NatsConnection, error: PermissionViolationError): void
  onDown(): void
}

/** The users that `usher nats setup` makes may subscribe replies below this only. */
export const serviceInbox = '_INBOX_usher'

const retryMs = 250
const drainMs = 2000

/** RFC 8032 signatures in place of the client’s own, which take 11 ms of JavaScript. */
export const authenticatorOf =
  ({ publicKey, sign }: Signer) =>
  (nonce?: string) => ({ nkey: publicKey, sig: sign(Buffer.from(nonce ?? '')).toString('base64url') })

export function keepConnection({ servers, login, name, log, onUp, onRefused, onDown }: ConnectionOptions): Connection {
  const ended = new AbortController()
  let connection: NatsConnection | undefined

  async function open(): Promise<void> {
    connection = await connect({
      servers: [...servers],
      name: `usher ${name}`,
      authenticator: authenticatorOf(login),
      inboxPrefix: serviceInbox,
      timeout: 3000,
      maxReconnectAttempts: -1,
      // A server that restarts before its accounts are there refuses at first: that is no reason to give up.
      ignoreAuthErrorAbort: true,
      reconnectTimeWait: retryMs,
      reconnectJitter: retryMs,
      pingInterval: 5000,
      maxPingOut: 2,
    })
    if (ended.signal.aborted) return connection.close()
    log.info({ provider: 'nats', host: connection.getServer() }, `${name}: connected`)
    onUp(connection)
    void watch(connection)
    await connection.closed()
  }

  async function watch(connection: NatsConnection): Promise<void> {
    for await (const status of connection.status()) {
      // Our own end is nobody's news.
      if (ended.signal.aborted) return
      if (status.type === 'disconnect') {
        log.warn({ provider: 'nats', host: status.server }, `${name}: disconnected`)
        onDown()
      } else if (status.type === 'reconnect') {
        log.info({ provider: 'nats', host: status.server }, `${name}: connected again`)
        onUp(connection)
      } else if (status.type === 'error') {
        log.error({ provider: 'nats', ...toErrorFields(status.error) }, `${name}: refused by nats-server`)
        if (status.error instanceof PermissionViolationError) onRefused?.(connection, status.error)
      }
    }
  }

  async function keep(): Promise<void> {
    let said: string | undefined
    while (!ended.signal.aborted) {
      try {
        await open()
        said = undefined
      } catch (error) {
        if (ended.signal.aborted) break
        const fields = toErrorFields(error)
        // Once a reason: the server can be away for hours.
        if (fields.error !== said) log.warn({ provider: 'nats', ...fields }, `${name}: cannot connect; trying on`)
        said = String(fields.error)
      }
      connection = undefined
      onDown()
      await sleep(retryMs * (1 + Math.random()), undefined, { signal: ended.signal }).catch(() => {})
    }
  }

  const kept = keep()
  return {
    current: () => connection,
    close: async () => {
      ended.abort()
      const last = connection
      // Takes no new work, and ends what it has; a server that is away would let it wait.
      await Promise.race([last?.drain(), sleep(drainMs, undefined, { ref: false })]).catch(() => {})
      await last?.close()
      await kept
    },
  }
}
