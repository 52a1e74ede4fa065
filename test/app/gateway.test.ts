// Behind a gateway that logs users in: the documents' own `fetch('/api/ably-token')` gets its user's token, and nobody rides along.

import { createServer, type IncomingMessage, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { expectRefusal, ofFetch } from './answers.ts'
import { asGateway, bearer, secrets, settings, testService } from './test-app.ts'

const service = await testService()
const usher = await service.listen()
const sessions: Readonly<Record<string, string>> = {
  'session=s3ss10n-of-alice': 'alice',
  'session=s3ss10n-of-bob': 'bob',
}

/** Turns a session cookie into identity headers, as oauth2-proxy or an auth_request of nginx does. */
async function startGateway({ strips = true } = {}) {
  const server = createServer((incoming, reply) => {
    const kept = [...pairs(incoming)].filter(
      ([name]) => name.toLowerCase() !== 'cookie' && !(strips && /^x[-_](auth|gateway)/i.test(name)),
    )
    const user = sessions[incoming.headers.cookie ?? '']
    const headers = [...kept, ...(user === undefined ? [] : Object.entries(asGateway(user)))].flat()
    const onward = request(
      usher + incoming.url,
      { method: incoming.method ?? 'GET', headers: headers as never },
      (answer) => {
        reply.writeHead(answer.statusCode ?? 502, answer.headers)
        answer.pipe(reply)
      },
    )
    incoming.pipe(onward)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const close = () => {
    server.closeAllConnections()
    return new Promise((resolve) => server.close(resolve))
  }
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close }
}
const pairs = ({ rawHeaders }: IncomingMessage) =>
  rawHeaders.flatMap((name, index) => (index % 2 === 0 ? [[name, rawHeaders[index + 1] ?? '']] : [])) as [
    string,
    string,
  ][]

const gateway = await startGateway()
const careless = await startGateway({ strips: false })
afterAll(async () => {
  await gateway.close()
  await careless.close()
  await service.close()
})
const issued = () => service.auditLines().filter(({ outcome }) => outcome === 'issued').length
let before = 0
beforeEach(() => {
  before = issued()
})

const alice = { cookie: 'session=s3ss10n-of-alice' }
const ask = async (path: string, init: RequestInit = {}, base = gateway.url) => ofFetch(await fetch(base + path, init))

describe('the documents’ own fetch, without a header of its own', () => {
  it.each(Object.entries(sessions))('with %s gets the TokenRequest of %s', async (cookie, user) => {
    const response = await fetch(`${gateway.url}/api/ably-token`, { headers: { cookie } })
    expect(await response.json()).toMatchObject({
      clientId: user,
      capability: `{"chat:${user}":["publish","subscribe"]}`,
    })
    expect(service.auditLines().at(-1)).toMatchObject({
      caller: { kind: 'gateway', subject: user },
      grants: ['gateway-chat'],
    })
  })

  it('works for the other routes as well', async () => {
    expect((await ask('/nats/token', { headers: alice })).status).toBe(200)
    const body = JSON.stringify({ channelName: 'room-1', role: 1 })
    expect((await ask('/fetch_rtc_token', { method: 'POST', body, headers: alice })).status).toBe(200)
    expect(service.auditLines().at(-1)).toMatchObject({ rights: { account: 'user-alice' } })
  })

  it('without a session gets nothing', async () => {
    expectRefusal(await ask('/api/ably-token'), 'unauthenticated')
    expectRefusal(await ask('/api/ably-token', { headers: { cookie: 'session=guess' } }), 'unauthenticated')
  })
})

describe('a spoofed identity', () => {
  it('sent past the gateway is refused, and the audit says that it was tried', async () => {
    for (const headers of [
      { 'x-auth-request-user': 'alice' },
      { 'x-auth-request-user': 'alice', 'x-gateway-secret': 'guess' },
      { 'x-auth-request-user': 'alice', 'x-gateway-secret': secrets.gatewaySecret.slice(0, -1) },
      { 'x-auth-request-user': 'alice', 'x-gateway-secret': '', 'x-forwarded-for': '127.0.0.1' },
    ]) {
      expectRefusal(await ask('/nats/token', { headers }, usher), 'unauthenticated')
      expect(service.auditLines().at(-1)?.detail).toMatch(/^security: /)
    }
    expect(issued()).toBe(before)
  })

  it('sent to the gateway is stripped there: alice stays alice', async () => {
    const headers = { ...alice, 'x-auth-request-user': 'bob', 'x-gateway-secret': 'guess', x_auth_request_user: 'bob' }
    expect(JSON.parse((await ask('/api/ably-token', { headers })).text).clientId).toBe('alice')
  })

  it('that a careless gateway passes on is refused, in every spelling', async () => {
    const tries = [
      [{ 'x-auth-request-user': 'bob' }, 'ambiguous_credentials'],
      [{ x_auth_request_user: 'bob' }, 'invalid_request'],
      [{ 'x-gateway-secret': 'guess' }, 'unauthenticated'],
      [await bearer({ sub: 'bob' }), 'ambiguous_credentials'],
      [{ 'usher-on-behalf-of': 'bob' }, 'ambiguous_credentials'],
    ] as const
    for (const [headers, reason] of tries)
      expectRefusal(await ask('/api/ably-token', { headers: { ...alice, ...headers } }, careless.url), reason)
    expect(issued()).toBe(before)
  })
})

const listed = settings['CORS_ORIGINS']?.split(',')[0] as string
describe('a page', () => {
  it.each([
    ['of the gateway itself', { 'sec-fetch-site': 'same-origin' }],
    ['of the gateway itself, by POST', { 'sec-fetch-site': 'same-origin', origin: 'https://gateway.example.com' }],
    ['that the user opened himself', { 'sec-fetch-site': 'none' }],
    ['of a listed origin elsewhere', { 'sec-fetch-site': 'cross-site', origin: listed }],
    ['of a listed sibling', { 'sec-fetch-site': 'same-site', origin: listed }],
    ['of a listed origin in an old browser', { origin: listed }],
    ['that is no page: a program with the session', {}],
  ])('%s is answered', async (_what, headers) => {
    expect((await ask('/api/ably-token', { headers: { ...alice, ...headers } })).status).toBe(200)
    expect(issued()).toBe(before + 1)
  })

  it.each([
    ['elsewhere', { 'sec-fetch-site': 'cross-site', origin: 'https://evil.com' }],
    [
      'elsewhere, which loads the route as an image or script',
      { 'sec-fetch-site': 'cross-site', 'sec-fetch-dest': 'image', 'sec-fetch-mode': 'no-cors' },
    ],
    ['elsewhere, which sends the user there', { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' }],
    ['of a sibling that is not listed', { 'sec-fetch-site': 'same-site', origin: 'https://other.example.com' }],
    ['of a sibling, without Origin', { 'sec-fetch-site': 'same-site' }],
    ['in a sandboxed frame', { origin: 'null' }],
    ['in a sandboxed frame elsewhere', { 'sec-fetch-site': 'cross-site', origin: 'null' }],
    ['elsewhere in an old browser', { origin: 'https://evil.com' }],
    ['whose name ends like a listed one', { origin: 'https://evilexample.com' }],
    ['whose name starts like a listed one', { origin: `${listed}.evil.com` }],
    ['with a word of Fetch Metadata that we do not know', { 'sec-fetch-site': 'same-origin, cross-site' }],
  ])('%s gets 403 before anything is minted, and the audit says on whose session it rode', async (_what, headers) => {
    for (const [path, init] of [
      ['/api/ably-token', {}],
      ['/nats/token', {}],
      ['/fetch_rtc_token', { method: 'POST', body: '{"channelName":"room-1","role":1}' }],
    ] as const) {
      const answer = await ask(path, { ...init, headers: { ...alice, ...headers } })
      expectRefusal(answer, 'foreign_origin', { agora: path === '/fetch_rtc_token' })
      expect(service.auditLines().at(-1)).toMatchObject({ reason: 'foreign_origin', caller: { subject: 'alice' } })
    }
    expect(issued()).toBe(before)
  })

  it('elsewhere with a token of its own is no rider: the browser adds no Bearer', async () => {
    const headers = { ...(await bearer()), origin: 'https://evil.com', 'sec-fetch-site': 'cross-site' }
    const answer = await ask('/api/ably-token', { headers }, usher)
    expect([answer.status, answer.headers['access-control-allow-origin']]).toEqual([200, undefined])
  })
})
