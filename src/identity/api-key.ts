// API keys: how a server of the operator’s says who it is. It owns their form, their digests, and for whom they may act.
// A key has 256 random bits, so a plain SHA-256 keeps it; a slow hash would only slow down this service (facts 3b).

import { hash, randomBytes, randomInt, timingSafeEqual } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { type Refusal, refusal } from '../errors.ts'
import type { Report } from '../policy/faults.ts'
import { type Pattern, parsePattern } from '../policy/pattern.ts'
import type { CallersDocument } from '../policy/schema.ts'
import { type Caller, type Claims, isSubject, toClaims } from './caller.ts'

export type ApiKeyDocument = NonNullable<CallersDocument['apiKeys']>[number]
/** @param onBehalfOf the value of Usher-On-Behalf-Of, undefined where the header is absent. */
export type IdentifyApiKey = (key: string, onBehalfOf: string | undefined) => Caller | Refusal

const form = /^tok_[a-z]{1,8}_([a-z0-9]{8,12})_[A-Za-z0-9_-]{43}_([0-9A-Za-z]{6})$/
const base62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const lowerAlphanumeric = 'abcdefghijklmnopqrstuvwxyz0123456789'

/** A new key; `sha256` is what the policy file stores, and nothing can show `key` again. */
export function createApiKey(env = 'live'): { key: string; id: string; sha256: string } {
  const id = Array.from({ length: 10 }, () => lowerAlphanumeric[randomInt(lowerAlphanumeric.length)]).join('')
  const body = `tok_${env}_${id}_${randomBytes(32).toString('base64url')}`
  const key = `${body}_${checksum(body)}`
  return { key, id, sha256: sha256(key).toString('hex') }
}

/** No JWT begins like this: it begins with a JSON object in base64url, and `tok_` decodes to no ASCII. */
export const looksLikeApiKey = (text: string): boolean => text.startsWith('tok_')

interface ApiKey {
  readonly id: string
  readonly digest: Buffer
  readonly claims: Claims
  readonly onBehalfOf: Pattern | undefined
  readonly endsAtMs: number
}

/** @param now Unix time in milliseconds. @throws where `checkApiKeys` would have reported a fault. */
export function openApiKeys(documents: readonly ApiKeyDocument[], now: () => number): IdentifyApiKey {
  const byId = new Map(documents.map((document) => [document.id, compileApiKey(document)]))
  const nobody = randomBytes(32)

  return (text, onBehalfOf) => {
    const [, id, crc] = form.exec(text) ?? []
    if (id === undefined) return refuse('the API key is malformed')
    if (crc !== checksum(text.slice(0, -7))) return refuse('the API key is garbled: its checksum is wrong')
    const key = byId.get(id)
    const isRight = timingSafeEqual(sha256(text), key?.digest ?? nobody)
    if (key === undefined || !isRight) return refuse(`API key ${id} is unknown or wrong`)
    if (now() >= key.endsAtMs) return refuse(`API key ${id} has ended`)
    return actFor(key, onBehalfOf)
  }
}

/** Whom a key of this document makes its holder; `usher policy explain` asks it without the key. */
export const callerOfApiKey = (document: ApiKeyDocument, onBehalfOf: string | undefined): Caller | Refusal =>
  actFor(compileApiKey(document), onBehalfOf)

function actFor(key: ApiKey, onBehalfOf: string | undefined): Caller | Refusal {
  if (onBehalfOf === undefined) return toCaller(key)
  if (key.onBehalfOf === undefined || !isSubject(onBehalfOf) || !key.onBehalfOf.matches(onBehalfOf))
    return refusal('not_on_behalf')
  return { ...toCaller(key), subject: onBehalfOf }
}

/** Reports what `openApiKeys` cannot use. */
export function checkApiKeys(documents: readonly ApiKeyDocument[], now: () => number, report: Report): void {
  const ids = new Set<string>()
  documents.forEach(({ id, onBehalfOf, notAfter }, index) => {
    const path = `callers.apiKeys[${index}]`
    if (ids.has(id)) report.fault(`${path}.id`, `is used twice: ${id}`, 'Give each key its own id')
    ids.add(id)
    const pattern = onBehalfOf === undefined ? undefined : parsePattern(onBehalfOf)
    if (typeof pattern === 'string') report.fault(`${path}.onBehalfOf`, pattern, 'Correct the pattern')
    const endsAtMs = endOf(notAfter)
    if (endsAtMs === undefined) report.fault(`${path}.notAfter`, 'is no day of the calendar', 'Correct the date')
    else if (now() >= endsAtMs) report.warning(`${path}.notAfter`, 'is past', 'Remove the key, or move the date')
  })
}

function compileApiKey({ id, sha256, claims = {}, onBehalfOf, notAfter }: ApiKeyDocument): ApiKey {
  const pattern = onBehalfOf === undefined ? undefined : parsePattern(onBehalfOf)
  const endsAtMs = endOf(notAfter)
  if (typeof pattern === 'string' || endsAtMs === undefined) throw new TypeError(`API key ${id} was not checked`)
  return { id, digest: Buffer.from(sha256, 'hex'), claims: toClaims(claims), onBehalfOf: pattern, endsAtMs }
}

const toCaller = ({ id, claims, endsAtMs }: ApiKey): Caller => ({
  kind: 'apiKey',
  source: id,
  claims,
  ...(endsAtMs !== Number.POSITIVE_INFINITY && { expiresAt: Math.floor(endsAtMs / 1000) }),
})

/** The first millisecond at which the key is no more; a date stands for the end of its day. Undefined: no such day. */
function endOf(notAfter: string | undefined): number | undefined {
  if (notAfter === undefined) return Number.POSITIVE_INFINITY
  const isDate = notAfter.length === 10
  const time = Date.parse(isDate ? `${notAfter}T00:00:00Z` : notAfter)
  // Date.parse takes 31 February for 3 March.
  if (Number.isNaN(time) || !new Date(time).toISOString().startsWith(notAfter.slice(0, 10))) return undefined
  return isDate ? time + 86_400_000 : time
}

function checksum(text: string): string {
  let rest = crc32(text)
  let digits = ''
  for (let place = 0; place < 6; place++, rest = Math.floor(rest / 62)) digits = base62[rest % 62] + digits
  return digits
}

const sha256 = (text: string): Buffer => hash('sha256', text, 'buffer')
const refuse = (detail: string): Refusal => refusal('unauthenticated', undefined, detail)
