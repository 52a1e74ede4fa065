// The keys of an issuer. It owns: when they are fetched, how long they are believed, and what holds while the IdP is away.
// No request waits for an IdP whose keys are known, and no caller, known or forged, can make this service hammer it.

import { createLocalJWKSet, errors, type JWTVerifyGetKey } from 'jose'
import { parseKeySet } from './jwks-document.ts'

const timeoutMs = 2_000
const maxBytes = 256 * 1024
const maxAgeMs = 10 * 60_000
/** How long a key that the IdP has withdrawn is still believed while the IdP cannot be reached. */
const maxStaleMs = 24 * 3_600_000
const failurePauseMs = 10_000
/** A new key is seen after this time at most; an invented `kid` costs the IdP one fetch in it. */
const unknownKeyPauseMs = 30_000

export interface KeySetState {
  readonly ageSeconds?: number
  readonly lastError?: string
}

export interface KeySet {
  /** @throws {KeysUnavailable} where no key may be used at the moment, and jose’s own errors where none fits the token. */
  readonly resolve: JWTVerifyGetKey
  /** Fetches the keys before the first caller needs them. Never rejects; `state` says how it went. */
  warm(): Promise<void>
  state(): KeySetState
}

/** The fault is on our side of the conversation: the caller is told to come back, not to log in again. */
export class KeysUnavailable extends Error {}

interface KeySetOptions {
  readonly url: string
  readonly fetch?: typeof globalThis.fetch
  /** Milliseconds on a clock that never steps; only differences are read. */
  readonly now?: () => number
}

/** The key set behind `jwksUri`. Nothing is fetched before the first use. */
export function openKeySet({ url, fetch = globalThis.fetch, now = () => performance.now() }: KeySetOptions): KeySet {
  let known: { readonly resolve: JWTVerifyGetKey; readonly fetchedAt: number } | undefined
  let lastError: string | undefined
  let attemptedAt = Number.NEGATIVE_INFINITY
  let pending: Promise<void> | undefined

  const ageMs = () => (known === undefined ? Number.POSITIVE_INFINITY : now() - known.fetchedAt)

  /** Joins the fetch under way, or starts one unless the last began less than `pauseMs` ago. Never rejects. */
  const renew = async (pauseMs: number): Promise<void> => {
    if (pending === undefined && now() - attemptedAt >= pauseMs) {
      attemptedAt = now()
      pending = attempt(attemptedAt).finally(() => {
        pending = undefined
      })
    }
    await pending
  }

  const attempt = async (fetchedAt: number): Promise<void> => {
    try {
      known = { resolve: resolverOf(await fetchText(url, fetch)), fetchedAt }
      lastError = undefined
    } catch (error) {
      lastError = textOf(error)
    }
  }

  const current = (): JWTVerifyGetKey => {
    if (known !== undefined && ageMs() <= maxStaleMs) return known.resolve
    throw new KeysUnavailable(lastError ?? 'no keys were fetched yet')
  }

  return {
    resolve: async (header, token) => {
      // The second half: after an idle time a withdrawn key must not pass once more. In an outage the last attempt is young.
      if (ageMs() > maxStaleMs || now() - attemptedAt > maxAgeMs) await renew(failurePauseMs)
      else if (ageMs() > maxAgeMs / 2) void renew(failurePauseMs)
      try {
        return await current()(header, token)
      } catch (error) {
        if (!(error instanceof errors.JWKSNoMatchingKey)) throw error
        await renew(unknownKeyPauseMs)
        return current()(header, token)
      }
    },
    warm: () => renew(failurePauseMs),
    state: () => ({
      ...(known !== undefined && { ageSeconds: Math.floor(ageMs() / 1000) }),
      ...(lastError !== undefined && { lastError }),
    }),
  }
}

/** The key set of a `jwksFile`; it has no age. A string is the rule that was broken. */
export function keySetOfText(text: string): KeySet | string {
  const keys = parseKeySet(text)
  if (typeof keys === 'string') return keys
  return { resolve: createLocalJWKSet(keys), warm: async () => {}, state: () => ({}) }
}

function resolverOf(text: string): JWTVerifyGetKey {
  const keys = parseKeySet(text)
  if (typeof keys === 'string') throw new Error(`the key set ${keys}`)
  return createLocalJWKSet(keys)
}

/** The timeout covers the body too: an answer that drips is a hung one. */
async function fetchText(url: string, fetch: typeof globalThis.fetch): Promise<string> {
  const response = await fetch(url, { redirect: 'error', signal: AbortSignal.timeout(timeoutMs) })
  const chunks: Uint8Array[] = []
  let bytes = 0
  // Leaving the loop cancels the stream, and with it the connection.
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength
    if (bytes > maxBytes) throw new Error(`the answer is larger than ${maxBytes} bytes`)
    chunks.push(chunk)
  }
  if (response.status !== 200) throw new Error(`the answer has status ${response.status}`)
  return Buffer.concat(chunks).toString()
}

/** What Node’s fetch has to say stands in `cause`; its own message is always "fetch failed". */
function textOf(error: unknown): string {
  const { message, cause } = error as { message: string; cause?: { code?: string; message?: string } }
  const reason = cause?.code ?? cause?.message
  return reason === undefined ? message : `${message}: ${reason}`
}
