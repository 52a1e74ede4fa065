// What never becomes a request, or only half of one: over a real socket, because no client sends it.

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { expectRefusal, expectSafeHeaders } from './answers.ts'
import { head, sendBytes } from './over-socket.ts'
import { apiKey, bearer, testService } from './test-app.ts'

const service = await testService()
const base = await service.listen()
let auth = ''
beforeAll(async () => {
  auth = `Authorization: ${(await bearer()).authorization}`
})
afterAll(service.close)

const post = (...headers: string[]) => head('POST /nats/token', auth, 'Content-Type: application/json', ...headers)
const issued = () => service.auditLines().filter(({ outcome }) => outcome === 'issued').length

describe('a request that the parser refuses gets the one error body and its headers', () => {
  it.each([
    ['no HTTP at all', () => 'hello\r\n\r\n'],
    ['an unknown method', () => head('FOO /nats/token', auth)],
    ['HTTP/2', () => 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    [
      'Content-Length and Transfer-Encoding',
      () => `${post('Content-Length: 4', 'Transfer-Encoding: chunked')}0\r\n\r\n`,
    ],
    ['two lengths', () => `${post('Content-Length: 2', 'Content-Length: 3')}{}x`],
    ['an unknown encoding', () => `${post('Transfer-Encoding: xchunked')}{}`],
    ['an encoding after chunked', () => `${post('Transfer-Encoding: chunked, identity')}0\r\n\r\n`],
    ['bare line feeds', () => `GET /nats/token HTTP/1.1\nHost: x\n${auth}\n\n`],
    ['a folded header', () => head('GET /nats/token', auth, 'X: a\r\n b')],
    ['a space before the colon', () => head('GET /nats/token', auth.replace(':', ' :'))],
    ['NUL in a header', () => head('GET /nats/token', auth, 'X: a\0b')],
    ['NUL in the path', () => head('GET /nats/\0token', auth)],
    ['a path that is not ASCII', () => head('GET /nats/tök\u00e9n', auth)],
  ])('%s', async (_what, bytes) => {
    const before = issued()
    expectRefusal(await sendBytes(base, bytes()), 'invalid_request')
    expect(issued()).toBe(before)
  })

  it('headers of more than 16 KB', async () => {
    expectRefusal(await sendBytes(base, head('GET /nats/token', auth, `X: ${'a'.repeat(17_000)}`)), 'headers_too_large')
    const many = Array.from({ length: 3000 }, (_, index) => `X-${index}: 1`)
    expectRefusal(await sendBytes(base, head('GET /nats/token', auth, ...many)), 'headers_too_large')
  })
})

it.each([
  ['a broken escape', '/nats/token%zz'],
  ['broken UTF-8', '/nats/token%E0%A4%A'],
])('a path with %s gets the one error body and its headers', async (_what, path) => {
  const answer = await sendBytes(base, head(`GET ${path}`, auth))
  expectRefusal(answer, 'invalid_request')
  expect(answer.headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/)
})

it.each([
  '/x/../nats/token',
  '/./nats/token',
  '/%2e/nats/token',
  '/nats/%2e%2e/nats/token',
  '//nats/token',
  '/\\nats/token',
])('a path is taken as it was sent: %s is not there', async (path) => {
  expectRefusal(await sendBytes(base, head(`GET ${path}`, auth)), 'not_found')
})

it('an absolute address is the same route, and asks who the caller is', async () => {
  expectRefusal(await sendBytes(base, head('GET http://elsewhere.test/nats/token')), 'unauthenticated')
  expectRefusal(await sendBytes(base, head('GET http://x/nats/token?token=abc', auth)), 'credential_in_query')
})

it('a request without Host, or with an Expect that nobody knows, gets the one error body and its headers', async () => {
  const noHost = await sendBytes(base, `GET /nats/token HTTP/1.1\r\n${auth}\r\nConnection: close\r\n\r\n`)
  expectRefusal(noHost, 'invalid_request')
  const tea = await sendBytes(base, post('Expect: tea', 'Content-Length: 0'))
  expectRefusal(tea, 'invalid_request')
  // HTTP/1.0 has no Host.
  expectRefusal(await sendBytes(base, 'GET /nats/token HTTP/1.0\r\n\r\n'), 'unauthenticated')
})

it('an upgrade is an ordinary request: nothing here speaks another protocol', async () => {
  const plain = head('GET /nats/token', 'Upgrade: websocket').replace('Connection: close', 'Connection: upgrade, close')
  expectRefusal(await sendBytes(base, plain), 'unauthenticated')
})

it('CONNECT opens no tunnel', async () => {
  expect((await sendBytes(base, head('CONNECT nats.test:4222', auth))).status).toBeNaN()
})

it('a body that breaks off is the fault of its sender, in the audit and in the log', async () => {
  const before = service.auditLines().length
  const logged = await service.logText()
  const recorded = service.nextAudit()
  // An API key is checked at once: the body is being read when it breaks.
  const key = `Authorization: Bearer ${apiKey}`
  const bytes = head('POST /nats/token', key, 'Content-Type: application/json', 'Transfer-Encoding: chunked')
  expectRefusal(await sendBytes(base, `${bytes}ZZ\r\n`), 'invalid_request')
  await recorded
  expect(service.auditLines().slice(before)).toMatchObject([{ outcome: 'refused', reason: 'invalid_request' }])
  expect(await service.logText()).toBe(logged)
})

it('a pipelined request behind a refused one is answered for itself', async () => {
  const two = head('GET /nats/token').replace('Connection: close', 'Connection: keep-alive') + head('GET /livez')
  const { text } = await sendBytes(base, two)
  expect(text.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 200'])
  expect(text).toContain('{"status":"ok"}')
})

it('a refused body is not waited for: the answer comes before it', async () => {
  const answer = await sendBytes(base, head('POST /nats/token', 'Content-Length: 4000'))
  expectRefusal(answer, 'unauthenticated')
  expectSafeHeaders(answer)
})

it('who dawdles is told so, in the head after 5 s and in the body after 10 s', async () => {
  const started = performance.now()
  const timed = async (bytes: string) => {
    const answer = await sendBytes(base, bytes)
    return { answer, seconds: (performance.now() - started) / 1000 }
  }
  const [slowHead, slowBody] = await Promise.all([
    timed('GET /nats/token HTTP/1.1\r\nHost: x\r\n'),
    timed(`${post('Content-Length: 9')}{`),
  ])
  for (const [{ answer, seconds }, limit] of [
    [slowHead, 5],
    [slowBody, 10],
  ] as const) {
    expectRefusal(answer, 'request_timeout')
    expect(seconds).toBeGreaterThan(limit - 1)
    expect(seconds).toBeLessThan(limit + 4)
  }
})
