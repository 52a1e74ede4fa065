import * as oracle from '@nats-io/jwt'
import { fromSeed } from '@nats-io/nkeys'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeNatsJwt, encodeNatsJwt } from '../../../src/providers/nats/jwt.ts'
import {
  createSeed,
  openSigner,
  parsePublicNkey,
  type Signer,
  toPublicNkey,
} from '../../../src/providers/nats/nkeys.ts'
import { trapTexts } from '../../trap-values.ts'

const accountSeed = createSeed('account')
const account = openSigner(accountSeed, 'account')
const server = openSigner(createSeed('server'), 'server')
const kinds = ['account', 'user', 'server', 'operator'] as const

const base64url = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')
const rightHeader = { typ: 'JWT', alg: 'ed25519-nkey' }
const rightClaims = { sub: 'x', iss: account.publicKey, nats: { type: 'user', version: 2 } }
/** Signed as it should be, whatever its parts are. */
const forge = (header: unknown, claims: unknown, { sign }: Signer = account): string => {
  const body = `${base64url(header)}.${base64url(claims)}`
  return `${body}.${sign(Buffer.from(body)).toString('base64url')}`
}
const isTaken = (text: string): boolean => decodeNatsJwt(text)?.verify('account') === true
const goSeed = 'SAAACCAPCYOSIKZSHFAEOTSVLRRWU4LYP6DI3FE3UKU3BN56YXGNHWSRQQ'

describe('a JWT that is made', () => {
  it('has this header, the claims as given, a jti of its own, and its issuer', () => {
    const text = encodeNatsJwt({ z: 1, sub: 'é\u0000"', nats: { pub: { allow: ['a.>'] } } }, account)
    expect(text).toMatch(/^[\w-]+\.[\w-]+\.[\w-]{86}$/)
    const [header = '', claims = ''] = text.split('.')
    expect(Buffer.from(header, 'base64url').toString()).toBe('{"typ":"JWT","alg":"ed25519-nkey"}')
    const given = '{"z":1,"sub":"é\\u0000\\"","nats":{"pub":{"allow":["a.>"]}}'
    const own = `,"iss":"${account.publicKey}","jti":"`
    const written = Buffer.from(claims, 'base64url').toString()
    expect(written.slice(0, (given + own).length)).toBe(given + own)
    expect(written.slice((given + own).length)).toMatch(/^[\w-]{36}"}$/)
  })

  it('is never issued in another name, or with a jti twice', () => {
    const jtis = Array.from({ length: 100 }, () => {
      const { claims } = decodeNatsJwt(encodeNatsJwt({ iss: server.publicKey, jti: 'mine' }, account)) ?? {}
      expect(claims?.['iss']).toBe(account.publicKey)
      return claims?.['jti']
    })
    expect(new Set(jtis).size).toBe(100)
    expect(jtis).not.toContain('mine')
  })

  // In ASCII: @nats-io/jwt writes and reads Latin-1, where Go and we have UTF-8.
  it('is read, and its signature accepted, by @nats-io/jwt', () => {
    const anyClaims = fc.record({
      sub: fc.string(),
      exp: fc.nat(),
      nats: fc.dictionary(fc.stringMatching(/^[a-z]{1,5}$/), fc.jsonValue({ maxDepth: 2 })),
    })
    fc.assert(
      fc.property(anyClaims, (claims) => {
        const text = encodeNatsJwt({ ...claims, nats: { ...claims.nats, version: 2 } }, account)
        const plain = JSON.parse(JSON.stringify(claims))
        expect(oracle.decode(text)).toMatchObject({ ...plain, nats: { ...plain.nats, version: 2 } })
        expect(decodeNatsJwt(text)?.claims).toEqual(oracle.decode(text))
        expect(isTaken(text)).toBe(true)
      }),
      { numRuns: 15 },
    )
    const text = encodeNatsJwt(rightClaims, account)
    expect(() => oracle.decode(text.replace(/.{86}$/, 'A'.repeat(86)))).toThrow()
  })
})

describe('a JWT is read', () => {
  it('that Go made (nats-io/jwt v2.8.1)', () => {
    const goText =
      'eyJ0eXAiOiJKV1QiLCJhbGciOiJlZDI1NTE5LW5rZXkifQ.eyJhdWQiOiJBUFAiLCJleHAiOjE3OTUyMTk3NzQsImp0aSI6IlE1QURFTVg1WVRaRkRHM05EUEQ3TFAzQUoySVdVTFFXNUozVU9JVlJRSDVVRTVQQzZCMlEiLCJpYXQiOjE3OTUyNjE1OTcsImlzcyI6IkFEU0FHQ01ZWjdLMjJGWkRZRlU3U1ZWS0JPUExRWU0zTEdKTDJZSk1GTDJDUjI2SFQ2RzdCQzczIiwibmFtZSI6ImFsaWNlIiwic3ViIjoiVUFPWE5SRU5ZSEpUN1NZVU5YNEVHRFJRWFlCVlBESlBSNTRFNTNCTUtCQjVIR05XTExRVUdDTUkiLCJuYXRzIjp7InB1YiI6eyJhbGxvdyI6WyJvcmRlcnMuYWxpY2UuXHUwMDNlIl19LCJzdWIiOnt9LCJyZXNwIjp7Im1heCI6MSwidHRsIjoxMDAwMDAwMDAwfSwic3VicyI6LTEsImRhdGEiOi0xLCJwYXlsb2FkIjotMSwidHlwZSI6InVzZXIiLCJ2ZXJzaW9uIjoyfX0.crj57okjWqpYz3XwhKKnQDxHoV8fOI35YoUphGNPaXQH1I3wKTNKpkjXmX0C0z8APhoGpn5z_Ypts1zboSNpCw'
    const jwt = decodeNatsJwt(goText)
    expect(jwt?.claims).toMatchObject({ aud: 'APP', name: 'alice', nats: { pub: { allow: ['orders.alice.>'] } } })
    expect(jwt?.claims['iss']).toBe(openSigner(goSeed, 'account').publicKey)
    expect(kinds.map((kind) => jwt?.verify(kind))).toEqual([true, false, false, false])
  })

  it('that @nats-io/jwt made', async () => {
    for (let count = 0; count < 8; count++) {
      const issuer = createSeed(count % 2 ? 'operator' : 'account')
      const kind = count % 2 ? 'operator' : 'account'
      const signer = fromSeed(Buffer.from(issuer))
      const user = fromSeed(Buffer.from(createSeed('user')))
      const text =
        kind === 'account'
          ? await oracle.encodeUser('alice', user, signer, {}, { exp: 1_795_219_774 })
          : await oracle.encodeAccount('alice', fromSeed(Buffer.from(accountSeed)), {}, { signer })
      const jwt = decodeNatsJwt(text)
      expect(jwt?.claims).toMatchObject({ name: 'alice', iss: openSigner(issuer, kind).publicKey })
      expect(kinds.filter((kind) => jwt?.verify(kind))).toEqual([kind])
    }
  })

  it('with its header in another order, or with white space in it', () => {
    expect(isTaken(forge(rightHeader, rightClaims))).toBe(true)
    expect(isTaken(forge({ alg: 'ed25519-nkey', typ: 'JWT' }, rightClaims))).toBe(true)
    expect(isTaken(forge('{ "typ": "JWT", "alg": "ed25519-nkey" }', rightClaims))).toBe(true)
  })
})

describe('a JWT is refused', () => {
  it.each<[string, unknown]>([
    ['no algorithm', { typ: 'JWT' }],
    ['the algorithm none', { typ: 'JWT', alg: 'none' }],
    ['the old algorithm of NATS, whose signature leaves out the header', { typ: 'JWT', alg: 'ed25519' }],
    ['the algorithm of the rest of the world', { typ: 'JWT', alg: 'EdDSA' }],
    ['an algorithm of a shared key', { typ: 'JWT', alg: 'HS256' }],
    ['the algorithm in capitals', { typ: 'JWT', alg: 'ED25519-NKEY' }],
    ['a list of algorithms', { typ: 'JWT', alg: ['ed25519-nkey'] }],
    ['no type', { alg: 'ed25519-nkey' }],
    ['the type in small letters', { typ: 'jwt', alg: 'ed25519-nkey' }],
    ['another type', { typ: 'JOSE', alg: 'ed25519-nkey' }],
    ['what must be understood', { ...rightHeader, crit: ['exp'] }],
    ['a key of its own', { ...rightHeader, jwk: {} }],
    ['a list for a header', [rightHeader]],
    ['null for a header', 'null'],
    ['a header that is no JSON', '{"typ":"JWT","alg":"ed25519-nkey"'],
    ['an empty header', ''],
  ])('with %s', (_what, header) => {
    expect(decodeNatsJwt(forge(header, rightClaims))).toBeUndefined()
  })

  it.each<[string, unknown]>([
    ['a list', [rightClaims]],
    ['null', 'null'],
    ['a text', '"x"'],
    ['a number', '1'],
    ['no JSON', '{"iss":"x"'],
    ['more than JSON', `${JSON.stringify(rightClaims)}x`],
    ['nothing', ''],
  ])('whose claims are %s', (_what, claims) => {
    expect(decodeNatsJwt(forge(rightHeader, claims))).toBeUndefined()
  })

  const right = encodeNatsJwt(rightClaims, account)
  const [header = '', claims = '', signature = ''] = right.split('.')

  it.each<[string, string]>([
    ['nothing', ''],
    ['one part', claims],
    ['two parts', `${header}.${claims}`],
    ['no signature', `${header}.${claims}.`],
    ['no claims', `${header}..${signature}`],
    ['no header', `.${claims}.${signature}`],
    ['a fourth part', `${right}.`],
    ['a fourth part first', `.${right}`],
    ['four parts', `${right}.${signature}`],
    ['two of them', `${right}${right}`],
    ['a padded signature', `${right}==`],
    ['a padded header', `${header}=.${claims}.${signature}`],
    ['padded claims', `${header}.${claims}=.${signature}`],
    ['a line feed', `${right}\n`],
    ['a line feed first', `\n${right}`],
    ['a space within', `${header}. ${claims}.${signature}`],
    ['a short signature', right.slice(0, -1)],
    ['a long signature', `${right}A`],
    ['letters that are none of ASCII', `${header}.${claims}é.${signature}`],
  ])('that is %s', (_what, text) => {
    expect(decodeNatsJwt(text)).toBeUndefined()
  })

  it('in the other alphabet of base64, though its signature is right', () => {
    const bytes = Buffer.from(JSON.stringify({ ...rightClaims, sub: '~~~???' }))
    const isTakenIn = (alphabet: 'base64' | 'base64url') => {
      const body = `${header}.${bytes.toString(alphabet).replace(/=+$/, '')}`
      return isTaken(`${body}.${account.sign(Buffer.from(body)).toString('base64url')}`)
    }
    expect(bytes.toString('base64')).toMatch(/[+/]/)
    expect([isTakenIn('base64url'), isTakenIn('base64')]).toEqual([true, false])
  })

  it('with any character of its signature changed, the spare bits of the last one too', () => {
    for (let at = 0; at < signature.length; at++)
      for (const other of 'ABQgwz_-') {
        if (other === signature[at]) continue
        const changed = signature.slice(0, at) + other + signature.slice(at + 1)
        expect(isTaken(`${header}.${claims}.${changed}`)).toBe(false)
      }
    const same = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_']
      .map((last) => signature.slice(0, -1) + last)
      .filter((other) => Buffer.from(other, 'base64url').equals(Buffer.from(signature, 'base64url')))
    expect(same).toHaveLength(16)
    expect(same.filter((other) => isTaken(`${header}.${claims}.${other}`))).toEqual([signature])
  })

  it('with any character of its header or claims changed', () => {
    for (let at = 0; at < right.length - 87; at++)
      for (const other of 'AZ_') {
        if (other === right[at] || right[at] === '.') continue
        expect(isTaken(right.slice(0, at) + other + right.slice(at + 1))).toBe(false)
      }
  })

  it('with the signature of another JWT, or of its claims alone', () => {
    const [, , other] = encodeNatsJwt({ ...rightClaims, sub: 'y' }, account).split('.')
    expect(isTaken(`${header}.${claims}.${other}`)).toBe(false)
    // What the first version of NATS JWTs signed.
    const first = account.sign(Buffer.from(claims)).toString('base64url')
    expect(isTaken(`${header}.${claims}.${first}`)).toBe(false)
  })

  const raw = parsePublicNkey(account.publicKey, 'account') as Buffer
  it.each<[string, unknown]>([
    ['nobody', undefined],
    ['null', null],
    ['a number', 1],
    ['a list', [account.publicKey]],
    ['another account', openSigner(createSeed('account'), 'account').publicKey],
    ['a server', server.publicKey],
    ['the same key as a user', toPublicNkey('user', raw)],
    ['the same key as a curve key', toPublicNkey('curve', raw)],
    ['its key in small letters', account.publicKey.toLowerCase()],
  ])('by verify where it says that %s issued it', (_what, iss) => {
    const jwt = decodeNatsJwt(forge(rightHeader, { ...rightClaims, iss }))
    expect(jwt?.claims['sub']).toBe('x')
    expect(jwt?.verify('account')).toBe(false)
  })

  it('by verify for every other kind of key', () => {
    expect(kinds.filter((kind) => decodeNatsJwt(right)?.verify(kind))).toEqual(['account'])
    const byServer = encodeNatsJwt({}, server)
    expect(kinds.filter((kind) => decodeNatsJwt(byServer)?.verify(kind))).toEqual(['server'])
  })

  it('without an error, whatever the text', () => {
    const anyPart = fc.oneof(fc.constantFrom(header, claims, signature), fc.string(), fc.base64String())
    const anyText = fc.oneof(
      fc.string({ unit: fc.nat(0xffff).map((code) => String.fromCharCode(code)) }),
      fc.array(anyPart, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('.')),
    )
    fc.assert(
      fc.property(anyText, (text) => {
        expect(isTaken(text)).toBe(text === right)
      }),
      { numRuns: 500, examples: trapTexts.map((text) => [text]) },
    )
  })

  it('at once where it is long and no JWT', () => {
    const from = performance.now()
    for (const text of ['a'.repeat(60_000), 'a.'.repeat(30_000), `${header}.${'a'.repeat(60_000)}.`])
      expect(decodeNatsJwt(text)).toBeUndefined()
    expect(performance.now() - from).toBeLessThan(500)
  })
})
