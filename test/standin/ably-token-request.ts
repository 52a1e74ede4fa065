// How Ably redeems a TokenRequest: every check of its requestToken endpoint, in the order in which it makes them.
// https://ably.com/docs/api/token-request-spec; the order is that of ably/ably-server, internal/auth/auth.go.
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { intersect, parseCapability, toCanonical } from './ably-capability.ts'

/** `capability` is JSON text and defaults to everything; tokens of a `revocable` key live for an hour at most. */
export type AblyKey = { name: string; secret: string; capability?: string; revocable?: boolean }

export type AblyError = { statusCode: number; code: number; message: string }

/** `issued` and `expires` are Unix milliseconds; `capability` is JSON text and always there. */
export type AblyTokenDetails = {
  token: string
  keyName: string
  issued: number
  expires: number
  capability: string
  clientId?: string
}

type Redemption = { keyName: string; body: string; authorization?: string | undefined }

export const everything = '{"[*]*":["*"]}'

const minute = 60_000
const hour = 60 * minute
const day = 24 * hour

const fail = (statusCode: number, code: number, message: string): AblyError => ({ statusCode, code, message })

// An authUrl that goes through a query string turns the numbers into strings; Ably takes both.
const toMs = (value: unknown): number | undefined =>
  (typeof value === 'number' && Number.isSafeInteger(value)) || (typeof value === 'string' && /^-?\d+$/.test(value))
    ? Number(value)
    : undefined

const isEqual = (left: string, right: string) =>
  Buffer.byteLength(left) === Buffer.byteLength(right) && timingSafeEqual(Buffer.from(left), Buffer.from(right))

const parseBody = (body: string): Record<string, unknown> | undefined => {
  try {
    const value: unknown = JSON.parse(body)
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
    // ably-js sends `"clientId":null` for an anonymous client: null counts as absent.
    return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== null))
  } catch {
    return undefined
  }
}

const isTextOrAbsent = (value: unknown): value is string | undefined => value === undefined || typeof value === 'string'

/** A redeemer with its own memory of nonces. It answers the token's details, or the error that Ably documents. */
export const createRedeemer = ({ keys, now }: { keys: readonly AblyKey[]; now: () => number }) => {
  const nonces = new Set<string>()

  return ({ keyName, body, authorization }: Redemption): AblyTokenDetails | AblyError => {
    const fields = parseBody(body)
    if (!fields) return fail(400, 40001, 'Invalid request body: not a JSON object')
    const { capability, clientId, nonce, mac } = fields
    if (!isTextOrAbsent(capability) || !isTextOrAbsent(clientId) || !isTextOrAbsent(nonce) || !isTextOrAbsent(mac)) {
      return fail(400, 40001, 'Invalid request body: a field has the wrong type')
    }
    if (clientId === '') return fail(400, 40012, 'clientId can’t be an empty string')

    // 1. keyName
    if (fields['keyName'] !== keyName) return fail(400, 40000, 'keyName differs between path and body')
    const key = keys.find(({ name }) => name === keyName)
    const [appId = ''] = keyName.split('.')
    if (!key) {
      return keys.some(({ name }) => name.startsWith(`${appId}.`))
        ? fail(401, 40400, 'Key not found')
        : fail(404, 40400, 'App not found')
    }

    // 2. capability. Empty text means none was asked for, which gives the key's own: ably-js signs undefined as ''.
    const asked = capability ? parseCapability(capability) : undefined
    if (capability && !asked) return fail(400, 40000, 'Invalid capability')

    // 3. ttl
    const ttl = fields['ttl'] === undefined ? 0 : toMs(fields['ttl'])
    if (ttl === undefined || ttl < 0) return fail(400, 40003, 'Invalid ttl')
    if (ttl > (key.revocable ? hour : day)) return fail(400, 40003, 'Invalid ttl: above the permitted maximum')

    // 4. mac, over the capability as it was sent: nobody re-serialises it.
    const timestamp = fields['timestamp'] ?? ''
    const text = [keyName, ttl || '', capability ?? '', clientId ?? '', timestamp, nonce ?? '', ''].join('\n')
    if (mac) {
      const expected = createHmac('sha256', key.secret).update(text).digest('base64')
      if (!isEqual(mac, expected)) return fail(401, 40101, 'Request mac does not match')
    } else {
      const basic = `Basic ${Buffer.from(`${key.name}:${key.secret}`).toString('base64')}`
      if (!isEqual(authorization ?? '', basic)) return fail(401, 40101, 'Request mac not provided')
    }

    // 5. timestamp. Whoever shows the key itself may leave out what only guards against a replay.
    const signedAt = toMs(timestamp)
    const isReplayable = mac || timestamp !== ''
    if (isReplayable && (signedAt === undefined || Math.abs(now() - signedAt) > 2 * minute)) {
      return fail(401, 40104, 'Timestamp not current')
    }

    // 6. nonce. The cloud's own error for a short one is not documented; at least 16 characters is.
    if (mac || nonce !== undefined) {
      if ((nonce ?? '').length < 16) return fail(400, 40003, 'Invalid nonce: shorter than 16 characters')
      if (nonces.has(`${keyName}\n${nonce}`)) return fail(401, 40105, 'Nonce value replayed')
      nonces.add(`${keyName}\n${nonce}`)
    }

    // 7. intersection. The key's own text is answered verbatim when nothing was asked for.
    const own = key.capability ?? everything
    const granted = asked && intersect(asked, parseCapability(own) ?? new Map())
    if (granted?.size === 0)
      return fail(401, 40160, 'The requested capability and that of the key have nothing in common')

    const issued = now()
    return {
      token: `${appId}.${randomBytes(24).toString('base64url')}`,
      keyName,
      issued,
      expires: issued + (ttl || hour),
      capability: granted ? toCanonical(granted) : own,
      ...(clientId === undefined ? {} : { clientId }),
    }
  }
}
