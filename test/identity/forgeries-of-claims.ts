// Forged tokens, second half: signed by the right key and still not for us, not now, or not of anybody (ASVS 5.0 V9.2, V10.3).

import {
  base64url,
  byRsa,
  claimsOf,
  type Forgery,
  forge,
  keys,
  nowSeconds,
  rsaHeader,
  rsaToken,
  rsaTokenWithText,
  tokenOf,
  withEd25519,
  withHmac,
} from './forge.ts'

const badForm = 'the token is not a compact JWS'
const notAllowed = 'ERR_JOSE_ALG_NOT_ALLOWED'
const missing = (claim: string) => `ERR_JWT_CLAIM_VALIDATION_FAILED (${claim} missing)`
const invalid = (claim: string) => `ERR_JWT_CLAIM_VALIDATION_FAILED (${claim} invalid)`
const failed = (claim: string) => `ERR_JWT_CLAIM_VALIDATION_FAILED (${claim} check_failed)`
const expired = 'ERR_JWT_EXPIRED (exp check_failed)'
const noTime = 'exp, iat or nbf is not a time'
const badLifetime = 'exp - iat is outside maxLifetime'
const badSubject = 'sub is not 1 to 255 printable ASCII characters'
const badType = 'typ is not that of an access token'
const otherIssuer = 'is not a configured issuer'
const otherHeader = 'the token stands in another header'

const times: Forgery[] = [
  ['A04 no exp', () => rsaToken({ exp: undefined }), missing('exp')],
  ['A04 exp 61 s ago', () => rsaToken({ exp: nowSeconds - 61, iat: nowSeconds - 600 }), expired],
  ['A04 exp at the very tolerance', () => rsaToken({ exp: nowSeconds - 30, iat: nowSeconds - 600 }), expired],
  ['A04 exp 0', () => rsaToken({ exp: 0 }), expired],
  ['A04 exp below 0', () => rsaToken({ exp: -1 }), expired],
  ...['9999999999', null, true, [nowSeconds + 600], {}].map(
    (exp): Forgery => [`A04 exp ${JSON.stringify(exp)}`, () => rsaToken({ exp }), invalid('exp')],
  ),
  ['A04 exp 1e300', () => rsaToken({ exp: 1e300 }), noTime],
  ['A04 exp 1e999', () => rsaTokenWithText('exp', '1e999'), noTime],
  ['A04 exp in milliseconds', () => rsaToken({ exp: (nowSeconds + 600) * 1000 }), badLifetime],
  ['A04 nbf in 2 minutes', () => rsaToken({ nbf: nowSeconds + 120 }), failed('nbf')],
  ['A04 nbf beyond the tolerance', () => rsaToken({ nbf: nowSeconds + 31 }), failed('nbf')],
  ['A04 nbf as text', () => rsaToken({ nbf: '0' }), invalid('nbf')],
  ['A04 nbf null', () => rsaToken({ nbf: null }), invalid('nbf')],
  ['A04 nbf -1e999', () => rsaTokenWithText('nbf', '-1e999'), noTime],
  ['A04 no iat', () => rsaToken({ iat: undefined }), missing('iat')],
  ['A04 iat in an hour', () => rsaToken({ iat: nowSeconds + 3600, exp: nowSeconds + 7200 }), 'iat lies in the future'],
  ['A04 iat beyond the tolerance', () => rsaToken({ iat: nowSeconds + 31 }), 'iat lies in the future'],
  ['A04 iat as text', () => rsaToken({ iat: String(nowSeconds) }), invalid('iat')],
  ['A04 iat null', () => rsaToken({ iat: null }), invalid('iat')],
  ['A04 iat -1e999', () => rsaTokenWithText('iat', '-1e999'), noTime],
  ['A04 a life of more than 24 hours', () => rsaToken({ iat: nowSeconds, exp: nowSeconds + 86_401 }), badLifetime],
  [
    'A04 a life of more than the issuer’s',
    () => tokenOf('brief', { iat: nowSeconds, exp: nowSeconds + 601 }),
    badLifetime,
  ],
  ['A04 exp before iat', () => rsaToken({ iat: nowSeconds, exp: nowSeconds - 1 }), badLifetime],
]

const nkeyClaims = { jti: 'x', iat: nowSeconds, iss: 'AABBCC', name: 'alice', sub: 'UABBCC', nats: { type: 'user' } }
const types: Forgery[] = [
  ['A05 an ID token where a scope is required', () => tokenOf('scoped'), missing('scope')],
  ...['JWT', undefined, 'id+jwt', 'at+jwt2', 'application/jwt', ['at+jwt']].map(
    (typ): Forgery => [
      `A05 typ ${JSON.stringify(typ)} where at+jwt is required`,
      () => tokenOf('typed', {}, { typ }),
      failed('typ'),
    ],
  ),
  ...['logout+jwt', 'dpop+jwt', 'secevent+jwt', 'application/logout+jwt', 'JWE', '', 7, null].map(
    (typ): Forgery => [`A05 typ ${JSON.stringify(typ)} where none is required`, () => rsaToken({}, { typ }), badType],
  ),
  [
    'A05 a NATS user JWT',
    () => forge({ typ: 'JWT', alg: 'ed25519-nkey' }, nkeyClaims, withEd25519(keys.ed.privateKey)),
    otherIssuer,
  ],
  [
    'A05 an Ably JWT',
    () => forge({ typ: 'JWT', alg: 'HS256', kid: 'app.key' }, { 'x-ably-capability': '{}' }, withHmac('s')),
    otherIssuer,
  ],
  ['A05 an Agora token', () => `007${base64url(Buffer.alloc(120, 7))}`, badForm],
]

const audiences: Forgery[] = [
  ['A06 no aud', () => rsaToken({ aud: undefined }), missing('aud')],
  ...[
    '',
    'other',
    ['other'],
    'real',
    'realtime2',
    'Realtime',
    'realtime ',
    'realtime,other',
    [],
    [['realtime']],
    null,
    0,
    { realtime: true },
  ].map((aud): Forgery => [`A06 aud ${JSON.stringify(aud)}`, () => rsaToken({ aud }), failed('aud')]),
]

const rsaIssuer = 'https://rsa.example/'
const subjects: Forgery[] = [
  ['A07 no iss', () => rsaToken({ iss: undefined }), otherIssuer],
  ...[
    'https://rsa.example',
    'https://RSA.example/',
    `${rsaIssuer} `,
    `${rsaIssuer}evil`,
    'http://rsa.example/',
    '__proto__',
    'constructor',
    '',
    null,
    0,
    [rsaIssuer],
    { toString: rsaIssuer },
  ].map((iss): Forgery => [`A07 iss ${JSON.stringify(iss)}`, () => rsaToken({ iss }), otherIssuer]),
  ['A07 the iss of another issuer', () => rsaToken({ iss: 'https://ec.example/' }), notAllowed],
  [
    'A07 two iss, ours first',
    () => forge(rsaHeader, `{"iss":"${rsaIssuer}",${JSON.stringify(claimsOf('evil')).slice(1)}`, byRsa),
    otherIssuer,
  ],
  ['A07 an assertion in Authorization', () => tokenOf('asserted'), otherHeader],
  ['A07 a bearer token in the assertion’s header', () => rsaToken(), otherHeader, 'x-assertion'],
  ['A07 no sub', () => rsaToken({ sub: undefined }), missing('sub')],
  ['A07 an e-mail in place of sub', () => rsaToken({ sub: undefined, email: 'alice@example.com' }), missing('sub')],
  ...[
    '',
    null,
    12,
    true,
    ['alice'],
    { id: 'alice' },
    'a b',
    'alice\n',
    'alice\u0000',
    'ａｌｉｃｅ',
    'älice',
    'x'.repeat(256),
  ].map((sub): Forgery => [`A07 sub ${JSON.stringify(sub).slice(0, 40)}`, () => rsaToken({ sub }), badSubject]),
]

export const forgeriesOfClaims = [...times, ...types, ...audiences, ...subjects]
