// The stream in Redis that holds the entries. It owns its key, its commands and the reading of their replies. Redis 7.0 or later,
// or Valkey: older ones do not count what was ever added (https://redis.io/docs/latest/commands/xinfo-stream/).

import { ErrorReply } from '@redis/client'
import { failure } from './deadline.ts'
import { toEntryText } from './entry.ts'
import type { Revocation } from './list.ts'
import type { Send } from './redis-connection.ts'

const key = 'usher:revocations'
const field = 'r'
/** No token lives longer than 24 hours; the rest is for clocks that differ. */
const keepMs = 25 * 3_600_000
/** Entries of one reply. */
export const pageSize = 1000

/** How far a stream has come. Two looks at one stream are told from looks at two streams by both together. */
export interface Position {
  /** Milliseconds, dash, number; ascending. */
  readonly lastId: string
  /** How many were ever added. */
  readonly added: number
}

export const beginning: Position = { lastId: '0-0', added: 0 }

export interface StreamEntry {
  readonly id: string
  /** Undefined where it is not one of ours. */
  readonly text: string | undefined
}

/** Resolves once Redis has it. */
export async function append(send: Send, revocation: Revocation): Promise<void> {
  idOf(await send(['XADD', key, '*', field, toEntryText(revocation)]))
}

/** At most a page of the entries behind `id`. @param blockMs how long to wait for the first one where there is none */
export async function readAfter(send: Send, id: string, blockMs: number): Promise<readonly StreamEntry[]> {
  const block = blockMs > 0 ? ['BLOCK', String(blockMs)] : []
  const reply = await send(['XREAD', 'COUNT', String(pageSize), ...block, 'STREAMS', key, id], { blocksMs: blockMs })
  if (reply === null) return []
  const [[, entries]] = listOf(listOf(reply).map(listOf), 1) as [readonly unknown[]]
  return listOf(entries).map((entry) => {
    const [entryId, fields] = listOf(entry)
    const [name, text] = Array.isArray(fields) ? fields : []
    return { id: idOf(entryId), text: name === field && typeof text === 'string' ? text : undefined }
  })
}

/**
 * Drops what has ended long ago, and looks where the stream stands. That the dropping is a write is wanted: a node that takes no
 * writes (READONLY, NOREPLICAS, MISCONF) is none where a revocation would be heard of, however readily it is read.
 * @param nowMs Unix milliseconds
 */
export async function trimAndLook(send: Send, nowMs: number): Promise<Position> {
  const [, info] = await Promise.all([
    send(['XTRIM', key, 'MINID', '~', String(nowMs - keepMs)]),
    send(['XINFO', 'STREAM', key]).catch((error: unknown) => {
      if (error instanceof ErrorReply && error.message === 'ERR no such key') return undefined
      throw error
    }),
  ])
  if (info === undefined) return beginning
  const pairs = listOf(info)
  const infoOf = (name: string): unknown => (pairs.includes(name) ? pairs[pairs.indexOf(name) + 1] : undefined)
  const added = infoOf('entries-added')
  if (added === undefined) throw failure('REDIS_BEFORE_7')
  if (typeof added !== 'number') throw failure('REDIS_GARBLED')
  return { lastId: idOf(infoOf('last-generated-id')), added }
}

/** Whether `now` can be the stream that was read up to `read`, with or without more behind that. */
export const isSameStream = (read: Position, now: Position): boolean =>
  now.added === read.added ? now.lastId === read.lastId : now.added > read.added && isAfter(now.lastId, read.lastId)

export function isAfter(id: string, other: string): boolean {
  const [a, b] = [id, other].map((text) => text.split('-').map(BigInt))
  const [ms = 0n, number = 0n] = a ?? []
  const [otherMs = 0n, otherNumber = 0n] = b ?? []
  return ms === otherMs ? number > otherNumber : ms > otherMs
}

function idOf(value: unknown): string {
  if (typeof value !== 'string' || !/^\d{1,20}-\d{1,20}$/.test(value)) throw failure('REDIS_GARBLED')
  return value
}

function listOf(value: unknown, minLength = 0): readonly unknown[] {
  if (!Array.isArray(value) || value.length < minLength) throw failure('REDIS_GARBLED')
  return value
}
