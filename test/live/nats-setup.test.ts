// What `usher nats setup` and `usher init` write, on real nats-servers: they take it, it lets in who is meant, as far as is meant,
// and the commands that init prints lead to a client.

import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { parseEnv, promisify } from 'node:util'
import {
  AuthorizationError,
  type ConnectionOptions,
  connect,
  credsAuthenticator,
  jwtAuthenticator,
  type NatsConnection,
  nkeyAuthenticator,
} from '@nats-io/transport-node'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { init } from '../../src/cli/init.ts'
import { natsSetup } from '../../src/cli/nats-setup.ts'
import { encodeNatsJwt } from '../../src/providers/nats/jwt.ts'
import { createSeed, openSigner, publicNkeyOf } from '../../src/providers/nats/nkeys.ts'
import { createFolder } from '../cli/folder.ts'
import { runCommand } from '../cli/io.ts'
import { build, startUsher, type UsherProcess } from '../usher-process.ts'
import { openUsher, patience, policyWith } from './callout-usher.ts'
import { checkNatsConfig, type NatsServer, obtainNatsServer, startNatsServer } from './nats-server.ts'

const natsServer = await obtainNatsServer()
const seedBytes = (seed: string) => new TextEncoder().encode(seed)

async function setUp(mode: string, ...flags: readonly string[]) {
  const folder = await createFolder()
  const { exitCode } = await runCommand(natsSetup, ['--mode', mode, '--dir', folder, ...flags])
  expect(exitCode).toBe(0)
  const read = (name: string) => readFileSync(join(folder, name), 'utf8')
  return { conf: read('nats.conf'), env: parseEnv(read('nats.env')) as Record<string, string>, read }
}

const start = (conf: string): Promise<NatsServer> => startNatsServer({ config: conf.replace(':4223"', ':-1"') })

const open: NatsConnection[] = []
/** One that is left in the queue of the callout would take requests. */
afterEach(() => Promise.all(open.splice(0).map((connection) => connection.close())))

async function logIn(url: string, options: ConnectionOptions): Promise<NatsConnection> {
  const connection = await connect({ servers: url, reconnect: false, inboxPrefix: '_INBOX_usher', ...options })
  open.push(connection)
  return connection
}

/** What nats-server says against it; undefined where it allows it. */
async function refusalOf(
  connection: NatsConnection,
  act: (connection: NatsConnection) => void,
): Promise<string | undefined> {
  let refusal: string | undefined
  void (async () => {
    for await (const status of connection.status()) if (status.type === 'error') refusal ??= status.error.message
  })()
  act(connection)
  // The server has answered what came before its PONG; the status is heard a turn later.
  await connection.flush()
  await nextTurn()
  return refusal
}

const publishing = (subject: string) => (connection: NatsConnection) => connection.publish(subject)
const subscribing = (subject: string, queue?: string) => (connection: NatsConnection) => {
  connection.subscribe(subject, { ...(queue && { queue }), callback: () => {} })
}

describe.skipIf(!natsServer)('nats.conf of `usher nats setup`', () => {
  it.each([
    ['callout'],
    ['static'],
    ['jwt'],
    ['callout', '--accounts', 'APP,include,123,-x,true,SHOP'],
    ['jwt', '--accounts', 'APP,include,123,-x,true,SHOP'],
    ['callout', '--listen', '::1', '--server-name', 'other'],
    ['callout', '--listen', '0.0.0.0'],
    ['callout', '--listen', 'localhost'],
  ])('is taken by nats-server: %s %s %s', async (mode, ...flags) => {
    const { conf } = await setUp(mode, ...flags)
    expect(await checkNatsConfig(conf)).toBeUndefined()
  })

  it.each(['callout', 'static', 'jwt'])(
    'starts a server with JetStream and WebSocket, on loopback: %s',
    async (mode) => {
      const { conf } = await setUp(mode)
      const { logs, wsUrl } = await start(conf)
      expect(wsUrl).toMatch(/^ws:\/\/127\.0\.0\.1:/)
      expect(logs()).toMatch(/Max Storage: +1\.00 GB/)
      expect(logs()).not.toMatch(/\[(ERR|FTL)\]/)
    },
  )
})

describe.skipIf(!natsServer)('callout mode of `usher nats setup`', () => {
  let server: NatsServer
  let env: Record<string, string>

  beforeAll(async () => {
    const { conf, ...written } = await setUp('callout')
    env = written.env
    server = await start(conf)
  })

  const logInBy = (name: string) =>
    logIn(server.url, { authenticator: nkeyAuthenticator(seedBytes(env[name] as string)) })

  it.each([
    ['NATS_CALLOUT_SEED', subscribing('$SYS.REQ.USER.AUTH', 'usher')],
    ['NATS_CALLOUT_SEED', subscribing('_INBOX_usher.x.*')],
    ['NATS_CALLOUT_SEED', publishing('$SYS._INBOX.abc.def')],
    ['NATS_CALLOUT_SEED', publishing('$SYS.REQ.USER.INFO')],
    ['NATS_SYSTEM_SEED', publishing('$SYS.REQ.SERVER.NABC.KICK')],
    ['NATS_SYSTEM_SEED', publishing('$SYS.REQ.SERVER.PING.CONNZ')],
    ['NATS_SYSTEM_SEED', subscribing('_INBOX_usher.x.*')],
  ])('lets %s do what Usher does: %#', async (name, act) => {
    expect(await refusalOf(await logInBy(name), act)).toBeUndefined()
  })

  it.each([
    ['NATS_CALLOUT_SEED', subscribing('$SYS.REQ.USER.AUTH')],
    ['NATS_CALLOUT_SEED', subscribing('$SYS.REQ.USER.AUTH', 'another')],
    ['NATS_CALLOUT_SEED', subscribing('>')],
    ['NATS_CALLOUT_SEED', subscribing('_INBOX.>')],
    ['NATS_CALLOUT_SEED', publishing('user.alice.news')],
    ['NATS_CALLOUT_SEED', publishing('$SYS.REQ.USER.AUTH')],
    ['NATS_SYSTEM_SEED', publishing('$SYS.REQ.SERVER.PING.VARZ')],
    ['NATS_SYSTEM_SEED', publishing('$SYS.REQ.SERVER.NABC.RELOAD')],
    ['NATS_SYSTEM_SEED', publishing('$SYS.REQ.CLAIMS.UPDATE')],
    ['NATS_SYSTEM_SEED', subscribing('$SYS.ACCOUNT.*.CONNECT')],
    ['NATS_SYSTEM_SEED', subscribing('>')],
  ])('lets %s do nothing else: %#', async (name, act) => {
    expect(await refusalOf(await logInBy(name), act)).toMatch(/^Permissions Violation/)
  })

  it('places users of Usher in APP, with JetStream', async () => {
    const keys = {
      issuer: env['NATS_ISSUER_SEEDS'] as string,
      xkey: env['NATS_XKEY_SEEDS'] as string,
      login: env['NATS_CALLOUT_SEED'] as string,
      system: env['NATS_SYSTEM_SEED'] as string,
      tokenKeys: env['NATS_TOKEN_KEYS'] as string,
    }
    const policy = policyWith(`
  - id: streams
    when: { issuer: main }
    nats: { account: APP, publish: ["$JS.API.INFO"] }
`)
    const usher = await openUsher(keys, server.url, { policy })
    await usher.untilReady()
    const { token, urls, inboxPrefix } = await usher.tokenFor('alice')
    const client = await logIn(urls[0] as string, { token, inboxPrefix })
    expect((await client.request('$JS.API.INFO')).json()).toMatchObject({ limits: { max_storage: -1 } })
    await usher.close()
  })
})

describe.skipIf(!natsServer)('static mode of `usher nats setup`', () => {
  it('lets in who has the token, and nobody else', async () => {
    const { conf, env } = await setUp('static')
    const { url } = await start(conf)
    await logIn(url, { token: env['NATS_TOKEN'] as string })
    await expect(logIn(url, { token: 'another' })).rejects.toThrow(AuthorizationError)
    await expect(logIn(url, {})).rejects.toThrow(AuthorizationError)
  })
})

describe.skipIf(!natsServer)('jwt mode of `usher nats setup`', () => {
  let server: NatsServer
  let creds: string
  let keys: { account: string; plain: string; scoped: string }

  beforeAll(async () => {
    const { conf, env, read } = await setUp('jwt')
    creds = read('nats-system.creds')
    const [account, plain, scoped] =
      (env['NATS_SIGNING_KEYS'] as string).match(/\bS?A[A-Z2-7]{54,}/g)?.filter(isFirst) ?? []
    keys = { account, plain, scoped } as typeof keys
    server = await start(conf)
  })
  const isFirst = (text: string, index: number, all: readonly string[]) => all.indexOf(text) === index

  const logInWith = (signingSeed: string, nats: object, name = 'alice') => {
    const seed = createSeed('user')
    const claims = {
      sub: publicNkeyOf(seed, 'user'),
      name,
      iat: Math.floor(Date.now() / 1000),
      nats: { ...nats, issuer_account: keys.account, type: 'user', version: 2 },
    }
    const jwt = encodeNatsJwt(claims, openSigner(signingSeed, 'account'))
    return logIn(server.url, { authenticator: jwtAuthenticator(jwt, seedBytes(seed)), inboxPrefix: `_INBOX.${name}` })
  }
  const unlimited = { subs: -1, data: -1, payload: -1 }

  it('takes what the plain key signs, in an account with JetStream', async () => {
    const client = await logInWith(keys.plain, {
      ...unlimited,
      pub: { allow: ['$JS.API.INFO'] },
      sub: { allow: ['_INBOX.alice.>'] },
    })
    expect((await client.request('$JS.API.INFO')).json()).toMatchObject({ limits: { max_storage: -1 } })
    expect(await refusalOf(client, publishing('user.bob.x'))).toMatch(/^Permissions Violation/)
  })

  it('takes what the scoped key signs, and gives him what the role says', async () => {
    const allowed = [publishing('user.alice.out.x'), subscribing('user.alice.>'), subscribing('_INBOX.alice.x')]
    const refused = [
      publishing('user.bob.out.x'),
      publishing('user.alice.x'),
      subscribing('user.bob.>'),
      subscribing('_INBOX.bob.x'),
      subscribing('>'),
    ]
    for (const act of allowed) expect(await refusalOf(await logInWith(keys.scoped, {}), act)).toBeUndefined()
    for (const act of refused)
      expect(await refusalOf(await logInWith(keys.scoped, {}), act)).toMatch(/^Permissions Violation/)
    await expect(logInWith(keys.scoped, unlimited)).rejects.toThrow(AuthorizationError)
  })

  it('refuses what another key signs', async () => {
    await expect(logInWith(createSeed('account'), unlimited)).rejects.toThrow(AuthorizationError)
  })

  it('lets the system user find connections and end them, and nothing else', async () => {
    const client = await logInWith(keys.plain, unlimited)
    const system = await logIn(server.url, { authenticator: credsAuthenticator(seedBytes(creds)) })
    const { data } = (await system.request('$SYS.REQ.SERVER.PING.CONNZ', '{"auth":true}')).json<{
      data: { connections: { cid: number }[] }
    }>()
    const { client_id: cid, server_id: id } = client.info ?? {}
    expect(data.connections.map((each) => each.cid)).toContain(cid)
    await system.request(`$SYS.REQ.SERVER.${id}.KICK`, JSON.stringify({ cid }))
    await client.closed()
    expect(await refusalOf(system, publishing('$SYS.REQ.CLAIMS.UPDATE'))).toMatch(/^Permissions Violation/)
    const again = await logIn(server.url, { authenticator: credsAuthenticator(seedBytes(creds)) })
    expect(await refusalOf(again, subscribing('>'))).toMatch(/^Permissions Violation/)
  })
})

describe.skipIf(!natsServer).each(['callout', 'jwt'])('the commands that `usher init --nats %s` prints', (mode) => {
  let usher: UsherProcess
  let server: NatsServer
  let printed: string
  let key: string
  let base: string

  beforeAll(async () => {
    build()
    const folder = await createFolder()
    const outcome = await runCommand(init, ['--dir', folder, '--nats', mode])
    printed = outcome.stderr
    key = outcome.stdout.trim()
    const read = (name: string) => readFileSync(join(folder, name), 'utf8')
    server = await start(read('nats.conf'))
    // What is not free on this machine: the ports.
    const env = {
      ...(parseEnv(read('.env')) as Record<string, string>),
      PORT: '0',
      OPS_PORT: '0',
      NATS_URLS: server.url,
    }
    usher = startUsher(env, { folder })
    base = (await usher.listening()).base
    await vi.waitFor(async () => expect((await fetch(`${base}/readyz`)).status).toBe(200), patience)
  })
  afterAll(() => usher.end())

  it('connect a client as alice, and show that what is bob’s is refused to her', async () => {
    const [, command = ''] = /^ {2}(cd .* && node --input-type=module -e '[^']*')$/m.exec(printed) ?? []
    const { stdout } = await promisify(execFile)('sh', ['-c', command.replace('http://127.0.0.1:8082', base)], {
      env: { ...process.env, USHER_KEY: key },
    })
    expect(stdout.trim().split('\n').sort()).toEqual([
      'Permissions Violation for Subscription to "user.bob.>"',
      'connected as alice',
      'user.alice.out.hello arrived',
    ])
  })
})
