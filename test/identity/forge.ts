// Tokens built by hand, since jose refuses to build most of what an attacker sends. It owns the test IdP’s keys and claims.

import { constants, createHmac, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { type KeySet, keySetOfText } from '../../src/identity/jwks.ts'
import type { IssuerDocument } from '../../src/identity/jwt.ts'

export const nowSeconds = 1_800_000_000
export const now = () => nowSeconds * 1000

export type Signer = (input: string) => Buffer
export const withRsa = (key: KeyObject, hash = 'sha256'): Signer => {
  return (input) => sign(hash, Buffer.from(input), key)
}
export const withPss = (key: KeyObject): Signer => {
  const options = { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 }
  return (input) => sign('sha256', Buffer.from(input), options)
}
export const withEcdsa = (key: KeyObject, dsaEncoding: 'ieee-p1363' | 'der' = 'ieee-p1363'): Signer => {
  return (input) => sign('sha256', Buffer.from(input), { key, dsaEncoding })
}
export const withEd25519 = (key: KeyObject): Signer => {
  return (input) => sign(null, Buffer.from(input), key)
}
export const withHmac = (secret: string | Buffer, hash = 'sha256'): Signer => {
  return (input) => createHmac(hash, secret).update(input).digest()
}
export const withBytes = (bytes: Buffer): Signer => {
  return () => bytes
}

export const base64url = (value: string | Buffer): string => Buffer.from(value).toString('base64url')
const textOf = (value: object | string): string => (typeof value === 'string' ? value : JSON.stringify(value))

/** Header and claims are an object, or JSON text where an object cannot say it. */
export function forge(header: object | string, claims: object | string, signer: Signer): string {
  const input = `${base64url(textOf(header))}.${base64url(textOf(claims))}`
  return `${input}.${base64url(signer(input))}`
}

const rsa = (modulusLength = 2048) => generateKeyPairSync('rsa', { modulusLength })
const ec = (namedCurve: string) => generateKeyPairSync('ec', { namedCurve })
export const keys = {
  rsa: rsa(),
  weak: rsa(1024),
  sealing: rsa(),
  stranger: rsa(),
  ec: ec('P-256'),
  strangerEc: ec('P-256'),
  ed: generateKeyPairSync('ed25519'),
  strangerEd: generateKeyPairSync('ed25519'),
}

export const publicJwk = (pair: { publicKey: KeyObject }, rest: object = {}) => ({
  ...pair.publicKey.export({ format: 'jwk' }),
  ...rest,
})
const setOf = (...jwks: object[]): KeySet => keySetOfText(JSON.stringify({ keys: jwks })) as KeySet

/** The RSA key says neither alg nor use, which is what leaves room for confusion. */
const rsaSet = setOf(
  publicJwk(keys.rsa, { kid: 'rsa' }),
  publicJwk(keys.weak, { kid: 'weak' }),
  publicJwk(keys.sealing, { kid: 'sealing', use: 'enc' }),
  { kty: 'oct', k: base64url('a shared secret of thirty-two by'), kid: 'shared' },
)

const issuer = (name: string, keySet: KeySet, algorithm: string, rest: Partial<IssuerDocument> = {}) => ({
  keys: keySet,
  document: {
    name,
    issuer: `https://${name}.example/`,
    audience: ['realtime'],
    algorithms: [algorithm] as IssuerDocument['algorithms'],
    ...rest,
  },
})

export const issuers = [
  issuer('rsa', rsaSet, 'RS256'),
  issuer('pss', setOf(publicJwk(keys.rsa, { kid: 'rsa' })), 'PS256'),
  issuer('ec', setOf(publicJwk(keys.ec, { kid: 'ec' })), 'ES256'),
  issuer('ed', setOf(publicJwk(keys.ed, { kid: 'ed' })), 'EdDSA'),
  issuer('typed', rsaSet, 'RS256', { typ: 'at+jwt' }),
  issuer('scoped', rsaSet, 'RS256', { requiredClaims: ['scope'] }),
  issuer('brief', rsaSet, 'RS256', { maxLifetime: '10m' }),
  issuer('asserted', rsaSet, 'RS256', { header: 'x-assertion' }),
]

export const byRsa = withRsa(keys.rsa.privateKey)
export const rsaHeader = { alg: 'RS256', kid: 'rsa', typ: 'JWT' }
export const claimsOf = (name: string, rest: object = {}) => ({
  iss: `https://${name}.example/`,
  aud: 'realtime',
  sub: 'alice',
  iat: nowSeconds - 60,
  exp: nowSeconds + 600,
  ...rest,
})

/** A token of the issuer `rsa`, right in everything but what is said here; undefined leaves a claim out. */
export const rsaToken = (claims: object = {}, header: object = {}, signer: Signer = byRsa) =>
  forge({ ...rsaHeader, ...header }, claimsOf('rsa', claims), signer)

/** A token of any issuer whose keys are the RSA set, signed by its key. */
export const tokenOf = (name: string, claims: object = {}, header: object = {}) =>
  forge({ ...rsaHeader, ...header }, claimsOf(name, claims), byRsa)

/** The same with a claim that JSON can spell and JavaScript cannot, such as 1e999. */
export const rsaTokenWithText = (claim: string, json: string) =>
  forge(rsaHeader, JSON.stringify(claimsOf('rsa', { [claim]: 'here' })).replace('"here"', json), byRsa)

export const publicPem = createPublicKey(keys.rsa.publicKey.export({ type: 'spki', format: 'pem' }))
  .export({ type: 'spki', format: 'pem' })
  .toString()

/** Where a forged token says that its key is; the test puts a listener there. */
export const bait = { url: '' }

/** `detail` is the reason that the audit must give: a token refused for another reason proves nothing. */
export type Forgery = readonly [name: string, token: () => string, detail: string, header?: string]
