// Static mode against a real nats-server: the token alone opens it, in JavaScript as an option, in Go in the URL,
// whether the server holds the clear token or the line that `usher nats passwd` prints.

import { PassThrough, Readable } from 'node:stream'
import { AuthorizationError, connect, type NatsConnection } from '@nats-io/transport-node'
import { beforeAll, describe, expect, it } from 'vitest'
import { natsPasswd } from '../../src/cli/nats-passwd.ts'
import { generateToken } from '../../src/providers/nats/static-token.ts'
import { bearer, testService } from '../app/test-app.ts'
import { buildGoClient, runGoClient } from './go-client.ts'
import { checkNatsConfig, obtainNatsServer, startNatsServer } from './nats-server.ts'

const natsServer = await obtainNatsServer()
const goClient = natsServer && (await buildGoClient())

const token = generateToken()
const printed = natsServer ? await passwd(token) : ''
const hash = /"(.+)"/.exec(printed)?.[1] ?? ''

/** What a client is told by `GET /nats/token` of the service that hands out this server’s token. */
type Told = { token: string; urls: readonly string[] }
type FetchToken = () => Promise<Told>

describe.skipIf(!natsServer)('the configuration of nats-server', () => {
  it('takes the line of `usher nats passwd` as it is printed', async () => {
    expect(hash).toMatch(/^\$2a\$11\$/)
    expect(await checkNatsConfig(printed)).toBeUndefined()
  })

  it('takes a $2a$ hash without its quotes too, but not a $2b$ one', async () => {
    const bare = printed.replaceAll('"', '')
    expect(await checkNatsConfig(bare)).toBeUndefined()
    expect(await checkNatsConfig(bare.replace('$2a$', '$2b$'))).toMatch(/variable reference .* can not be found/)
  })

  it('takes no token for its cluster routes', async () => {
    expect(await checkNatsConfig(`cluster { port: -1, ${printed} }`)).toContain('does not support tokens')
  })
})

describe.skipIf(!natsServer).each([
  { held: 'the clear token', config: `authorization { token: "${token}" }` },
  { held: 'the clear token in its environment', config: 'authorization { token: $NATS_TOKEN }' },
  { held: 'the printed hash', config: printed },
])('a nats-server that holds $held', ({ config }) => {
  let fetchToken: FetchToken

  beforeAll(async () => {
    const { url } = await startNatsServer({ config, env: { NATS_TOKEN: token } })
    const service = await testService({ env: { NATS_TOKEN: token, NATS_URLS: url } })
    const address = await service.listen()
    fetchToken = async () => (await fetch(`${address}/nats/token`, { headers: await bearer() })).json() as Promise<Told>
    return service.close
  })

  it('lets a JavaScript client in, and carries its messages', async () => {
    expect(await roundTrip(await fetchToken())).toBe('hello')
  })

  it.each([
    ['a wrong token', `${token.slice(0, -1)}!`],
    ['a longer token', `${token}x`],
    ['no token', undefined],
    ['the hash', hash],
  ])('refuses %s', async (_name, wrong) => {
    const { urls } = await fetchToken()
    await expect(roundTrip({ urls, token: wrong })).rejects.toThrow(AuthorizationError)
  })

  it('sees no token that a JavaScript client has in its URL only', async () => {
    const { urls } = await fetchToken()
    await expect(roundTrip({ urls: urls.map((url) => withToken(url, token)) })).rejects.toThrow(AuthorizationError)
  })

  it.skipIf(!goClient)('lets a Go client in by its URL, and carries its messages', async () => {
    const { token, urls } = await fetchToken()
    expect(await runGoClient(goClient, { url: withToken(urls[0], token) })).toMatch(/^connected \S+s\n$/)
  })

  it.skipIf(!goClient)('refuses a Go client with a wrong token', async () => {
    const { token, urls } = await fetchToken()
    expect(await runGoClient(goClient, { url: withToken(urls[0], `${token}x`) })).toContain('Authorization Violation')
  })
})

describe.skipIf(!natsServer)('a nats-server that holds the hash of the longest token', () => {
  const longest = generateToken().repeat(4).slice(0, 72)

  it('compares all of its 72 bytes', async () => {
    const { url } = await startNatsServer({ config: await passwd(longest) })
    expect(await roundTrip({ urls: [url], token: longest })).toBe('hello')
    await expect(roundTrip({ urls: [url], token: longest.slice(0, -1) })).rejects.toThrow(AuthorizationError)
  })
})

async function roundTrip({ urls, token }: { urls: readonly string[]; token?: string | undefined }): Promise<string> {
  const client = await connect({ servers: [...urls], reconnect: false, ...(token !== undefined && { token }) })
  try {
    return await echo(client)
  } finally {
    await client.close()
  }
}

async function echo(client: NatsConnection): Promise<string> {
  const messages = client.subscribe('greeting', { max: 1, timeout: 5_000 })
  client.publish('greeting', 'hello')
  for await (const message of messages) return message.string()
  throw new Error('the subscription ended without a message')
}

const withToken = (url = '', token: string): string => url.replace('://', `://${token}@`)

async function passwd(token: string): Promise<string> {
  const stdout = new PassThrough()
  const stdin = Readable.from([`${token}\n`])
  await natsPasswd(['--stdin'], { stdin, stdout, stderr: new PassThrough(), isTTY: false })
  return String(stdout.read())
}
