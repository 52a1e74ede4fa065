// jwt mode: what is issued, what is not, and what the service says of a JWT that it cannot take back. A real nats-server of an
// operator takes what is issued.

import { connect, credsAuthenticator, nkeys } from '@nats-io/transport-node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { testService } from '../app/test-app.ts'
import type { Told } from './callout-usher.ts'
import { keep } from './nats-clients.ts'
import { type JwtServer, jwtEnv, startJwtServer } from './nats-jwt-server.ts'
import { echo, type JwtUsher, join, jwtPolicy, openJwtUsher, own, refused } from './nats-jwt-usher.ts'
import { obtainNatsServer } from './nats-server.ts'

const natsServer = await obtainNatsServer()

describe.skipIf(!natsServer)('a user JWT', () => {
  let usher: JwtUsher
  let jwtServer: JwtServer

  beforeAll(async () => {
    jwtServer = await startJwtServer()
    usher = await openJwtUsher(jwtServer)
  })
  afterAll(() => usher?.close())

  it('gives a creds file where the grant says so, and it opens the server', async () => {
    const { creds = '', urls, inboxPrefix } = await usher.told('device', { creds: true })
    const client = keep(
      await connect({
        servers: [...urls],
        authenticator: credsAuthenticator(Buffer.from(creds)),
        inboxPrefix,
        reconnect: false,
      }),
    )
    expect(await echo(client, 'u.alice.x')).toBe('hello')
    expect(await refused(client, ['u.bob.x'])).toEqual(['publish u.bob.x'])
    expect(usher.auditText()).not.toContain(/SU[A-Z2-7]{56}/.exec(creds)?.[0])

    expect(await usher.told('device')).not.toHaveProperty('creds')
    expect(await usher.ask('user', { creds: true })).toMatchObject({
      status: 403,
      body: { error: { message: expect.stringContaining('no grant of the caller allows a creds file') } },
    })
  })

  it('takes the largest JWT that is issued, and none is issued that a CONNECT could not carry', async () => {
    const subjects = (count: number) =>
      Array.from({ length: count }, (_, index) => `w.${String(index).padStart(20, '0')}`)
    const withSubjects = (count: number) => usher.ask('wide', { publicKey: own.publicKey, publish: subjects(count) })
    let count = 40
    while ((await withSubjects(count + 1)).status === 200) count++
    const { body } = await withSubjects(count)
    expect((body['token'] as string).length).toBeGreaterThan(3400)
    const client = await join(body as unknown as Told, own.seed, { name: 'n'.repeat(64) })
    expect(await refused(client, ['w.x', ...subjects(count)])).toEqual(['publish w.x'])

    const { status, body: tooLarge } = await withSubjects(count + 1)
    expect(status).toBe(422)
    expect(tooLarge).toMatchObject({ error: { reason: 'token_too_large' } })
    const { message } = tooLarge['error'] as { message: string }
    const [, size] = /would have (\d+) bytes, and 3500 is the most/.exec(message) ?? []
    expect(Number(size)).toBeGreaterThan(3500)
    expect(Number(size)).toBeLessThan(3560)
  })

  it.each([
    ['nothing', {}, 'publicKey: is missing'],
    ['a seed', { publicKey: Buffer.from(own.seed).toString() }, 'never send the seed'],
    ['the key of an account', { publicKey: nkeys.createAccount().getPublicKey() }, 'must be a public user nkey'],
    ['a key with a letter wrong', { publicKey: `${own.publicKey.slice(0, -1)}8` }, 'must be a public user nkey'],
  ])('issues nothing for %s', async (_name, body, message) => {
    expect(await usher.ask('user', body)).toMatchObject({
      status: 400,
      body: { error: { message: expect.stringContaining(message) } },
    })
  })

  it('says of a revocation that a JWT lasts, and issues no more', async () => {
    const askAgain = () => usher.post('/nats/token', { sub: 'dave', as: 'user' }, { publicKey: own.publicKey })
    const dave = (await askAgain()).body as unknown as Told
    const { status, body } = await usher.post('/revoke', { sub: 'root' }, { source: 'main', subject: 'dave' })
    expect(status).toBe(200)
    expect(body['outcomes']).toMatchObject({
      nats: { done: false, detail: expect.stringContaining('good until it ends') },
    })
    expect(await echo(await join(dave, own.seed), 'u.dave.x')).toBe('hello')
    expect((await askAgain()).status).toBe(403)
  })

  it('starts with no grant for an account or a role that it has no key for', async () => {
    const opened = (grant: string) => testService({ policy: `${jwtPolicy}\n${grant}`, env: jwtEnv(jwtServer) })
    await expect(opened('  - { id: x, nats: { account: NONE, publish: [x] } }')).rejects.toThrow(
      /nats\.account: has no key in NATS_SIGNING_KEYS/,
    )
    await expect(opened('  - { id: x, nats: { account: APP, role: admin, name: "{user}" } }')).rejects.toThrow(
      /nats\.role: has no key in NATS_SIGNING_KEYS/,
    )
  })
})
