// The audit: one line a decision, written before the answer leaves. It owns the line and the promise that it was written.

import { hash } from 'node:crypto'
import fs from 'node:fs'
import { type Refusal, refusal } from './errors.ts'
import type { Caller } from './identity/caller.ts'
import { toErrorFields } from './log.ts'

export interface AuditEntry {
  readonly requestId: string
  readonly provider: string
  /** connected = let into nats-server with a token; revoked = cut off. */
  readonly outcome: 'issued' | 'refused' | 'connected' | 'revoked'
  readonly caller?: Caller | undefined
  /** Client address, as the trusted proxies tell it. */
  readonly address?: string
  readonly reason?: string
  /** Why, in words that the caller does not get. */
  readonly detail?: string | undefined
  /** What was asked for and refused. */
  readonly ask?: object | undefined
  readonly rights?: object
  /** Unix seconds; null = no end. */
  readonly expiresAt?: number | null
  readonly grants?: readonly string[]
  /** Digest of the policy that decided. */
  readonly policy: string
  /** By which POST /revoke knows it. */
  readonly tokenId?: string | undefined
  /** Text of the credential; only its fingerprint is kept. */
  readonly identifies?: string | undefined
}

export interface Audit {
  /** Resolves once write(2) has taken the line; rejects where it has not, and then nothing may be issued. */
  record(entry: AuditEntry): Promise<void>
}

/** Takes whole lines; rejects where they could not be written. */
export type Sink = (lines: string) => Promise<void>

const failure = (code: string): Error => Object.assign(new Error(code), { code })

/** What becomes of a decision that could not be recorded. Its detail is a code: the message of an error can hold anything. */
export function refuseUnrecorded(error: unknown): Refusal {
  const { code, error: name } = toErrorFields(error)
  return refusal('audit_unavailable', undefined, `audit: ${code ?? name}`)
}

/** First 16 bytes of SHA-256, in hex: enough to find a token again, useless to anybody else. */
export const fingerprint = (text: string): string => hash('sha256', text, 'hex').slice(0, 32)

interface Batch {
  lines: string
  readonly waiters: { resolve(): void; reject(error: Error): void }[]
  settle(error?: Error): void
}

/**
 * Lines that come in one turn of the event loop, or while a write is under way, go out together: each answer waits for its
 * own line, and many share one system call.
 * @param maxWaiting lines that may wait; above that the sink is too slow, and record() rejects at once
 * @param timeoutMs how long an answer waits for its line
 */
export function createAudit(
  sink: Sink,
  now: () => number,
  { maxWaiting = 10_000, timeoutMs = 2000 }: { maxWaiting?: number; timeoutMs?: number } = {},
): Audit {
  let waiting: Batch | undefined
  let isWriting = false

  function createBatch(): Batch {
    const timer = setTimeout(() => {
      // A sink that hangs keeps `isWriting`: nothing piles up behind it but one batch, which gives up in its turn.
      if (waiting === batch) waiting = undefined
      batch.settle(failure('AUDIT_TOO_SLOW'))
    }, timeoutMs)
    const batch: Batch = {
      lines: '',
      waiters: [],
      settle: (error) => {
        clearTimeout(timer)
        for (const { resolve, reject } of batch.waiters.splice(0)) error === undefined ? resolve() : reject(error)
      },
    }
    return batch
  }

  function flush(): void {
    const batch = waiting
    if (batch === undefined || isWriting) return
    waiting = undefined
    isWriting = true
    sink(batch.lines)
      .then(() => batch.settle(), batch.settle)
      .finally(() => {
        isWriting = false
        flush()
      })
  }

  return {
    record: (entry) => {
      if (waiting === undefined) {
        waiting = createBatch()
        if (!isWriting) setImmediate(flush)
      }
      const batch = waiting
      if (batch.waiters.length >= maxWaiting) return Promise.reject(failure('AUDIT_QUEUE_FULL'))
      batch.lines += `${toLine(entry, now())}\n`
      return new Promise((resolve, reject) => batch.waiters.push({ resolve, reject }))
    },
  }
}

/** An ask can be long: its beginning tells what somebody is after. */
const toText = (ask: object): string =>
  JSON.stringify(ask, (_key, value) => (value instanceof Map ? Object.fromEntries(value) : value)).slice(0, 1000)

/** Field by field: what is not named here is in no line. */
function toLine(entry: AuditEntry, nowMs: number): string {
  const { caller, identifies } = entry
  const line = JSON.stringify({
    audit: 1,
    time: new Date(nowMs).toISOString(),
    requestId: entry.requestId,
    provider: entry.provider,
    outcome: entry.outcome,
    reason: entry.reason,
    detail: entry.detail,
    caller: caller && { kind: caller.kind, source: caller.source, subject: caller.subject },
    address: entry.address,
    ask: entry.ask && toText(entry.ask),
    rights: entry.rights,
    expiresAt: entry.expiresAt,
    grants: entry.grants,
    policy: entry.policy,
    tokenId: entry.tokenId,
    token: identifies === undefined ? undefined : fingerprint(identifies),
  })
  // JSON leaves them as they are, and some readers break a line at U+2028, or a terminal obeys U+009B.
  return line.replace(/[\u007f-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/**
 * Writes to an open file descriptor, whole, in order. A full pipe (EAGAIN) is tried again for as long as it takes:
 * who waits for the line has a deadline of his own.
 * Where a write broke off inside a line, the next one begins a new line: what follows stays readable.
 */
export function toFileDescriptor(fd: number, write = fs.write): Sink {
  let isTorn = false
  return (lines) =>
    new Promise((resolve, reject) => {
      const bytes = Buffer.from(isTorn ? `\n${lines}` : lines)
      const step = (from: number): void =>
        write(fd, bytes, from, bytes.length - from, null, (error, written) => {
          if (error?.code === 'EAGAIN') setTimeout(step, 5, from)
          else if (error) {
            isTorn ||= from > 0
            reject(error)
          } else if (from + written < bytes.length) step(from + written)
          else {
            isTorn = false
            resolve()
          }
        })
      step(0)
    })
}
