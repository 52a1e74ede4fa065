// Attacks that once worked, each as its own test.

import { writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { toFileDescriptor } from '../../src/audit.ts'
import { createApiKey } from '../../src/identity/api-key.ts'
import {
  apiKey,
  apiKeyId,
  asGateway,
  bearer,
  callers,
  jwt,
  policy,
  type TestOptions,
  type TestService,
  testService,
} from './test-app.ts'

let service: TestService
const open = async (options: TestOptions = {}) => {
  service = await testService(options)
  return service
}
afterEach(() => service.close())

const withKey = { authorization: `Bearer ${apiKey}`, 'usher-on-behalf-of': 'alice' }
const rewrite = (text: string) => {
  writeFileSync(join(service.folder, 'policy.yaml'), text)
  service.reloadPolicy()
}

test('a form of one key thirty thousand times is refused like one of two', async () => {
  const { app } = await open()
  const payload = 'ttl&'.repeat(16_000)
  const headers = { ...withKey, 'content-type': 'application/x-www-form-urlencoded' }
  const { statusCode, body } = await app.inject({ method: 'POST', url: '/api/ably-token', headers, payload })
  expect([statusCode, JSON.parse(body).error.message]).toEqual([400, 'ttl: is given more than once; send it once'])
})

test('a capability of more resources than anybody names is refused before it is compared', async () => {
  const { app } = await open()
  const ask = (count: number) => {
    const capability = Object.fromEntries(Array.from({ length: count }, (_, index) => [`chat:${index}`, ['subscribe']]))
    return app.inject({ method: 'POST', url: '/api/ably-token', headers: withKey, payload: { capability } })
  }
  expect((await ask(100)).json().error.reason).toBe('beyond_grant')
  expect((await ask(101)).json().error).toMatchObject({
    statusCode: 400,
    message: expect.stringContaining('more than 100'),
  })
})

test('a key set that is replaced is read again, and a withdrawn key opens nothing', async () => {
  const { app, folder } = await open()
  const ask = async () => (await app.inject({ url: '/nats/token', headers: await bearer() })).statusCode
  expect(await ask()).toBe(200)
  const other = await createOtherKeySet()
  writeFileSync(join(folder, 'jwks.json'), other)
  service.reloadPolicy()
  expect(await ask()).toBe(401)
})

test('a request that is held open across a reload is judged by one policy, and the audit names that one', async () => {
  const { folder } = await open()
  const address = new URL(await service.listen())
  const before = (await lastAudit(() => service.app.inject({ url: '/nats/token', headers: withKey })))['policy']
  const socket = connect(Number(address.port), '127.0.0.1')
  const answered = new Promise<string>((resolve) => socket.once('data', (data) => resolve(data.toString())))
  const body = '{"channelName":"r","role":2}'
  const head = `POST /fetch_rtc_token HTTP/1.1\r\nhost: a\r\nauthorization: ${withKey.authorization}\r\nusher-on-behalf-of: alice\r\n`
  const arrived = new Promise((resolve) => service.app.server.once('request', resolve))
  socket.write(`${head}content-length: ${body.length}\r\n\r\n`)
  await arrived
  // In the new policy the key is another one’s, and what it may have changes with it.
  const stranger = createApiKey()
  rewrite(policy.replace(/sha256: [0-9a-f]{64}/, `sha256: ${stranger.sha256}`))
  expect((await service.app.inject({ url: '/nats/token', headers: withKey })).statusCode).toBe(401)
  socket.write(body)
  expect(await answered).toContain('HTTP/1.1 200')
  expect(service.auditLines().at(-1)).toMatchObject({ outcome: 'issued', policy: before, caller: { source: apiKeyId } })
  socket.destroy()
  expect(folder).toBeTypeOf('string')
})

test('a socket that sends nothing does not hold up a stop', async () => {
  await open()
  const address = new URL(await service.listen())
  const socket = connect(Number(address.port), '127.0.0.1')
  await new Promise((resolve) => service.app.server.once('connection', resolve))
  const closed = new Promise((resolve) => socket.once('close', resolve))
  const stopped = service.close()
  await closed
  await stopped
  await open()
})

test('a line after one that broke off begins a new line', async () => {
  await open()
  let written = ''
  let room = 10
  const write = ((
    _fd: number,
    bytes: Buffer,
    from: number,
    length: number,
    _at: null,
    done: (error: Error | null, count: number) => void,
  ) => {
    if (room === 0) return done(Object.assign(new Error('full'), { code: 'ENOSPC' }), 0)
    const count = Math.min(room, length)
    room -= count
    written += bytes.toString('utf8', from, from + count)
    done(null, count)
  }) as never
  const sink = toFileDescriptor(1, write)
  await expect(sink('{"first":"line"}\n')).rejects.toThrow('full')
  room = 1000
  await sink('{"second":"line"}\n')
  expect(written).toBe('{"first":"\n{"second":"line"}\n')
})

test.each([
  ['issued in a year', { issued: 31_536_000_000, expires: 31_536_000_000 + 60_000 }],
  ['ended before it began', { issued: 0, expires: -1 }],
  ['of 1970', { issued: -1_795_000_000_000, expires: -1_795_000_000_000 + 60_000 }],
  ['of another key', { keyName: 'evil.key' }],
])('a token from Ably that is %s is not handed on', async (_name, lie) => {
  const fetch = async () => {
    const { issued = 0, expires = 60_000, ...more } = lie as { issued?: number; expires?: number; keyName?: string }
    const times = { issued: Date.now() + issued, expires: Date.now() + expires }
    const details = {
      token: 'app.token',
      capability: '{"chat:alice":["subscribe"]}',
      clientId: 'alice',
      ...times,
      ...more,
    }
    return new Response(JSON.stringify(details), { status: 201 })
  }
  const { app } = await open({ fetch })
  const { statusCode, body } = await app.inject({ url: '/api/ably-token?mode=token', headers: withKey })
  expect([statusCode, JSON.parse(body).error?.reason]).toEqual([502, 'provider_failed'])
})

test('a deny list that is caught empty does not free those whom it held', async () => {
  const denying = `${policy}deny:\n  - { id: banned, when: { user: { inFile: banned.txt } } }\n`
  const { app, folder } = await open({ policy: denying, files: { 'banned.txt': 'alice\n' } })
  const ask = async () => (await app.inject({ url: '/nats/token', headers: withKey })).statusCode
  expect(await ask()).toBe(403)
  writeFileSync(join(folder, 'banned.txt'), '')
  service.reloadPolicy()
  expect(await ask()).toBe(403)
  expect(
    (await service.ops.inject({ url: '/status', headers: { host: '127.0.0.1' } })).json().policy.faults[0],
  ).toContain('is empty')
  writeFileSync(join(folder, 'banned.txt'), '# nobody\n')
  service.reloadPolicy()
  expect(await ask()).toBe(200)
})

test('a changed list is seen without a signal, whatever its size and time', async () => {
  const denying = `${policy}deny:\n  - { id: banned, when: { user: { inFile: banned.txt } } }\n`
  const { app, folder } = await open({ policy: denying, files: { 'banned.txt': 'carol\n' } })
  const ask = async () => (await app.inject({ url: '/nats/token', headers: withKey })).statusCode
  expect(await ask()).toBe(200)
  writeFileSync(join(folder, 'banned.txt'), 'alice\n')
  await expect.poll(ask, { timeout: 10_000, interval: 50 }).toBe(403)
})

test('who shows nothing is told to log in, even where somebody else may be anonymous', async () => {
  const { app } = await open({
    policy: `${callers}vars:\n  room: { from: ask, match: "[a-z]{1,9}" }\ngrants:\n  - { id: open, when: { caller: anonymous }, agora: { channel: "{room}", uid: 7, role: subscriber } }\n`,
  })
  expect((await app.inject({ url: '/api/ably-token' })).json().error).toMatchObject({
    statusCode: 401,
    reason: 'unauthenticated',
  })
  const rtc = await app.inject({ method: 'POST', url: '/fetch_rtc_token', payload: { channelName: 'r', role: 2 } })
  expect(rtc.statusCode).toBe(200)
})

test('a page of another site cannot ask through a gateway’s assertion either', async () => {
  const asserted = policy.replace('algorithms: [EdDSA]', 'algorithms: [EdDSA], header: x-assertion')
  const { app } = await open({ policy: asserted })
  const ask = async (headers: object) =>
    (await app.inject({ url: '/nats/token', headers: { 'x-assertion': await jwt(), ...headers } })).statusCode
  expect(await ask({})).toBe(200)
  expect(await ask({ 'sec-fetch-site': 'same-origin' })).toBe(200)
  expect(await ask({ origin: 'https://app.example.com', 'sec-fetch-site': 'cross-site' })).toBe(200)
  expect(await ask({ origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' })).toBe(403)
  expect(await ask({ 'sec-fetch-site': 'cross-site' })).toBe(403)
})

test('the documentation has nothing outside itself, and says so in our own words', async () => {
  const { app } = await open({ env: { DOCS: 'on' } })
  expect((await app.inject('/docs/static/swagger-ui.css')).statusCode).toBe(200)
  for (const url of ['/docs/static/../../package.json', '/docs/static/%2e%2e/%2e%2e/package.json', '/docs/static/%00'])
    expect((await app.inject(url)).json().error, url).toMatchObject({ statusCode: 404, reason: 'not_found' })
})

test('the sandbox is not asked through a proxy that shows itself, nor by the pages of other sites', async () => {
  const { app } = await open({ sandbox: true })
  const ask = async (headers: object) =>
    (await app.inject({ url: '/nats/token', headers: { host: '127.0.0.1:8082', ...headers } })).json()
  expect(await ask({})).toHaveProperty('token')
  for (const header of ['via', 'x-real-ip', 'cf-connecting-ip', 'true-client-ip', 'x-forwarded-host'])
    expect((await ask({ [header]: '1' })).error?.reason, header).toBe('sandbox_only')
  expect((await ask({ 'sec-fetch-site': 'cross-site' })).error?.reason).toBe('foreign_origin')
  expect(await ask({ 'sec-fetch-site': 'cross-site', origin: 'http://localhost:5173' })).toHaveProperty('token')
})

test('the ops port on loopback is asked by that name only', async () => {
  const { ops } = await open()
  expect((await ops.inject({ url: '/status', headers: { host: '127.0.0.1:8083' } })).statusCode).toBe(200)
  expect((await ops.inject({ url: '/status', headers: { host: 'rebind.evil.example' } })).statusCode).toBe(403)
})

test('a refused ask is in the audit with what was asked, and not at any length', async () => {
  const { app } = await open()
  await app.inject({
    method: 'POST',
    url: '/fetch_rtc_token',
    headers: asGateway('alice'),
    payload: { channelName: 'bob?', role: 1 },
  })
  expect(service.auditLines().at(-1)).toMatchObject({
    reason: 'beyond_grant',
    ask: expect.stringContaining('"channel":"bob?"'),
  })
  const capability = Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`other:${index}`, ['subscribe']]))
  await app.inject({ method: 'POST', url: '/api/ably-token', headers: withKey, payload: { capability } })
  expect(service.auditLines().at(-1)?.['ask']).toHaveLength(1000)
})

async function createOtherKeySet(): Promise<string> {
  const { generateKeyPairSync } = await import('node:crypto')
  return JSON.stringify({ keys: [generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' })] })
}

async function lastAudit(act: () => Promise<unknown>) {
  await act()
  return service.auditLines().at(-1) ?? expect.fail('nothing was audited')
}
