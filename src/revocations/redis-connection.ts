// One connection to Redis at a time. It owns that nothing waits for Redis without end, that a connection is gone once it is not
// needed, and how long to wait before the next. Reconnecting and queueing of the client library are off: after a break the one
// who used the connection must know, because what he read may no longer hold.

import { setTimeout as sleep } from 'node:timers/promises'
import { createClient, ErrorReply } from '@redis/client'
import type { Secret } from '../secret.ts'
import { failure } from './deadline.ts'

/** Sends one command. Rejects on an error reply, and where there is no reply in time: then the connection is broken. */
export type Send = (args: readonly string[], options?: { blocksMs?: number }) => Promise<unknown>

export interface Redis {
  /** Connects, lets `use` work, and closes. Rejects where one of them fails. */
  connect<T>(use: (send: Send) => Promise<T>): Promise<T>
  /** Waits after that many failures in a row; at most a second, and never all replicas for the same time. */
  pause(failures: number): Promise<void>
  readonly isClosed: () => boolean
  /** Ends all connections and pauses; what goes on then rejects. */
  close(): void
}

/** To connect; to log in; and for each reply, beyond what the command itself waits for. */
const patienceMs = 1000

export function createRedis(url: Secret): Redis {
  const closing = new AbortController()
  const { signal } = closing

  async function connect<T>(use: (send: Send) => Promise<T>): Promise<T> {
    const client = createClient({
      url: url.reveal(),
      disableOfflineQueue: true,
      // It would need a permission that nothing else needs.
      disableClientInfo: true,
      socket: { connectTimeout: patienceMs, reconnectStrategy: false },
    })
    let why: Error | undefined
    const destroy = (reason: Error) => {
      why ??= reason
      if (client.isOpen) client.destroy()
    }
    let login: NodeJS.Timeout | undefined
    // In the next turn: what the library sends to log in is then in its queue, and is given up with the rest.
    const onClose = () => setImmediate(destroy, failure('REDIS_CLOSED'))
    client.on('error', destroy)
    // Not sooner: the library cannot give up a socket that is not connected, and would leave it open. That has its own timeout.
    client.on('connect', () => {
      login = setTimeout(destroy, patienceMs, failure('REDIS_TOO_SLOW'))
      signal.addEventListener('abort', onClose)
    })
    try {
      await client.connect().finally(() => clearTimeout(login))
      if (signal.aborted) throw failure('REDIS_CLOSED')
      return await use(async (args, { blocksMs = 0 } = {}) => {
        const timer = setTimeout(destroy, patienceMs + blocksMs, failure('REDIS_TOO_SLOW'))
        try {
          return await client.sendCommand(args)
        } finally {
          clearTimeout(timer)
        }
      })
    } catch (error) {
      throw why ?? error
    } finally {
      signal.removeEventListener('abort', onClose)
      if (client.isOpen) client.destroy()
    }
  }

  return {
    connect,
    pause: (failures) => {
      const longestMs = Math.min(1000, 50 * 2 ** Math.min(failures, 10))
      return sleep(longestMs * (0.5 + Math.random() / 2), undefined, { signal }).catch(() => {})
    },
    isClosed: () => signal.aborted,
    close: () => closing.abort(),
  }
}

/** What may be said of an error of Redis or of the way to it: its text can hold addresses and entries. */
export function redisErrorCode(error: unknown): string {
  if (error instanceof ErrorReply) return /^[A-Z]{2,}/.exec(error.message)?.[0] ?? 'ERR'
  if (!(error instanceof Error)) return 'Error'
  const { code } = error as NodeJS.ErrnoException
  // The library names its errors by their classes only.
  return typeof code === 'string' ? code : error.constructor.name
}
