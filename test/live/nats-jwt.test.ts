// jwt mode against a real nats-server of an operator: what a user JWT opens, for whom, over what and until when.

import {
  AuthorizationError,
  connect,
  type NatsConnection,
  UserAuthenticationExpiredError,
} from '@nats-io/transport-node'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { startJwtServer } from './nats-jwt-server.ts'
import { createNkey, echo, type JwtUsher, join, joinByWebSocket, openJwtUsher, own, refused } from './nats-jwt-usher.ts'
import { obtainNatsServer } from './nats-server.ts'

const natsServer = await obtainNatsServer()

describe.skipIf(!natsServer)('a nats-server of an operator', () => {
  let usher: JwtUsher

  beforeAll(async () => {
    usher = await openJwtUsher(await startJwtServer({ more: 'websocket { listen: "127.0.0.1:-1", no_tls: true }' }))
  })
  afterAll(() => usher?.close())

  it('lets a client in that signs with its own key, and carries its messages', async () => {
    const alice = await usher.told('user')
    expect(alice).toMatchObject({ user: 'main/alice', account: 'APP' })
    const client = await join(alice, own.seed)
    expect(await echo(client, 'u.alice.greeting')).toBe('hello')
    client.subscribe('u.alice.time', { callback: (_error, message) => void message.respond('noon') })
    expect((await client.request('u.alice.time')).string()).toBe('noon')
  })

  it('holds him to what the grant says', async () => {
    const client = await join(await usher.told('user'), own.seed)
    expect(await refused(client, ['u.alice.x', 'u.alice.x.y', 'u.bob.x', 'u.alice', 'x', 'u.alice.secret'])).toEqual([
      'publish u.bob.x',
      'publish u.alice',
      'publish x',
      'publish u.alice.secret',
    ])
    expect(await refused(client, [], ['u.alice.>', 'u.>', 'u.*.x', '_INBOX.>', '$SYS.>', 'u.alice.secret'])).toEqual([
      'subscription u.>',
      'subscription u.*.x',
      'subscription _INBOX.>',
      'subscription $SYS.>',
      'subscription u.alice.secret',
    ])
  })

  it('holds him to what he asked for, which is less', async () => {
    const body = { publicKey: own.publicKey, publish: ['u.alice.in'], subscribe: [] }
    const client = await join(await usher.told('user', body), own.seed)
    expect(await refused(client, ['u.alice.in', 'u.alice.out'], ['u.alice.in'])).toEqual([
      'publish u.alice.out',
      'subscription u.alice.in',
    ])
  })

  it('holds the holder of a role to the template of its scoped key', async () => {
    const alice = await usher.told('member')
    expect(alice).toMatchObject({ inboxPrefix: null, permissions: null })
    const client = await join(alice, own.seed)
    expect(await echo(client, 'm.alice.x')).toBe('hello')
    expect(await refused(client, ['m.bob.x', 't.acme.say', 't.acme.other', 't.news.say'])).toEqual([
      'publish m.bob.x',
      'publish t.acme.other',
      'publish t.news.say',
    ])
    expect(await refused(client, [], ['t.acme.>', 't.news.>', 'm.>', '_INBOX.alice.>', '_INBOX.bob.>'])).toEqual([
      'subscription t.news.>',
      'subscription m.>',
      'subscription _INBOX.bob.>',
    ])
  })

  it('lets him in by the account’s own key where there is no signing key', async () => {
    expect(await echo(await join(await usher.told('other'), own.seed), 'u.alice.x')).toBe('hello')
  })

  it.each([
    ['another seed', 'user', createNkey().seed],
    ['another seed for a role', 'member', createNkey().seed],
    ['the JWT of a key that is not one of the account’s', 'gone', own.seed],
  ])('refuses %s', async (_name, as, seed) => {
    await expect(join(await usher.told(as), seed)).rejects.toThrow(AuthorizationError)
  })

  it('refuses a JWT that was altered, or came without a signature', async () => {
    const alice = await usher.told('user')
    const [head, payload = '', signature] = alice.token.split('.')
    const claims = Buffer.from(payload, 'base64url').toString().replaceAll('u.alice.>', 'u.bobby.>')
    const altered = [head, Buffer.from(claims).toString('base64url'), signature].join('.')
    expect(altered).not.toBe(alice.token)
    await expect(join({ ...alice, token: altered }, own.seed)).rejects.toThrow(AuthorizationError)
    const { urls, token } = alice
    for (const login of [{ token }, { authenticator: () => ({ jwt: token, sig: '' }) }])
      await expect(connect({ servers: [...urls], reconnect: false, ...login })).rejects.toThrow(AuthorizationError)
  })

  it('ends the connection when the JWT ends', async () => {
    const alice = await usher.told('user', { publicKey: own.publicKey, ttl: 2 })
    const client = await join(alice, own.seed)
    expect(await client.closed()).toBeInstanceOf(UserAuthenticationExpiredError)
    expect(Date.now() / 1000).toBeGreaterThanOrEqual(alice.expiresAt - 0.1)
    expect(Date.now() / 1000).toBeLessThan(alice.expiresAt + 2)
    // In the second of its end it is let in, and cut at once.
    await vi.waitFor(() => expect(join(alice, own.seed)).rejects.toThrow(/Expired|Authorization Violation/), 5000)
  })

  it.each([
    ['browser', { tcp: false, webSocket: true }],
    ['daemon', { tcp: true, webSocket: false }],
    ['user', { tcp: true, webSocket: true }],
  ])('lets a %s in over the kinds of connection that the grant names', async (as, expected) => {
    const alice = await usher.told(as)
    const isIn = (joining: Promise<NatsConnection>) =>
      joining.then(
        () => true,
        (error) => {
          expect(error).toBeInstanceOf(AuthorizationError)
          return false
        },
      )
    expect({
      tcp: await isIn(join(alice, own.seed)),
      webSocket: await isIn(joinByWebSocket(alice, own.seed)),
    }).toEqual(expected)
  })
})
