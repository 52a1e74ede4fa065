// Forged tokens, first half: their form, signature, algorithm and where their key is said to be (ASVS 5.0 V9.1; RFC 8725).

import {
  bait,
  base64url,
  byRsa,
  claimsOf,
  type Forgery,
  forge,
  keys,
  nowSeconds,
  publicJwk,
  publicPem,
  rsaHeader,
  rsaToken,
  tokenOf,
  withBytes,
  withEcdsa,
  withEd25519,
  withHmac,
  withPss,
  withRsa,
} from './forge.ts'

const byStranger = withRsa(keys.stranger.privateKey)
const none = withBytes(Buffer.alloc(0))
const parts = (token: string) => token.split('.') as [string, string, string]
const withPart = (token: string, index: 0 | 1 | 2, change: (part: string) => string) =>
  parts(token)
    .map((part, at) => (at === index ? change(part) : part))
    .join('.')
const flipBit = (part: string, byte: number) => {
  const bytes = Buffer.from(part, 'base64url')
  bytes.writeUInt8(bytes.readUInt8(byte) ^ 1, byte)
  return bytes.toString('base64url')
}

const badSignature = 'ERR_JWS_SIGNATURE_VERIFICATION_FAILED'
const badForm = 'the token is not a compact JWS'
const notAllowed = 'ERR_JOSE_ALG_NOT_ALLOWED'
const badAlg = 'ERR_JWS_INVALID'
const noKey = 'ERR_JWKS_NO_MATCHING_KEY'

const forms: Forgery[] = [
  ['nothing', () => '', badForm],
  ['two parts', () => parts(rsaToken()).slice(0, 2).join('.'), badForm],
  ['an empty signature', () => withPart(rsaToken(), 2, () => ''), badForm],
  ['an empty header', () => withPart(rsaToken(), 0, () => ''), badForm],
  ['an empty payload', () => withPart(rsaToken(), 1, () => ''), badForm],
  ['four parts', () => `${rsaToken()}.AAAA`, badForm],
  ['five parts, a JWE', () => `${rsaToken()}.AAAA.AAAA`, badForm],
  ['the JSON serialization', () => JSON.stringify({ payload: parts(rsaToken())[1], signatures: [] }), badForm],
  ['a padded signature', () => `${rsaToken()}==`, badForm],
  ['a space inside', () => withPart(rsaToken(), 2, (part) => `${part.slice(0, 9)} ${part.slice(9)}`), badForm],
  ['a newline at the end', () => `${rsaToken()}\n`, badForm],
  ['more than 8192 bytes', () => rsaToken({ pad: 'x'.repeat(6000) }), 'the token is longer than 8192 bytes'],
  ['a payload that is a list', () => forge(rsaHeader, '[]', byRsa), 'ERR_JWT_INVALID'],
  ['a payload that is not JSON', () => forge(rsaHeader, '{', byRsa), 'ERR_JWT_INVALID'],
  ['a header that is null', () => forge('null', claimsOf('rsa'), byRsa), 'not verified: TypeError'],
]

const signatures: Forgery[] = [
  ['A01 a bit of the header', () => withPart(rsaToken(), 0, (part) => flipBit(part, 8)), notAllowed],
  ['A01 a bit of the subject', () => withPart(rsaToken(), 1, (part) => flipBit(part, 55)), badSignature],
  ['A01 the first bit of the signature', () => withPart(rsaToken(), 2, (part) => flipBit(part, 0)), badSignature],
  ['A01 the last bit of the signature', () => withPart(rsaToken(), 2, (part) => flipBit(part, 255)), badSignature],
  ['A01 bits that base64url ignores', () => withPart(rsaToken(), 2, (part) => `${part.slice(0, -1)}_`), badForm],
  [
    'A01 a header spaced differently',
    () => withPart(rsaToken(), 0, () => base64url(JSON.stringify(rsaHeader, null, 1))),
    badSignature,
  ],
  [
    'A01 the payload of another user',
    () => withPart(rsaToken(), 1, () => parts(rsaToken({ sub: 'bob' }))[1]),
    badSignature,
  ],
  ['A01 a later exp', () => withPart(rsaToken(), 1, () => parts(rsaToken({ exp: nowSeconds + 900 }))[1]), badSignature],
  [
    'A01 the signature of another token',
    () => withPart(rsaToken(), 2, () => parts(rsaToken({ sub: 'bob' }))[2]),
    badSignature,
  ],
  ['A01 half a signature', () => withPart(rsaToken(), 2, (part) => part.slice(0, 172)), badSignature],
  ['A01 a signature of zeros', () => rsaToken({}, {}, withBytes(Buffer.alloc(256))), badSignature],
  ['A01 a signature of ones', () => rsaToken({}, {}, withBytes(Buffer.alloc(256, 0xff))), badSignature],
  ['A01 a stranger’s key under our kid', () => rsaToken({}, {}, byStranger), badSignature],
  ['A01 a stranger’s key without kid', () => rsaToken({}, { kid: undefined }, byStranger), badSignature],
  ['A01 a stranger’s key under its own kid', () => rsaToken({}, { kid: 'stranger' }, byStranger), noKey],
  ['A01 a key of 1024 bits', () => rsaToken({}, { kid: 'weak' }, withRsa(keys.weak.privateKey)), noKey],
  ['A01 a key for encryption', () => rsaToken({}, { kid: 'sealing' }, withRsa(keys.sealing.privateKey)), noKey],
  ['A01 SHA-512 under RS256', () => rsaToken({}, {}, withRsa(keys.rsa.privateKey, 'sha512')), badSignature],
  ['A01 an ECDSA signature of zeros', () => ecToken(withBytes(Buffer.alloc(64))), badSignature],
  ['A01 an ECDSA signature in DER', () => ecToken(withEcdsa(keys.ec.privateKey, 'der')), badSignature],
  ['A01 a stranger’s ECDSA key', () => ecToken(withEcdsa(keys.strangerEc.privateKey)), badSignature],
  ['A01 an Ed25519 signature of zeros', () => edToken(withBytes(Buffer.alloc(64))), badSignature],
  ['A01 a stranger’s Ed25519 key', () => edToken(withEd25519(keys.strangerEd.privateKey)), badSignature],
]
const ecToken = (signer: ReturnType<typeof withBytes>) => forge({ alg: 'ES256', kid: 'ec' }, claimsOf('ec'), signer)
const edToken = (signer: ReturnType<typeof withBytes>) => forge({ alg: 'EdDSA', kid: 'ed' }, claimsOf('ed'), signer)

const spki = keys.rsa.publicKey.export({ type: 'spki', format: 'der' })
const jwkText = JSON.stringify(publicJwk(keys.rsa))
const sharedSecret = 'a shared secret of thirty-two by'
const algorithms: Forgery[] = [
  ['A02 none', () => rsaToken({}, { alg: 'none' }, none), badForm],
  ...['none', 'None', 'NONE', 'nOnE', '', 'rs256', 'RS256 ', 'RS512 ', 'ed25519-nkey', 'constructor'].map(
    (alg): Forgery => [
      `A02 alg ${JSON.stringify(alg)} over a good signature`,
      () => rsaToken({}, { alg }),
      alg === '' ? badAlg : notAllowed,
    ],
  ),
  ['A02 no alg', () => rsaToken({}, { alg: undefined }), badAlg],
  ['A02 alg null', () => rsaToken({}, { alg: null }), badAlg],
  ['A02 alg as a list', () => rsaToken({}, { alg: ['RS256'] }), badAlg],
  ['A02 HS256 by the public PEM', () => rsaToken({}, { alg: 'HS256' }, withHmac(publicPem)), notAllowed],
  [
    'A02 HS256 by the PEM after a newline',
    () => rsaToken({}, { alg: 'HS256' }, withHmac(`\n${publicPem}`)),
    notAllowed,
  ],
  ['A02 HS256 by the trimmed PEM', () => rsaToken({}, { alg: 'HS256' }, withHmac(publicPem.trim())), notAllowed],
  ['A02 HS256 by the public DER', () => rsaToken({}, { alg: 'HS256' }, withHmac(spki)), notAllowed],
  ['A02 HS256 by the JWK', () => rsaToken({}, { alg: 'HS256' }, withHmac(jwkText)), notAllowed],
  ['A02 HS256 by nothing', () => rsaToken({}, { alg: 'HS256' }, withHmac('')), notAllowed],
  [
    'A02 HS256 by a key of the set',
    () => rsaToken({}, { alg: 'HS256', kid: 'shared' }, withHmac(sharedSecret)),
    notAllowed,
  ],
  ['A02 HS384 by the public PEM', () => rsaToken({}, { alg: 'HS384' }, withHmac(publicPem, 'sha384')), notAllowed],
  ['A02 HS512 by the public PEM', () => rsaToken({}, { alg: 'HS512' }, withHmac(publicPem, 'sha512')), notAllowed],
  ['A02 PS256 by the RSA key', () => rsaToken({}, { alg: 'PS256' }, withPss(keys.rsa.privateKey)), notAllowed],
  [
    'A02 RS512 by the RSA key',
    () => rsaToken({}, { alg: 'RS512' }, withRsa(keys.rsa.privateKey, 'sha512')),
    notAllowed,
  ],
  ['A02 RS256 where PS256 is asked for', () => tokenOf('pss'), notAllowed],
  [
    'A02 ES256 for an RSA issuer',
    () => rsaToken({}, { alg: 'ES256', kid: 'ec' }, withEcdsa(keys.ec.privateKey)),
    notAllowed,
  ],
  [
    'A02 EdDSA for an RSA issuer',
    () => rsaToken({}, { alg: 'EdDSA', kid: 'ed' }, withEd25519(keys.ed.privateKey)),
    notAllowed,
  ],
]

const keySources: Forgery[] = [
  ...(['jku', 'x5u'] as const).flatMap((name): Forgery[] => [
    [
      `A03 ${name} to a stranger’s keys`,
      () => rsaToken({}, { [name]: bait.url }, byStranger),
      `the JOSE header has ${name}`,
    ],
    [`A03 ${name} over a good signature`, () => rsaToken({}, { [name]: bait.url }), `the JOSE header has ${name}`],
  ]),
  [
    'A03 a stranger’s jwk',
    () => rsaToken({}, { jwk: publicJwk(keys.stranger) }, byStranger),
    'the JOSE header has jwk',
  ],
  ['A03 our own jwk', () => rsaToken({}, { jwk: publicJwk(keys.rsa) }), 'the JOSE header has jwk'],
  ['A03 x5c', () => rsaToken({}, { x5c: ['AAAA'] }, byStranger), 'the JOSE header has x5c'],
  ['A03 jku null', () => rsaToken({}, { jku: null }), 'the JOSE header has jku'],
  ['A03 crit', () => rsaToken({}, { crit: ['exp'] }), 'the JOSE header has crit'],
  ['A03 crit empty', () => rsaToken({}, { crit: [] }), 'the JOSE header has crit'],
  ['A03 an unencoded payload', () => rsaToken({}, { b64: false, crit: ['b64'] }), 'the JOSE header has crit'],
  ...[
    '../../../../dev/null',
    'http://127.0.0.1/',
    "rsa' OR '1'='1",
    '',
    '__proto__',
    'RSA',
    null,
    0,
    ['rsa'],
    { rsa: 1 },
  ].map((kid): Forgery => [`A03 kid ${JSON.stringify(kid)}`, () => rsaToken({}, { kid }), noKey]),
]

export const forgeriesOfSignature = [...forms, ...signatures, ...algorithms, ...keySources]
