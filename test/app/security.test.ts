// What holds for every route that exists: who is nobody gets nothing, by no method and no spelling of the path.

import { METHODS, request } from 'node:http'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { expectRefusal, expectSafeHeaders, expectSomeRefusal, ofFetch, toAnswer } from './answers.ts'
import { type Ask, asksOf, isTokenRoute, routesOf } from './routes.ts'
import { asGateway, bearer, jwt, secrets, testService } from './test-app.ts'

const service = await testService()
const { app } = service
const base = await service.listen()
const routes = routesOf(app)
const asks = asksOf(app)
const named = asks.map((ask) => [`${ask.method} ${ask.url}`, ask] as const)
const isAgora = (url: string) => url === '/fetch_rtc_token'
const withHeaders = (ask: Ask, headers: object): Ask => ({ ...ask, headers: { ...ask.headers, ...headers } })
const send = async (ask: Ask) => toAnswer(await app.inject(ask))
/** What was given to anybody: tokens, and revocations. */
const issued = () => service.auditLines().filter(({ outcome }) => outcome === 'issued' || outcome === 'revoked').length

let before = 0
beforeEach(() => {
  before = issued()
})
afterAll(service.close)

it('finds the routes of the service, so that this suite means something', () => {
  expect(routes).toEqual(
    expect.arrayContaining([
      { url: '/livez', methods: ['GET'] },
      { url: '/fetch_rtc_token', methods: ['POST'] },
      { url: '/api/ably-token', methods: ['GET', 'POST'] },
      { url: '/nats/token', methods: ['GET', 'POST'] },
      { url: '/revoke', methods: ['POST'] },
    ]),
  )
})

describe.each(named)('%s', (_name, ask) => {
  const agora = isAgora(ask.url)

  it('answers its caller, and nobody may cache, frame or embed that', async () => {
    const answer = await send(withHeaders(ask, await bearer()))
    expect(answer.status).toBe(200)
    expectSafeHeaders(answer)
    expect(answer.headers['content-type']).toBe('application/json')
    expect(answer.headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/)
    expect(issued()).toBe(before + 1)
  })

  it('refuses a caller without a credential', async () => {
    const answer = await send(ask)
    expectRefusal(answer, 'unauthenticated', { agora })
    expect(issued()).toBe(before)
  })

  it('names the scheme in a 401, but not to the SDKs of Ably, which fail on it', async () => {
    const { headers } = await send(ask)
    expect(headers['www-authenticate']).toBe(ask.url.startsWith('/api/ably') ? undefined : 'Bearer')
  })

  it.each([
    ['a forged token', { authorization: 'Bearer eyJhbGciOiJub25lIn0.e30.' }],
    ['another scheme', { authorization: 'Basic YWxpY2U6YWxpY2U=' }],
    ['an empty credential', { authorization: 'Bearer ' }],
    ['a spoofed gateway header', { 'x-auth-request-user': 'alice' }],
    ['a wrong gateway secret', { 'x-auth-request-user': 'alice', 'x-gateway-secret': 'x'.repeat(64) }],
    ['a forwarded header', { 'x-forwarded-user': 'alice', 'x-forwarded-for': '127.0.0.1' }],
    ['a cookie', { cookie: 'session=alice' }],
    ['a health checker', { 'user-agent': 'kube-probe/1.31' }],
  ])('refuses %s', async (_what, headers) => {
    expectRefusal(await send(withHeaders(ask, headers)), 'unauthenticated', { agora })
    expect(issued()).toBe(before)
  })

  it.each(['token', 'access_token', 'api_key', 'key'])('refuses %s in the query and writes it nowhere', async (key) => {
    const token = await jwt()
    for (const url of [
      `${ask.url}?${key}=${token}`,
      `${ask.url}?a=b&%${key.charCodeAt(0).toString(16)}${key.slice(1)}=${token}`,
    ]) {
      expectRefusal(await send({ ...ask, url }), 'credential_in_query', { agora })
      // A good credential beside it does not make it better.
      expectRefusal(await send(withHeaders({ ...ask, url }, await bearer())), 'credential_in_query', { agora })
    }
    expect(issued()).toBe(before)
    expect(service.auditText() + (await service.logText())).not.toContain(token)
  })

  it.each([
    [
      'two Authorization headers',
      async () => ['Authorization', `Bearer ${await jwt()}`, 'Authorization', `Bearer ${await jwt()}`],
    ],
    [
      'a good one before a bad one',
      async () => ['Authorization', `Bearer ${await jwt()}`, 'authorization', 'Bearer x'],
    ],
    [
      'Bearer and a gateway header',
      async () => ['Authorization', `Bearer ${await jwt()}`, ...Object.entries(asGateway('alice')).flat()],
    ],
    ['two gateway headers', async () => [...Object.entries(asGateway('alice')).flat(), 'X-Auth-Request-User', 'bob']],
    // Node keeps 2000 headers and drops the rest in silence, unless told otherwise.
    [
      'the second one after 300 others',
      async () => [
        'Authorization',
        `Bearer ${await jwt()}`,
        ...Array.from({ length: 300 }, (_, i) => [`x-${i}`, '1']).flat(),
        'Authorization',
        'Bearer x',
      ],
    ],
  ])('refuses %s', async (_what, headers) => {
    expectRefusal(await overSocket(ask, await headers()), 'ambiguous_credentials', { agora })
    expect(issued()).toBe(before)
  })

  it('believes the gateway only at its own address', async () => {
    const good = withHeaders(ask, asGateway('alice'))
    expectRefusal(await send({ ...good, remoteAddress: '203.0.113.9' }), 'unauthenticated', { agora })
    expect(issued()).toBe(before)
    expect(
      (await send(withHeaders(isAgora(ask.url) ? { ...good, payload: { channelName: 'r', role: 1 } } : good, {})))
        .status,
    ).toBe(200)
  })

  it('answers a conditional request whole', async () => {
    const conditions = { 'if-none-match': '*', 'if-modified-since': new Date(Date.now() + 86_400_000).toUTCString() }
    const answer = await send(withHeaders(ask, { ...(await bearer()), ...conditions }))
    expect(answer.status).toBe(200)
    expectSafeHeaders(answer)
  })

  it('does not negotiate: an Accept that it cannot serve changes nothing', async () => {
    const answer = await send(
      withHeaders(ask, { ...(await bearer()), accept: 'application/x-msgpack', 'accept-encoding': 'br' }),
    )
    expect([answer.status, answer.headers['content-type']]).toEqual([200, 'application/json'])
  })
})

describe.each(routes.map((route) => [route.url, route] as const))('%s', (_url, { url, methods }) => {
  const others = METHODS.filter((method) => !['OPTIONS', 'CONNECT', ...methods].includes(method))

  it('answers every other method with 405 and Allow, and mints nothing', async () => {
    const allow = [...methods, 'OPTIONS'].join(', ')
    expect(others).toEqual(expect.arrayContaining(['HEAD', 'PUT', 'DELETE', 'PATCH', 'TRACE']))
    const headers = await bearer()
    for (const method of others) {
      const answer = toAnswer(await app.inject({ method: method as 'PUT', url, headers }))
      expect([method, answer.status, answer.headers['allow']]).toEqual([method, 405, allow])
      if (method === 'HEAD') expectSafeHeaders(answer)
      else expectRefusal(answer, 'method_not_allowed')
    }
    expect(issued()).toBe(before)
  })

  it('sends no body with HEAD', async () => {
    const answer = await ofFetch(await fetch(base + url, { method: 'HEAD', headers: await bearer() }))
    expect([answer.status, answer.text]).toEqual([405, ''])
  })

  it.each([
    `${url}/`,
    `/${url}`,
    `${url}//`,
    url.replace(/(?!^)\/|$/, '%2F'),
    url.replace(/(?!^)\/|$/, '%2f'),
    url.replace('/', '/\\'),
    url.toUpperCase(),
    url.replace(/[a-z]/, (letter) => letter.toUpperCase()),
    `${url};.js`,
    `${url};jsessionid=1`,
    `${url}/x.css`,
    `${url}.json`,
    `${url}%00`,
    `${url}%20`,
    `${url}/..%2fx`,
    `${url}/.`,
  ])('does not answer to %s', async (spelling) => {
    for (const method of methods)
      expectRefusal(
        toAnswer(await app.inject({ method: method as 'GET', url: spelling, headers: await bearer() })),
        'not_found',
      )
    expect(issued()).toBe(before)
  })

  it('asks who the caller is, however the path is spelled', async () => {
    const spelling = url.replace(/[a-z]/, (letter) => `%${letter.charCodeAt(0).toString(16)}`)
    const answer = toAnswer(await app.inject({ method: methods[0] as 'GET', url: spelling }))
    if (isTokenRoute({ url, methods })) expectSomeRefusal(answer, 401, { agora: isAgora(url) })
    else expect(answer.text).toMatch(/^\{"status":"(ok|unavailable)"\}$/)
  })
})

it('says nothing of itself where there is no route', async () => {
  for (const url of ['/', '/metrics', '/status', '/docs', '/openapi.yaml', '/.env', `/x?token=${secrets.natsToken}`]) {
    const answer = toAnswer(await app.inject({ url }))
    expectRefusal(answer, 'not_found')
    expect(answer.text).not.toContain(secrets.natsToken)
  }
})

/** Headers as they are given, twice where they stand twice. */
function overSocket({ url, method, payload, headers }: Ask, more: readonly string[]) {
  const body = typeof payload === 'object' ? JSON.stringify(payload) : (payload ?? '')
  const all = ['Host', new URL(base).host, 'Connection', 'close', ...Object.entries(headers ?? {}).flat(), ...more]
  return new Promise<Awaited<ReturnType<typeof ofFetch>>>((resolve, reject) => {
    const sent = request(
      base + url,
      { method, headers: [...all, 'Content-Length', String(body.length)] as never },
      async (got) => {
        let text = ''
        for await (const chunk of got) text += chunk
        resolve({ status: got.statusCode ?? 0, headers: got.headers, text })
      },
    )
    sent.on('error', reject).end(String(body))
  })
}
