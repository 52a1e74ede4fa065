// Direct tokens: a TokenRequest is exchanged at Ably. It owns the deadline, the one retry, the cap, and honest errors.
// POST /keys/{keyName}/requestToken, https://ably.com/docs/api/rest-api#request-token

import { type Refusal, refusal } from '../../errors.ts'
import type { SignedTokenRequest, TokenDetails } from './credentials.ts'

export interface ExchangeOptions {
  /** Base addresses: the first is asked first, the second once where it fails. */
  readonly hosts: readonly string[]
  readonly fetch: typeof fetch
  /** For one try; two of them stay below the 10 s after which an SDK gives up on us. */
  readonly timeoutMs?: number
  readonly maxInFlight?: number
}

const maxAnswerBytes = 131_072

/** @param sign signs anew for each try: a nonce that Ably has seen is refused (40105). */
export type Exchange = (sign: () => Promise<SignedTokenRequest>) => Promise<TokenDetails | Refusal>

export function createExchange({ hosts, fetch, timeoutMs = 3500, maxInFlight = 32 }: ExchangeOptions): Exchange {
  let inFlight = 0
  return async (sign) => {
    if (inFlight >= maxInFlight) return refusal('overloaded', undefined, 'ably: too many token exchanges under way')
    inFlight++
    try {
      let failure: Refusal | undefined
      for (const host of hosts.slice(0, 2)) {
        const outcome = await attempt(host, await sign())
        if (!('retry' in outcome)) return outcome.result
        failure = outcome.retry
      }
      return failure ?? refusal('provider_unavailable')
    } finally {
      inFlight--
    }
  }

  async function attempt(
    host: string,
    request: SignedTokenRequest,
  ): Promise<{ result: TokenDetails | Refusal } | { retry: Refusal }> {
    try {
      const response = await fetch(`${host}/keys/${request.keyName}/requestToken`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', accept: 'application/json', 'x-ably-version': '6' },
        body: JSON.stringify(request),
        redirect: 'error',
        signal: AbortSignal.timeout(timeoutMs),
      })
      const text = await readText(response)
      if (response.status >= 500)
        return { retry: refusal('provider_unavailable', undefined, `ably: status ${response.status}`) }
      if (response.status === 429)
        return { result: refusal('provider_unavailable', undefined, 'ably: status 429, its rate limit') }
      // A 401 or 403 here speaks of our key, never of the caller: he must not see that status.
      if (!response.ok)
        return {
          result: refusal('provider_failed', undefined, `ably: status ${response.status}, error ${errorCode(text)}`),
        }
      const details = parseDetails(text)
      return { result: details ?? refusal('provider_failed', undefined, 'ably: the answer is no TokenDetails') }
    } catch (error) {
      // Messages of fetch can hold addresses: the name says enough.
      return { retry: refusal('provider_unavailable', undefined, `ably: ${(error as Error).name}`) }
    }
  }
}

async function readText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of response.body ?? []) {
    size += chunk.length
    if (size > maxAnswerBytes) throw new RangeError('the answer is too large')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}

function parseDetails(text: string): TokenDetails | undefined {
  const { token, keyName, issued, expires, capability, clientId } = fromJson(text)
  const isWhole =
    typeof token === 'string' &&
    /^[\x21-\x7e]{1,8192}$/.test(token) &&
    Number.isSafeInteger(issued) &&
    Number.isSafeInteger(expires) &&
    typeof capability === 'string' &&
    (clientId === undefined || typeof clientId === 'string') &&
    (keyName === undefined || typeof keyName === 'string')
  if (!isWhole) return undefined
  return {
    token,
    issued: issued as number,
    expires: expires as number,
    capability,
    ...(keyName === undefined ? {} : { keyName }),
    ...(clientId === undefined ? {} : { clientId }),
  }
}

const errorCode = (text: string): string => {
  const { error } = fromJson(text)
  const code = (error as { code?: unknown } | undefined)?.code
  return Number.isSafeInteger(code) ? String(code) : 'unknown'
}

function fromJson(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}
