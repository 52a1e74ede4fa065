// The forged tokens of facts/security.md, A01 to A07: each is refused, and for its own reason.

import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isRefusal } from '../../src/errors.ts'
import { createVerifyJwt } from '../../src/identity/jwt.ts'
import {
  bait,
  claimsOf,
  issuers,
  keys,
  now,
  nowSeconds,
  publicJwk,
  rsaToken,
  rsaTokenWithText,
  tokenOf,
} from './forge.ts'
import { forgeriesOfClaims } from './forgeries-of-claims.ts'
import { forgeriesOfSignature } from './forgeries-of-signature.ts'

const verify = createVerifyJwt(issuers, now)

/** Serves the attacker’s keys to whoever is tricked into asking, and counts who was. */
let listener: Server
let connections = 0
beforeAll(async () => {
  const set = JSON.stringify({ keys: [publicJwk(keys.stranger, { kid: 'rsa' })] })
  listener = createServer((_, reply) => reply.end(set))
  listener.on('connection', () => connections++)
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
  bait.url = `http://127.0.0.1:${(listener.address() as AddressInfo).port}/`
})
afterAll(() => listener.close())

const forgeries = [...forgeriesOfSignature, ...forgeriesOfClaims].map(([name, make, detail, header]) => ({
  name,
  make,
  detail,
  header,
}))

describe('a forged token', () => {
  it.each(forgeries)('is refused: $name', async ({ make, detail, header }) => {
    const token = make()
    const answer = await verify(token, header)
    expect(isRefusal(answer) && answer.reason).toBe('unauthenticated')
    expect(isRefusal(answer) && answer.detail).toContain(detail)
    for (const part of token.split('.').filter((text) => text.length > 8))
      expect(JSON.stringify(answer)).not.toContain(part)
  })

  it('is never the same one twice, and there are more than 100', () => {
    expect(new Set(forgeries.map(({ make }) => make())).size).toBe(forgeries.length)
    expect(forgeries.length).toBeGreaterThan(100)
  })

  it('makes no connection to where it points', async () => {
    expect(connections).toBe(0)
    await fetch(bait.url)
    expect(connections).toBe(1)
  })
})

describe('a good token', () => {
  const controls = [
    ['RS256', 'rsa', keys.rsa],
    ['PS256', 'pss', keys.rsa],
    ['ES256', 'ec', keys.ec],
    ['EdDSA', 'ed', keys.ed],
  ] as const

  it.each(controls)('is accepted: %s', async (alg, name, { privateKey }) => {
    const token = await new SignJWT(claimsOf(name)).setProtectedHeader({ alg }).sign(privateKey)
    expect(await verify(token, undefined)).toEqual({
      kind: 'jwt',
      source: name,
      subject: 'alice',
      claims: claimsOf(name),
      expiresAt: nowSeconds + 600,
    })
  })

  const accepted: [string, () => string, string?][] = [
    ['as the rows build it', () => rsaToken()],
    ['without kid, while one key fits', () => rsaToken({}, { kid: undefined })],
    ['up to 8192 bytes', () => rsaToken({ pad: 'x'.repeat(5400) })],
    ['within the tolerance', () => rsaToken({ exp: nowSeconds - 29, iat: nowSeconds - 600, nbf: nowSeconds + 30 })],
    ['that lives 24 hours', () => rsaToken({ iat: nowSeconds + 30, exp: nowSeconds + 30 + 86_400 })],
    ['with fractions of a second', () => rsaToken({ iat: nowSeconds - 0.5, exp: nowSeconds + 600.9 })],
    ['for several audiences', () => rsaToken({ aud: ['other', 'realtime'] })],
    ['with a thumbprint', () => rsaToken({}, { 'x5t#S256': 'AAAA' })],
    ['of type at+jwt', () => rsaToken({}, { typ: 'at+jwt' })],
    ['of the type that is required', () => tokenOf('typed', {}, { typ: 'application/at+jwt' })],
    ['with the claim that is required', () => tokenOf('scoped', { scope: 'realtime' })],
    ['in the issuer’s own header', () => tokenOf('asserted'), 'x-assertion'],
  ]

  it.each(accepted)('is accepted %s', async (_, make, header) => {
    expect(await verify(make(), header)).toMatchObject({ kind: 'jwt', subject: 'alice' })
  })

  it('keeps two issuers apart that vouch for the same subject', async () => {
    const [one, other] = [
      await verify(rsaToken(), undefined),
      await verify(tokenOf('scoped', { scope: 'any' }), undefined),
    ]
    expect(one).toMatchObject({ source: 'rsa', subject: 'alice' })
    expect(other).toMatchObject({ source: 'scoped', subject: 'alice' })
  })

  it('rounds its end down', async () => {
    expect(await verify(rsaToken({ exp: nowSeconds + 600.9 }), undefined)).toMatchObject({
      expiresAt: nowSeconds + 600,
    })
  })

  it('cannot reach a prototype with its claims', async () => {
    const answer = await verify(rsaTokenWithText('__proto__', '{"role":"admin"}'), undefined)
    if (isRefusal(answer)) throw new Error(answer.detail)
    expect(answer.claims['role']).toBeUndefined()
    expect(answer.claims['constructor']).toBeUndefined()
    expect(Object.getPrototypeOf(answer.claims)).toBeNull()
    expect(Object.isFrozen(answer.claims)).toBe(true)
    expect(({} as Record<string, unknown>)['role']).toBeUndefined()
  })
})
