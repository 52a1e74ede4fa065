// The revocation list in Redis, for several replicas. It owns how reading, writing and the index here come together: what is added
// here is in force at once and written; what is read comes into force; what is held here and not in Redis is written back.

import type { Log } from '../log.ts'
import type { Secret } from '../secret.ts'
import { withDeadline } from './deadline.ts'
import { parseEntryText } from './entry.ts'
import { addDeadlineMs, createIndex, type Revocation, type RevocationList } from './list.ts'
import { createRedis } from './redis-connection.ts'
import { startReader } from './redis-reader.ts'
import type { StreamEntry } from './redis-stream.ts'
import { createWriter } from './redis-writer.ts'

export interface RedisListOptions {
  /** redis:// or rediss:// */
  readonly url: Secret
  readonly log: Log
  /** Unix milliseconds. */
  readonly now: () => number
  /** Milliseconds; never set back or forth. */
  readonly monotonic?: () => number
  /** How long the opening waits for the first whole reading. */
  readonly startMs?: number
  readonly addMs?: number
}

/** A list whose last proof is older is not current. */
const staleMs = 1000

/** Resolves once the list is current, or after startMs without that; rejects never. */
export async function openRedisList({
  url,
  log,
  now,
  monotonic = () => performance.now(),
  startMs = 2000,
  addMs = addDeadlineMs,
}: RedisListOptions): Promise<RevocationList> {
  const index = createIndex({ now, log })
  const redis = createRedis(url)
  const writer = createWriter({ redis, log, now })
  /** While the stream is read as a whole: the entries in force that it holds. */
  let stored: Set<Revocation> | undefined
  let isFirst = true
  let onFirst = () => {}
  const first = new Promise<void>((resolve) => {
    onFirst = resolve
  })

  function onEntries(entries: readonly StreamEntry[]): void {
    let unreadable = 0
    for (const { text } of entries) {
      const entry = text === undefined ? undefined : parseEntryText(text)
      if (entry === undefined) {
        unreadable++
        continue
      }
      const held = index.put(entry, { isSilent: isFirst })
      if (held?.until !== entry.until) continue
      stored?.add(held)
      writer.seen(held)
    }
    // Not current for ever would be worse: whoever can write such an entry can also delete all others, and could as well switch
    // off everything that is issued.
    if (unreadable > 0)
      log.error({ detail: `${unreadable} entries` }, 'Redis holds what is no revocation: whom it meant is not revoked')
  }

  function writeBackMissing(): void {
    for (const entry of index.entries()) if (!stored?.has(entry)) void writer.write(entry)
    stored = undefined
  }

  const reader = startReader({
    redis,
    log,
    now,
    monotonic,
    onBegin: () => {
      stored = new Set()
    },
    onEntries,
    onWhole: () => {
      writeBackMissing()
      isFirst = false
      onFirst()
    },
  })

  const ageMs = () => monotonic() - (reader.provenAt() ?? Number.NEGATIVE_INFINITY)
  const isCurrent = () => ageMs() < staleMs

  await withDeadline(first, startMs, 'REDIS_TOO_SLOW').catch(() => {})
  return {
    find: index.find,
    entries: index.entries,
    isCurrent,
    add: async (revocation) => {
      const held = index.put(revocation)
      if (held !== undefined) await withDeadline(writer.write(held), addMs, 'REVOCATION_TOO_SLOW')
    },
    onAdded: index.onAdded,
    close: async () => {
      redis.close()
      await Promise.all([reader.stopped, writer.stop()])
    },
    state: () => ({
      store: 'redis',
      entries: index.entries().length,
      isCurrent: isCurrent(),
      ...(reader.provenAt() !== undefined && { ageSeconds: Math.round(ageMs()) / 1000 }),
    }),
  }
}
