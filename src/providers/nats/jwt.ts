// The JWT of NATS. It owns its form: the header, three parts of base64url, signed by an nkey (nats-io/jwt, v2/claims.go).

import { randomUUID } from 'node:crypto'
import { type Signer, verifyNkey } from './nkeys.ts'

const algorithm = 'ed25519-nkey'
const header = Buffer.from(JSON.stringify({ typ: 'JWT', alg: algorithm })).toString('base64url')

/** Adds `iss`, and a random `jti` (RFC 7519, section 4.1.7: any text that is not used twice). */
export function encodeNatsJwt(claims: Readonly<Record<string, unknown>>, { publicKey, sign }: Signer): string {
  const whole = { ...claims, iss: publicKey, jti: randomUUID() }
  const body = `${header}.${Buffer.from(JSON.stringify(whole)).toString('base64url')}`
  return `${body}.${sign(Buffer.from(body, 'latin1')).toString('base64url')}`
}

export interface DecodedNatsJwt {
  readonly claims: Readonly<Record<string, unknown>>
  /** Whether `iss` is a key of this kind, and signed it. */
  verify(kind: 'account' | 'user' | 'server' | 'operator'): boolean
}

/**
 * Three parts of base64url. The signature’s last character carries two bits: any other text of the same 64 bytes is refused, so
 * that a JWT has one text.
 */
const form = /^([\w-]+)\.([\w-]+)\.([\w-]{85}[AQgw])$/

/** Undefined for anything but three parts with this header and a JSON object. Checks no signature. */
export function decodeNatsJwt(text: string): DecodedNatsJwt | undefined {
  const [, head = '', payload = '', signature = ''] = form.exec(text) ?? []
  if (head !== header && !isHeader(parse(head))) return undefined
  const claims = parse(payload)
  if (claims === undefined) return undefined
  return {
    claims,
    verify: (kind) =>
      typeof claims['iss'] === 'string' &&
      verifyNkey(
        claims['iss'],
        kind,
        Buffer.from(text.slice(0, -signature.length - 1), 'latin1'),
        Buffer.from(signature, 'base64url'),
      ),
  }
}

/** In another order, say. A third member is refused: `crit` must be understood (RFC 7515, section 4.1.11), and NATS has none. */
const isHeader = (value: Record<string, unknown> | undefined): boolean =>
  value?.['typ'] === 'JWT' && value['alg'] === algorithm && Object.keys(value).length === 2

function parse(part: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString())
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined
  } catch {
    return undefined
  }
}
