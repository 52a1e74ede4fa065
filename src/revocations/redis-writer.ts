// The writer of the stream. It owns what Redis does not have yet: that is written as soon as Redis takes it, or until it has ended.
// It connects when there is something to write, so that no idle connection can be dead without anybody noticing.

import type { Log } from '../log.ts'
import { failure } from './deadline.ts'
import type { Revocation } from './list.ts'
import { type Redis, redisErrorCode, type Send } from './redis-connection.ts'
import { append } from './redis-stream.ts'

/** Sent without waiting for each other. */
const batchSize = 100

export interface Writer {
  /** Resolves once Redis has it; rejects only where the list is closed before that. */
  write(revocation: Revocation): Promise<void>
  /** It was read from the stream, whoever wrote it. */
  seen(revocation: Revocation): void
  /** Once `redis` is closed: gives up what waits. */
  stop(): Promise<void>
}

export interface WriterDeps {
  readonly redis: Redis
  readonly log: Log
  /** Unix milliseconds. */
  readonly now: () => number
}

interface Waiting {
  readonly written: Promise<void>
  resolve(): void
  reject(error: Error): void
}

export function createWriter({ redis, log, now }: WriterDeps): Writer {
  const outbox = new Map<Revocation, Waiting>()
  let draining: Promise<void> | undefined

  function seen(revocation: Revocation): void {
    outbox.get(revocation)?.resolve()
    outbox.delete(revocation)
  }

  async function writeAll(send: Send): Promise<void> {
    while (outbox.size > 0) {
      const batch = [...outbox.keys()].slice(0, batchSize)
      const results = await Promise.allSettled(
        batch.map(async (revocation) => {
          if (revocation.until * 1000 > now()) await append(send, revocation)
          seen(revocation)
        }),
      )
      // One that Redis does not take keeps none of the others from it.
      for (const result of results) if (result.status === 'rejected') throw result.reason
    }
  }

  async function drain(): Promise<void> {
    let failures = 0
    while (outbox.size > 0 && !redis.isClosed()) {
      const error = await redis.connect(writeAll).catch((error: unknown) => error)
      if (error === undefined || redis.isClosed()) continue
      if (failures++ === 0)
        log.error(
          { code: redisErrorCode(error) },
          'revocations are not in Redis; they are in force here, and it is tried again',
        )
      await redis.pause(failures)
    }
    if (failures > 0 && outbox.size === 0) log.info({}, 'Redis has all revocations again')
  }

  function drainInTurn(): void {
    draining ??= drain().finally(() => {
      draining = undefined
      if (outbox.size > 0 && !redis.isClosed()) drainInTurn()
    })
  }

  return {
    write: (revocation) => {
      if (redis.isClosed()) return Promise.reject(failure('REVOCATIONS_CLOSED'))
      const waiting = outbox.get(revocation) ?? createWaiting()
      outbox.set(revocation, waiting)
      drainInTurn()
      return waiting.written
    },
    seen,
    stop: async () => {
      await draining
      if (outbox.size > 0)
        log.error({ detail: `${outbox.size} revocations` }, 'Redis never got them: they are forgotten')
      for (const { reject } of outbox.values()) reject(failure('REVOCATIONS_CLOSED'))
      outbox.clear()
    },
  }
}

function createWaiting(): Waiting {
  let settle = { resolve: () => {}, reject: (_error: Error) => {} }
  const written = new Promise<void>((resolve, reject) => {
    settle = { resolve, reject }
  })
  // What is written back has nobody who waits for it.
  written.catch(() => {})
  return { written, ...settle }
}
