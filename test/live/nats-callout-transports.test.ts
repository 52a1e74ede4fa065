// The ways into nats-server: WebSocket, a token in the URL, MQTT and leafnodes. Which of them a token opens, the grant says, and
// Usher alone checks it: nats-server does not (facts: allowed_connection_types of a callout's answer are not read).

import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { connect as connectSocket } from 'node:net'
import { tmpdir } from 'node:os'
import { join as joinPath } from 'node:path'
import { AuthorizationError, wsconnect } from '@nats-io/transport-node'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { calloutConf, createKeys } from './callout-server.ts'
import { openUsher, patience, policyWith, type Told, type Usher } from './callout-usher.ts'
import { buildGoClient, runGoClient } from './go-client.ts'
import { join, keep } from './nats-clients.ts'
import { type NatsServer, obtainNatsServer, startNatsServer } from './nats-server.ts'
import { obtainPython, runPython } from './python-client.ts'

const natsServer = await obtainNatsServer()
const goClient = natsServer && (await buildGoClient())
const python = natsServer && (await obtainPython())
// Node 20 has none of its own.
globalThis.WebSocket ??= createRequire(import.meta.url)('ws').WebSocket

const grant = (id: string, types: string) => `
  - id: ${id}
    when: { issuer: main, by: ${id} }
    nats: { account: APP, publish: ["u.{user}.>"], subscribe: ["u.{user}.>"]${types && `, connectionTypes: [${types}]`} }
    ttl: { default: 10m, max: 1h }`
const policy = policyWith(
  ['usual', 'web', 'plain', 'mqtt', 'leafnode']
    .map((id) => grant(id, { web: 'websocket', plain: 'nats', mqtt: 'mqtt', leafnode: 'leafnode' }[id] ?? ''))
    .join(''),
).replace('vars:', 'vars:\n  by: { from: claims.by, match: "[a-z]{1,16}" }')

describe.skipIf(!natsServer)('a token', () => {
  const keys = createKeys()
  let server: NatsServer
  let usher: Usher
  let leafAddress: string
  let mqttAddress: string
  let tokenBy: (by: string, ask?: object) => Promise<Told>

  beforeAll(async () => {
    const storage = await mkdtemp(joinPath(tmpdir(), 'usher-js-'))
    afterAll(() => rm(storage, { recursive: true, force: true }))
    const more = `
      websocket { listen: "127.0.0.1:-1", no_tls: true }
      leafnodes { listen: "127.0.0.1:-1" }
      mqtt { listen: "127.0.0.1:-1" }
      jetstream { store_dir: "${storage}" }`
    server = await startNatsServer({ config: calloutConf(keys, { more, accounts: 'APP { jetstream: enabled }' }) })
    leafAddress = await server.logged(/Listening for leafnode connections on (\S+)/)
    mqttAddress = await server.logged(/Listening for MQTT clients on mqtt:\/\/(\S+)/)
    usher = await openUsher(keys, server.url, {
      policy,
      env: { NATS_WS_URLS: server.wsUrl ?? '', NATS_SOFT_EXPIRY_SECONDS: '2' },
    })
    tokenBy = (by, ask) => usher.tokenFor('alice', ask, { by })
    await usher.untilReady()
  })

  const overWebSocket = async ({ wsUrls, token }: Told) =>
    keep(await wsconnect({ servers: [...wsUrls], token, reconnect: false }))
  const refusedBy = (type: string) =>
    expect(usher.auditLines().at(-1)).toMatchObject({
      outcome: 'refused',
      reason: 'beyond_grant',
      detail: `connection type ${type}`,
    })

  it('lets a browser in over WebSocket, and carries its messages', async () => {
    const client = await overWebSocket(await tokenBy('usual'))
    const messages = client.subscribe('u.alice.x', { max: 1 })
    client.publish('u.alice.x', 'hello')
    for await (const message of messages) expect(message.string()).toBe('hello')
    await join(await tokenBy('usual'))
  })

  it('is refused where the grant, or the ask, does not have the transport', async () => {
    await overWebSocket(await tokenBy('web'))
    await expect(join(await tokenBy('web'))).rejects.toThrow(AuthorizationError)
    refusedBy('nats')
    for (const told of [await tokenBy('plain'), await tokenBy('usual', { connectionTypes: ['nats'] })]) {
      await join(told)
      await expect(overWebSocket(told)).rejects.toThrow(AuthorizationError)
      refusedBy('websocket')
    }
  })

  it.skipIf(!goClient)('lets a Go client in by its URL', async () => {
    const { token } = await tokenBy('usual')
    const url = (token: string) => server.url.replace('://', `://${token}@`)
    expect(await runGoClient(goClient, { url: url(token), subject: 'u.alice.x' })).toMatch(/^connected \S+s\n$/)
    expect(await runGoClient(goClient, { url: url(`${token}x`), subject: 'u.alice.x' })).toContain(
      'Authorization Violation',
    )
  })

  it.skipIf(!python)('lets a Python client in by its URL', async () => {
    const { token } = await tokenBy('usual')
    const withToken = (token: string) => ({
      NATS_URL: server.url.replace('://', `://${token}@`),
      NATS_SUBJECT: 'u.alice.x',
    })
    expect(await runPython(withToken(token))).toBe('connected\nhello\nclosed\n')
    expect(await runPython(withToken(`${token}x`))).toContain('Authorization Violation')
  })

  it.skipIf(!python)(
    'is renewed by a Python client with a token function, which soft expiry keeps from closing for good',
    async () => {
      const tokens = [await tokenBy('usual', { ttl: 4 }), await tokenBy('usual')].map(({ token }) => token)
      const printed = await runPython({
        NATS_URL: server.url,
        NATS_TOKENS: tokens.join(' '),
        NATS_SUBJECT: 'u.alice.x',
      })
      expect(printed).not.toContain('Authentication Expired')
      expect(printed).toContain('reconnected\nstill here\n')
    },
  )

  it('lets a device in over MQTT only where the grant says so', async () => {
    expect(await connectMqtt(mqttAddress, (await tokenBy('mqtt')).token)).toBe(0)
    expect(await connectMqtt(mqttAddress, (await tokenBy('usual')).token)).toBe(5)
    refusedBy('mqtt')
    expect(await connectMqtt(mqttAddress, 'wrong')).toBe(5)
  })

  it('lets a leafnode in only where the grant says so', async () => {
    const leafWith = ({ token }: Told) =>
      startNatsServer({ config: `leafnodes { remotes: [ { url: "nats-leaf://${token}@${leafAddress}" } ] }` })
    const refused = await leafWith(await tokenBy('usual'))
    await refused.logged(/Authorization Violation/)
    refusedBy('leafnode')
    await refused.stop()
    await expect(join(await tokenBy('leafnode'))).rejects.toThrow(AuthorizationError)
    const leaf = await leafWith(await tokenBy('leafnode'))
    await leaf.logged(/Leafnode connection created/)
    await vi.waitFor(() => expect(usher.auditLines().at(-1)).toMatchObject({ outcome: 'connected' }), patience)
  })
})

/** The return code of the CONNACK: 0 = in, 5 = not authorized (MQTT 3.1.1, section 3.2.2.3). */
async function connectMqtt(address: string, password: string): Promise<number | undefined> {
  const text = (value: string) =>
    Buffer.concat([Buffer.from([value.length >> 8, value.length & 255]), Buffer.from(value)])
  // Protocol level 4; user name, password, clean session; no keep-alive.
  const body = Buffer.concat([text('MQTT'), Buffer.from([4, 0xc2, 0, 0]), ...['device', 'alice', password].map(text)])
  const length = body.length < 128 ? [body.length] : [(body.length & 127) | 128, body.length >> 7]
  const [host, port] = address.split(':')
  const socket = connectSocket({ host: host as string, port: Number(port) })
  try {
    socket.write(Buffer.concat([Buffer.from([0x10, ...length]), body]))
    const [answer] = (await once(socket, 'data')) as [Buffer]
    return answer[0] === 0x20 ? answer[3] : undefined
  } finally {
    socket.destroy()
  }
}
