// JWTs of configured issuers (RFC 7519; RFC 8725). It owns: which token is believed, as whom, and until when.
// A token names its issuer and nothing else: keys, algorithms, audience and type come from that issuer’s configuration.

import { decodeJwt, decodeProtectedHeader, errors, type JWTPayload, type JWTVerifyOptions, jwtVerify } from 'jose'
import { type Refusal, refusal } from '../errors.ts'
import { type CallersDocument, toSeconds } from '../policy/schema.ts'
import { type Caller, isSubject, toClaims } from './caller.ts'
import { type KeySet, KeysUnavailable } from './jwks.ts'

export type IssuerDocument = NonNullable<CallersDocument['jwt']>[number]

/** @param header the header that the token stood in; undefined is Authorization. */
export type VerifyJwt = (token: string, header: string | undefined) => Promise<Caller | Refusal>

const maxTokenBytes = 8192
/** RFC 7515, section 7.1: three parts, base64url without padding. */
const compactForm = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/
/** RFC 8725, section 3.10: a token does not say where its key is, nor (crit) that a rule must be read differently. */
const forbiddenHeaders = ['jku', 'x5u', 'jwk', 'x5c', 'crit']
/** RFC 8725, section 3.11: a logout token or a DPoP proof has a type of its own, and is no access token. */
const ordinaryTypes: ReadonlySet<unknown> = new Set([undefined, 'jwt', 'at+jwt'])

interface Issuer {
  readonly document: IssuerDocument
  readonly keys: KeySet
  readonly maxLifetimeSeconds: number
  readonly toleranceSeconds: number
  readonly options: JWTVerifyOptions
}

/** @param now Unix time in milliseconds. */
export function createVerifyJwt(
  issuers: readonly { readonly document: IssuerDocument; readonly keys: KeySet }[],
  now: () => number,
): VerifyJwt {
  const byName: ReadonlyMap<unknown, Issuer> = new Map(
    issuers.map(({ document, keys }) => [document.issuer, compileIssuer(document, keys)]),
  )

  // What was verified is not cached: a token has many spellings, and a cache that confuses two answers one user with another.
  return async (token, header) => {
    if (token.length > maxTokenBytes) return refuse(`the token is longer than ${maxTokenBytes} bytes`)
    if (!isCompact(token)) return refuse('the token is not a compact JWS')
    try {
      const { iss } = decodeJwt(token)
      const issuer = byName.get(iss)
      if (issuer === undefined) return refuse(`iss ${JSON.stringify(iss)?.slice(0, 128)} is not a configured issuer`)
      if (issuer.document.header !== header)
        return refuse(`the token stands in another header than ${source(issuer)} uses`)

      const fault = headerFault(decodeProtectedHeader(token), issuer)
      if (fault !== undefined) return refuse(fault)
      const { payload } = await jwtVerify(token, issuer.keys.resolve, {
        ...issuer.options,
        currentDate: new Date(now()),
      })
      return toCaller(payload, issuer, now() / 1000)
    } catch (error) {
      if (error instanceof KeysUnavailable) return refusal('identity_unavailable', undefined, `keys: ${error.message}`)
      return refuse(detailOf(error))
    }
  }
}

const compileIssuer = (document: IssuerDocument, keys: KeySet): Issuer => {
  const toleranceSeconds = toSeconds(document.clockTolerance ?? '30s')
  return {
    document,
    keys,
    maxLifetimeSeconds: toSeconds(document.maxLifetime ?? '24h'),
    toleranceSeconds,
    options: {
      issuer: document.issuer,
      audience: document.audience,
      algorithms: document.algorithms,
      clockTolerance: toleranceSeconds,
      requiredClaims: ['iss', 'aud', 'sub', 'exp', 'iat', ...(document.requiredClaims ?? [])],
      ...(document.typ !== undefined && { typ: document.typ }),
    },
  }
}

/** A signature has one spelling here: bits that base64url ignores in its last character must be zero (RFC 4648, section 3.5). */
const isCompact = (token: string): boolean => {
  const signature = token.slice(token.lastIndexOf('.') + 1)
  return compactForm.test(token) && Buffer.from(signature, 'base64url').toString('base64url') === signature
}

function headerFault(header: Readonly<Record<string, unknown>>, { document }: Issuer): string | undefined {
  const forbidden = forbiddenHeaders.find((name) => Object.hasOwn(header, name))
  if (forbidden !== undefined) return `the JOSE header has ${forbidden}`
  const typ =
    typeof header['typ'] === 'string' ? header['typ'].toLowerCase().replace(/^application\//, '') : header['typ']
  return document.typ === undefined && !ordinaryTypes.has(typ) ? 'typ is not that of an access token' : undefined
}

/** What jose leaves open: a type for every time, an end to every lifetime, and what a subject is made of. */
function toCaller(payload: JWTPayload, issuer: Issuer, nowSeconds: number): Caller | Refusal {
  const { sub, exp, iat, nbf } = payload
  if (!isTime(exp) || !isTime(iat) || !(nbf === undefined || isTime(nbf)))
    return refuse('exp, iat or nbf is not a time')
  if (iat > nowSeconds + issuer.toleranceSeconds) return refuse('iat lies in the future')
  if (exp <= iat || exp - iat > issuer.maxLifetimeSeconds) return refuse('exp - iat is outside maxLifetime')
  if (!isSubject(sub)) return refuse('sub is not 1 to 255 printable ASCII characters')
  const isAmbient = issuer.document.header !== undefined
  return {
    kind: 'jwt',
    source: source(issuer),
    subject: sub,
    claims: toClaims(payload),
    expiresAt: Math.floor(exp),
    ...(isAmbient && { isAmbient }),
  }
}

const source = ({ document }: Issuer): string => document.name
const isTime = (value: unknown): value is number =>
  typeof value === 'number' && Math.abs(value) <= Number.MAX_SAFE_INTEGER
const refuse = (detail: string): Refusal => refusal('unauthenticated', undefined, detail)

/** The code and the claim, never the message: some of jose’s messages quote the token. */
function detailOf(error: unknown): string {
  if (error instanceof errors.JWTClaimValidationFailed || error instanceof errors.JWTExpired)
    return `${error.code} (${error.claim} ${error.reason})`
  return error instanceof errors.JOSEError ? error.code : `not verified: ${(error as Error).name}`
}
