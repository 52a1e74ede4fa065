// What the responder believes, and what it says: authorization requests of a stand-in for nats-server, each with one thing wrong,
// get no answer and do no harm; right ones get what ADR-26 and the conformance list of nats-server ask for.

import { createAccount, createCurve, createServer, createUser } from '@nats-io/nkeys'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { publicNkeyOf } from '../../src/providers/nats/nkeys.ts'
import { createKeys } from './callout-server.ts'
import { openUsher, policyWith, type Told, type Usher } from './callout-usher.ts'
import { obtainNatsServer, startNatsServer } from './nats-server.ts'
import { type Asked, openStandin, standinConf } from './standin-server.ts'

const natsServer = await obtainNatsServer()
const policy = policyWith(`
  - id: own
    when: { issuer: main }
    nats: { account: APP, publish: ["u.{user}.>"], responses: { max: 2, ttl: 3s }, deny: ["u.*.secret"] }
  - id: open
    when: { caller: anonymous }
    nats: { account: APP, subscribe: [news], inbox: false }
`)

describe.skipIf(!natsServer)('an authorization request', () => {
  const keys = createKeys()
  const old = createKeys()
  let usher: Usher
  let standin: Awaited<ReturnType<typeof openStandin>>
  let alice: Told

  beforeAll(async () => {
    const { url } = await startNatsServer({ config: standinConf(keys) })
    usher = await openUsher(keys, url, {
      policy,
      env: { NATS_ISSUER_SEEDS: `${keys.issuer},${old.issuer}`, NATS_XKEY_SEEDS: `${keys.xkey},${old.xkey}` },
    })
    standin = await openStandin(url, keys)
    await standin.untilHeard()
    alice = await usher.tokenFor('alice')
    afterAll(() => standin.close())
  })

  const serverId = (over: object) => ({ nats: { server_id: { id: standin.id, xkey: standin.xkey, ...over } } })
  const flipSignature = (jwt: string) => `${jwt.slice(0, -10)}${jwt.at(-10) === 'A' ? 'B' : 'A'}${jwt.slice(-9)}`
  const withHeader = (header: object) => (jwt: string) =>
    [Buffer.from(JSON.stringify(header)).toString('base64url'), ...jwt.split('.').slice(1)].join('.')
  const seconds = () => Math.floor(Date.now() / 1000)
  const [strange, strangeCurve] = [createServer(), createCurve()]
  const large = (head: string) => Buffer.concat([Buffer.from(head), Buffer.alloc(1_000_000, 'x')])

  it.each<[string, () => Asked]>([
    ['is past its exp', () => ({ claims: { exp: seconds() - 1 } })],
    ['has no exp', () => ({ claims: { exp: undefined } })],
    ['has an exp that is no number', () => ({ claims: { exp: 'tomorrow' } })],
    ['is for another audience', () => ({ claims: { aud: 'nats-authorization-response' } })],
    ['is for no audience', () => ({ claims: { aud: undefined } })],
    ['is of another type', () => ({ nats: { type: 'user' } })],
    ['names another server than it is by', () => serverId({ id: strange.getPublicKey() })],
    ['names no server', () => ({ nats: { server_id: undefined } })],
    ['has null for its server', () => ({ nats: { server_id: null } })],
    ['has null for its claims', () => ({ claims: { nats: null } })],
    ['has a text for its claims', () => ({ claims: { nats: 'authorization_request' } })],
    ['is signed by another server', () => ({ signer: strange })],
    ['has a signature that was changed', () => ({ alter: flipSignature })],
    ['has no signature', () => ({ alter: (jwt) => jwt.slice(0, jwt.lastIndexOf('.') + 1) })],
    ['says that it is not signed', () => ({ alter: withHeader({ typ: 'JWT', alg: 'none' }) })],
    ['has claims in the header', () => ({ alter: withHeader({ typ: 'JWT', alg: 'ed25519-nkey', crit: ['x'] }) })],
    ['wants an issuer that nobody has', () => ({ claims: { sub: createAccount().getPublicKey() } })],
    ['wants no issuer', () => ({ claims: { sub: undefined } })],
    ['is sealed for another xkey', () => ({ recipient: createCurve().getPublicKey() })],
    ['is sealed by another than its header says', () => ({ curve: strangeCurve })],
    ['is sealed by another than it names', () => ({ curve: strangeCurve, header: strangeCurve.getPublicKey() })],
    ['names another xkey than its header', () => serverId({ xkey: strangeCurve.getPublicKey() })],
    ['names no xkey', () => serverId({ xkey: undefined })],
    ['has no header', () => ({ header: null })],
    ['has a header that is no key', () => ({ header: 'X' })],
    ['has an account’s key in the header', () => ({ header: createAccount().getPublicKey() })],
    ['names no user nkey', () => ({ nats: { user_nkey: undefined } })],
    ['names an account for the user nkey', () => ({ nats: { user_nkey: createAccount().getPublicKey() } })],
    [
      'names a user nkey with a letter wrong',
      () => ({ nats: { user_nkey: `${createUser().getPublicKey().slice(0, -1)}1` } }),
    ],
    ['is not encrypted', () => ({ payload: Buffer.from('eyJ0eXAiOiJKV1QiLCJhbGciOiJlZDI1NTE5LW5rZXkifQ.e30.x') })],
    ['is empty', () => ({ payload: Buffer.alloc(0) })],
    ['is garbage', () => ({ payload: Buffer.from('garbage') })],
    ['is the mark of a box and nothing else', () => ({ payload: Buffer.from('xkv1') })],
    ['is a box too short', () => ({ payload: Buffer.from(`xkv1${'x'.repeat(30)}`) })],
    ['is a megabyte of garbage', () => ({ payload: large('') })],
    ['is a megabyte of a box', () => ({ payload: large('xkv1') })],
    ['is a sealed megabyte', () => ({ alter: () => 'x'.repeat(1_000_000) })],
    ['is a sealed megabyte of dots', () => ({ alter: () => '.'.repeat(1_000_000) })],
    ['is nested a hundred thousand deep', () => ({ alter: nested })],
    ['is sealed and empty', () => ({ alter: () => '' })],
  ])('that %s gets no answer, and does no harm', async (_name, make) => {
    const { reply } = standin.send(alice.token, make())
    // Requests are read as they come: whatever was said to the first was said before this.
    const { user } = await standin.ask(alice.token)
    expect(user?.name).toBe('main/alice')
    expect(standin.hasAnswer(reply)).toBe(false)
  })

  it('never raises an exception, whatever is in it', async () => {
    await standin.ask(alice.token)
    expect(await usher.callouts('failed')).toBe(0)
  })

  it('that is late is counted as late, a bad one as invalid, and the log says why without the token', async () => {
    const [late, invalid] = [await usher.callouts('late'), await usher.callouts('invalid')]
    standin.send(alice.token, { claims: { exp: seconds() - 1 } })
    standin.send(alice.token, { claims: { sub: createAccount().getPublicKey() } })
    await standin.ask(alice.token)
    expect([await usher.callouts('late'), await usher.callouts('invalid')]).toEqual([late + 1, invalid + 1])
    const log = await usher.logText()
    expect(log).toContain('asks for an issuer that is not one of NATS_ISSUER_SEEDS')
    expect(log).not.toContain(alice.token)
  })

  it('that is right is answered with a user JWT, sealed, in the form that nats-server wants', async () => {
    const { data, response, user, userNkey } = await standin.ask(alice.token)
    const issuer = publicNkeyOf(keys.issuer, 'account')
    expect(Buffer.from(data).subarray(0, 4).toString()).toBe('xkv1')
    expect(response).toMatchObject({ sub: userNkey, aud: standin.id, iss: issuer })
    expect(response.nats).toEqual({ jwt: expect.any(String), type: 'authorization_response', version: 2 })
    expect(user).toMatchObject({ sub: userNkey, aud: 'APP', iss: issuer, name: 'main/alice', exp: alice.expiresAt })
    expect(user?.nats).toEqual({
      pub: { allow: ['u.alice.>'], deny: ['u.*.secret'] },
      sub: { allow: [`${alice.inboxPrefix}.>`], deny: ['u.*.secret'] },
      resp: { max: 2, ttl: 3_000_000_000 },
      subs: -1,
      data: -1,
      payload: -1,
      type: 'user',
      version: 2,
    })
    expect(user?.jti).not.toBe(response.jti)
    expect(Math.abs(seconds() - (user?.iat ?? 0))).toBeLessThan(5)
  })

  it('for who may nothing on a side is answered with everything denied there, not with an empty list', async () => {
    const told = (await usher.app.inject('/nats/token')).json<Told>()
    const { user } = await standin.ask(told.token)
    expect(user?.nats).toMatchObject({ pub: { allow: [], deny: ['>'] }, sub: { allow: ['news'], deny: [] } })
    expect(user?.name).toBe(told.user)
  })

  it('is answered by the issuer and the xkey that its server has, while they are rotated', async () => {
    const [issuer, recipient] = [publicNkeyOf(old.issuer, 'account'), publicNkeyOf(old.xkey, 'curve')]
    const { response, user } = await standin.ask(alice.token, { claims: { sub: issuer }, recipient })
    expect([response.iss, user?.iss]).toEqual([issuer, issuer])
  })

  it.each<[string, () => [string | undefined, Asked?], RegExp]>([
    ['a wrong token', () => [`${alice.token}x`], /^unauthenticated: not a token/],
    ['no token', () => [undefined], /^unauthenticated: no token/],
    ['an empty token', () => [''], /^unauthenticated: no token/],
    [
      'a token that is no text',
      () => [undefined, { nats: { connect_opts: { auth_token: { a: 1 } } } }],
      /^unauthenticated/,
    ],
    [
      'a route',
      () => [alice.token, { nats: { client_info: { kind: 'Router' } } }],
      /^beyond_grant: connection type unknown/,
    ],
    [
      'a type of later',
      () => [alice.token, { nats: { client_info: { kind: 'Client', type: 'quic' } } }],
      /^beyond_grant/,
    ],
    [
      'a leafnode',
      () => [alice.token, { nats: { client_info: { kind: 'Leafnode' } } }],
      /^beyond_grant: connection type leafnode/,
    ],
    ['no client', () => [alice.token, { nats: { client_info: undefined } }], /^beyond_grant/],
    ['null', () => [alice.token, { nats: { client_info: null, connect_opts: null } }], /^unauthenticated: no token/],
  ])('for %s is answered with an error at once, and no user JWT', async (_name, make, said) => {
    const { response, user, userNkey } = await standin.ask(...make())
    expect(user).toBeUndefined()
    expect(response).toMatchObject({ sub: userNkey, aud: standin.id })
    expect(response.nats).toEqual({ error: expect.stringMatching(said), type: 'authorization_response', version: 2 })
    expect(response.nats.error).not.toContain(alice.token)
  })
})

/** Claims with arrays in arrays; the signature is of the JWT before. */
const nested = (jwt: string): string => {
  const [head, , signature] = jwt.split('.')
  const deep = `{"nats":${'['.repeat(100_000)}${']'.repeat(100_000)}}`
  return [head, Buffer.from(deep).toString('base64url'), signature].join('.')
}
