// The reader of the stream. It owns when the list is current: each answer of Redis proves that everything was heard that had been
// added when the question was sent. After a break, or where another stream stands in the place of the one it knew (a flush, a
// fail-over, a node that lost its data), it reads again from the beginning.

import type { Log } from '../log.ts'
import { failure } from './deadline.ts'
import { type Redis, redisErrorCode, type Send } from './redis-connection.ts'
import { beginning, isAfter, isSameStream, pageSize, readAfter, type StreamEntry, trimAndLook } from './redis-stream.ts'

/** How long one question waits for news: half of what makes an idle list as old as it gets. */
const blockMs = 250

export interface ReaderDeps {
  readonly redis: Redis
  readonly log: Log
  /** Unix milliseconds. */
  readonly now: () => number
  /** Milliseconds; never set back or forth. */
  readonly monotonic: () => number
  /** Before the first entry of a whole reading. */
  onBegin(): void
  onEntries(entries: readonly StreamEntry[]): void
  /** After a whole reading: what was not heard since onBegin is not in the stream. */
  onWhole(): void
}

export interface Reader {
  /** On the monotonic clock; undefined before the first whole reading. */
  provenAt(): number | undefined
  /** Settles when it has stopped, which it does when `redis` is closed. */
  readonly stopped: Promise<void>
}

export function startReader({ redis, log, now, monotonic, onBegin, onEntries, onWhole }: ReaderDeps): Reader {
  let provenAt: number | undefined
  let failures = 0
  /** What was said of the outage that lasts: each cause once. */
  const said = new Set<string>()

  function prove(sentAt: number): void {
    provenAt = sentAt
    failures = 0
    if (said.size > 0) log.info({}, 'Redis tells again who is revoked')
    said.clear()
  }

  async function follow(send: Send): Promise<never> {
    let read = await trimAndLook(send, now())
    let cursor = beginning.lastId
    let isWhole = false
    onBegin()
    for (;;) {
      const sentAt = monotonic()
      const entries = await readAfter(send, cursor, isWhole ? blockMs : 0)
      onEntries(entries)
      for (const { id } of entries) {
        cursor = id
        if (isAfter(id, read.lastId)) read = { lastId: id, added: read.added + 1 }
      }
      if (entries.length === pageSize) continue
      if (!isSameStream(read, await trimAndLook(send, now()))) throw failure('REDIS_STREAM_REPLACED')
      prove(sentAt)
      if (!isWhole) onWhole()
      isWhole = true
    }
  }

  async function run(): Promise<void> {
    while (!redis.isClosed()) {
      const error = await redis.connect(follow).catch((error: unknown) => error)
      if (redis.isClosed()) return
      const code = redisErrorCode(error)
      if (!said.has(code)) log.error({ code }, 'Redis does not tell who is revoked; it is tried again')
      said.add(code)
      await redis.pause(failures++)
    }
  }

  return { provenAt: () => provenAt, stopped: run() }
}
