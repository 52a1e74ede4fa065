// The revocation list: who may get nothing more. This folder owns what an entry is, where entries last, and the judgement by them.
// This file owns the contract, and the index in memory that every issuance and every connect asks.

import { type Log, toErrorFields } from '../log.ts'
import { isRevocation } from './entry.ts'

/** One entry. Without tokenId it concerns everything of that user. */
export interface Revocation {
  readonly source: string
  readonly subject?: string
  readonly tokenId?: string
  /** Unix seconds, when it can be forgotten because every token that it concerns has ended. */
  readonly until: number
}

export interface Who {
  readonly source: string
  readonly subject?: string | undefined
  readonly tokenId?: string
}

export interface RevocationList {
  /** The entry that forbids it, if any. */
  find(who: Who): Revocation | undefined
  /** Those in force. */
  entries(): readonly Revocation[]
  /** Whether the list holds everything that anybody revoked more than a second ago; while false nothing may be given. */
  isCurrent(): boolean
  /**
   * Resolves once it is durable; rejects where it could not be made so within two seconds, and then that is tried again in the
   * background. Either way it is in force here at once.
   */
  add(revocation: Revocation): Promise<void>
  /** Hears each entry once that comes into force here, own or another replica's; not those read at start. @returns unsubscribes */
  onAdded(listener: (revocation: Revocation) => void): () => void
  close(): Promise<void>
  /** For /status and metrics. */
  state(): {
    readonly store: 'file' | 'redis'
    readonly entries: number
    readonly isCurrent: boolean
    /** Since the store was last known to be read to its end. */
    readonly ageSeconds?: number
  }
}

/** How long add() waits for its entry to be durable. */
export const addDeadlineMs = 2000

export interface Index extends Pick<RevocationList, 'find' | 'entries' | 'onAdded'> {
  /**
   * Puts it into force; of two that concern the same, the one with the later end stays. Listeners hear it where it is news.
   * @returns the entry that is in force now; undefined where it has ended
   * @throws TypeError where it is no entry
   */
  put(revocation: Revocation, options?: { isSilent?: boolean }): Revocation | undefined
}

/** Entries of one source. Maps in maps: no subject, however it is written, can pass for another one. */
interface OfSource {
  readonly users: Map<string, Revocation>
  readonly tokens: Map<string, Revocation>
}

const sweepMs = 60_000

/** @param now Unix milliseconds */
export function createIndex({ now, log }: { now: () => number; log: Log }): Index {
  const sources = new Map<string, OfSource>()
  const listeners = new Set<(revocation: Revocation) => void>()
  let sweptAt = now()

  const isInForce = (entry: Revocation | undefined): entry is Revocation =>
    entry !== undefined && entry.until * 1000 > now()

  function mapFor({ source, tokenId }: Revocation): Map<string, Revocation> {
    let known = sources.get(source)
    if (known === undefined) {
      known = { users: new Map(), tokens: new Map() }
      sources.set(source, known)
    }
    return tokenId === undefined ? known.users : known.tokens
  }

  /** Only an entry that is added makes the index grow, so that is when it is swept: no timers, and a clock set back mends itself. */
  function sweep(): void {
    if (Math.abs(now() - sweptAt) < sweepMs) return
    sweptAt = now()
    for (const [source, { users, tokens }] of sources) {
      for (const entries of [users, tokens])
        for (const [key, entry] of entries) if (!isInForce(entry)) entries.delete(key)
      if (users.size + tokens.size === 0) sources.delete(source)
    }
  }

  function tell(revocation: Revocation): void {
    for (const listener of listeners) {
      try {
        listener(revocation)
      } catch (error) {
        log.error(toErrorFields(error), 'a listener of the revocation list failed')
      }
    }
  }

  return {
    find: ({ source, subject, tokenId }) => {
      const known = sources.get(source)
      if (known === undefined) return undefined
      const user = subject === undefined ? undefined : known.users.get(subject)
      if (isInForce(user)) return user
      const token = tokenId === undefined ? undefined : known.tokens.get(tokenId)
      return isInForce(token) ? token : undefined
    },
    put: (revocation, { isSilent = false } = {}) => {
      if (!isRevocation(revocation)) throw new TypeError('not a revocation: source, subject or tokenId, until')
      if (!isInForce(revocation)) return undefined
      sweep()
      const entries = mapFor(revocation)
      const key = revocation.tokenId ?? (revocation.subject as string)
      const before = entries.get(key)
      if (isInForce(before) && before.until >= revocation.until) return before
      entries.set(key, revocation)
      if (!isSilent) tell(revocation)
      return revocation
    },
    entries: () =>
      [...sources.values()].flatMap(({ users, tokens }) => [...users.values(), ...tokens.values()].filter(isInForce)),
    onAdded: (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}
