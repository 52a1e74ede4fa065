// Which tokens open a nats-server in callout mode, as whom, and that no other text does. The raw token is in no log and no list.

import { AuthorizationError } from '@nats-io/transport-node'
import { beforeAll, describe, expect, it } from 'vitest'
import { createCanaryToken } from '../../src/providers/nats/canary.ts'
import { openTokenKeys } from '../../src/providers/nats/token.ts'
import { calloutConf, createKeys } from './callout-server.ts'
import { openUsher, pathOfFile, policyWith, type Told, type Usher } from './callout-usher.ts'
import { join, joinSystem, listConnections, mayPublish, maySubscribe, openRaw } from './nats-clients.ts'
import { type NatsServer, obtainNatsServer, startNatsServer } from './nats-server.ts'

const natsServer = await obtainNatsServer()
const keys = createKeys()
const policy = policyWith(`
  - id: own
    when: { issuer: main }
    nats: { account: APP, publish: ["u.{user}.>", $SYS.REQ.USER.INFO], subscribe: ["u.{user}.>"] }
`)

/** Another secret of the same form. */
const otherKey = (id: string) => createKeys().tokenKeys.replace('k1:', `${id}:`)
const [oldKey, newKey] = [otherKey('k0'), otherKey('k2')]

describe.skipIf(!natsServer)('a nats-server in callout mode', () => {
  let server: NatsServer
  let usher: Usher
  let alice: Told

  beforeAll(async () => {
    server = await startNatsServer({ config: calloutConf(keys, { more: 'debug: true\ntrace: true\n' }) })
    usher = await openUsher(keys, server.url, { policy, env: { REVOCATIONS_FILE: await pathOfFile('revocations') } })
    await usher.untilReady()
    alice = await usher.tokenFor('alice')
  })

  it('lets the holder of a token in, and carries his messages', async () => {
    const client = await join(alice)
    const messages = client.subscribe('u.alice.greeting', { max: 1 })
    client.publish('u.alice.greeting', 'hello')
    for await (const message of messages) expect(message.string()).toBe('hello')
  })

  it('knows him by his name, his account and his end', async () => {
    const client = await join(alice, { name: 'laptop' })
    const info = (await client.request('$SYS.REQ.USER.INFO')).json<{ data: Record<string, unknown> }>().data
    expect(info).toMatchObject({ user: 'main/alice', account: 'APP' })
    const { publish, subscribe } = info['permissions'] as Record<string, { allow: string[] }>
    expect(new Set(publish?.allow)).toEqual(new Set(['u.alice.>', '$SYS.REQ.USER.INFO']))
    expect(new Set(subscribe?.allow)).toEqual(new Set(['u.alice.>', `${alice.inboxPrefix}.>`]))
    const secondsLeft = (info['expires'] as number) / 1e9
    expect(Math.abs(Date.now() / 1000 + secondsLeft - alice.expiresAt)).toBeLessThan(5)

    const listed = await listConnections(await joinSystem(server.url, keys), { user: 'main/alice' })
    expect(listed).toMatchObject([{ name: 'laptop', authorized_user: 'main/alice', account: 'APP' }])
  })

  it('lets one token in many times, and two users side by side', async () => {
    const bob = await usher.tokenFor('bob')
    await Promise.all([alice, alice, alice, bob, bob].map((told) => join(told)))
    const system = await joinSystem(server.url, keys)
    expect(await listConnections(system, { user: 'main/alice' })).toHaveLength(3)
    expect(await listConnections(system, { user: 'main/bob' })).toHaveLength(2)
  })

  it('lets a canary in, which may nothing', async () => {
    const token = createCanaryToken({ keys: keys.tokenKeys, nowMs: Date.now() })
    const canary = await openRaw({ urls: [server.url], token })
    expect(await mayPublish(canary, 'u.alice.x')).toBe(false)
    expect(await mayPublish(canary, '$SYS.REQ.USER.INFO')).toBe(false)
    for (const subject of ['u.alice.x', '>', '_INBOX.x', `${alice.inboxPrefix}.x`])
      expect(await maySubscribe(canary, subject)).toBe(false)
  })

  const forge = (text: string) => openTokenKeys(text).seal(openTokenKeys(keys.tokenKeys).open(alice.token) as object)
  const part = (index: number, change: (text: string) => string) => () =>
    alice.token
      .split('.')
      .map((text, at) => (at === index ? change(text) : text))
      .join('.')
  const flip = (at: number) => (text: string) => {
    const index = at < 0 ? text.length + at : at
    return `${text.slice(0, index)}${text[index] === 'B' ? 'C' : 'B'}${text.slice(index + 1)}`
  }
  const ofBob = async () => (await usher.tokenFor('bob')).token.split('.')

  it.each<[string, () => string | Promise<string> | undefined]>([
    ['no token', () => undefined],
    ['an empty token', () => ''],
    ['any other text', () => 's3cr3t-of-the-server'],
    ['a token of static mode', () => 'm7MRJSPON8dwp1bH6MRkDw'],
    ['its prefix alone', () => 'ntk_'],
    ['another prefix', part(0, (text) => text.replace('ntk_', 'nt1_'))],
    ['a key id that nobody has', part(0, () => 'ntk_k9')],
    ['no key id', part(0, () => 'ntk_')],
    ['a payload with its first character changed', part(1, flip(0))],
    ['a payload with its last character changed', part(1, flip(-1))],
    [
      'the payload of another token',
      async () => [alice.token.split('.')[0], (await ofBob())[1], alice.token.split('.')[2]].join('.'),
    ],
    ['no payload', part(1, () => '')],
    ['a MAC with its first character changed', part(2, flip(0))],
    ['a MAC in another text of the same bytes', part(2, (mac) => mac.slice(0, -1) + sibling(mac.slice(-1)))],
    ['a MAC that is cut', part(2, (mac) => mac.slice(0, -1))],
    ['the MAC of another token', async () => [...alice.token.split('.').slice(0, 2), (await ofBob())[2]].join('.')],
    ['no MAC', () => alice.token.split('.').slice(0, 2).join('.')],
    ['a token with something after it', () => `${alice.token}A`],
    ['a token with something before it', () => ` ${alice.token}`],
    ['a token in capitals', () => alice.token.toUpperCase()],
    ['two tokens', () => `${alice.token}.${alice.token}`],
    ['a token of another service', () => forge(otherKey('k1'))],
    ['a token by a key that is not there any more', () => forge(oldKey)],
    ['a canary that is old', () => createCanaryToken({ keys: keys.tokenKeys, nowMs: Date.now() - 31_000 })],
    ['a canary of another service', () => createCanaryToken({ keys: otherKey('k1'), nowMs: Date.now() })],
    ['a token for nobody', () => openTokenKeys(keys.tokenKeys).seal({})],
    ['its id', () => alice.tokenId],
    ['the public key of the issuer', () => 'ACIPZ5PGH4ILGR5CJIXEPTR746V4WSVXTGTIBXILB36PQCEWHIFTKVTI'],
  ])('refuses %s', async (_name, make) => {
    const token = await make()
    expect(token).not.toBe(alice.token)
    const refused = await usher.callouts('unauthenticated')
    const login = token === undefined ? {} : { auth_token: token }
    await expect(openRaw({ urls: [server.url], token: undefined as never }, login)).rejects.toThrow(
      "-ERR 'Authorization Violation'",
    )
    expect(await usher.callouts('unauthenticated')).toBe(refused + 1)
  })

  it.each([
    ['a password', { user: 'alice', pass: 'x' }],
    ['an nkey', { nkey: 'UCIPZ5PGH4ILGR5CJIXEPTR746V4WSVXTGTIBXILB36PQCEWHIFTKVTI', sig: 'x' }],
    ['a JWT', { jwt: 'eyJ0eXAiOiJKV1QiLCJhbGciOiJlZDI1NTE5LW5rZXkifQ.e30.x', sig: 'x' }],
  ])('refuses %s', async (_name, fields) => {
    await expect(openRaw({ urls: [server.url], token: undefined as never }, fields)).rejects.toThrow(/-ERR 'Auth/)
  })

  it('refuses a token that is past its end, and one that is revoked', async () => {
    const short = await usher.tokenFor('carol', { ttl: 2 })
    const first = await openRaw(short)
    expect(await first.closed).toContain("-ERR 'User Authentication Expired'")
    await expect(join(short)).rejects.toThrow(AuthorizationError)

    const revoked = await usher.tokenFor('dave')
    await usher.revoke({ tokenId: revoked.tokenId })
    await expect(join(revoked)).rejects.toThrow(AuthorizationError)
    await join(await usher.tokenFor('dave'))
  })

  it('takes tokens of each key that is configured, and makes them with the first', async () => {
    const replica = (tokenKeys: string) =>
      openUsher({ ...keys, tokenKeys }, server.url, {
        policy,
        env: { NATS_CALLOUT_SEED: '', NATS_ISSUER_SEEDS: '', NATS_XKEY_SEEDS: '' },
      })
    const rotated = `${newKey},${keys.tokenKeys}`
    const other = await startNatsServer({ config: calloutConf(keys) })
    const answering = await openUsher({ ...keys, tokenKeys: rotated }, other.url, { policy })
    await answering.untilReady()
    const at = (told: Told) => ({ ...told, urls: [other.url] })
    await join(at(alice))
    const made = await answering.tokenFor('alice')
    expect(made.token).toMatch(/^ntk_k2\./)
    await join(at(made))
    await expect(join(at(await (await replica(oldKey)).tokenFor('alice')))).rejects.toThrow(AuthorizationError)
    await answering.close()
  })

  it('has the raw token in no log and in no list, refused ones included', async () => {
    const forged = part(2, flip(0))()
    await join(alice)
    await expect(join({ ...alice, token: forged })).rejects.toThrow(AuthorizationError)
    const system = await joinSystem(server.url, keys)
    // Of those that are gone, too, where the server keeps refused tokens to itself.
    const lists = JSON.stringify(await listConnections(system, { subscriptions: true, state: redacts(server) ? 2 : 0 }))
    expect(lists).toContain('main/alice')
    expect(server.logs()).toContain('CONNECT')
    const places = {
      lists,
      audit: usher.auditText(),
      log: await usher.logText(),
      ...(redacts(server) && { server: server.logs() }),
    }
    for (const [place, text] of Object.entries(places))
      for (const secret of [alice.token, forged, ...alice.token.split('.').slice(1)])
        expect(text.includes(secret), `a token in ${place}`).toBe(false)
  })
})

/** Older servers show what they refused, and everything when they trace: 2.10.28 and 2.11.2 ended that. */
const redacts = (server: NatsServer): boolean => !/Version: +2\.(10\.(1?\d|2[0-7])|11\.[01])\b/.test(server.logs())

/** The other text of the last two bits: base64url decoders take both. */
const sibling = (last: string): string => {
  const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  return digits[digits.indexOf(last) ^ 1] as string
}
