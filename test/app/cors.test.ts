// Whose pages may read an answer: exactly the listed origins, on every answer, and nobody by a trick of the name.

import { afterAll, describe, expect, it } from 'vitest'
import { expectRefusal, expectSafeHeaders, toAnswer } from './answers.ts'
import { asksOf, routesOf } from './routes.ts'
import { bearer, settings, testService } from './test-app.ts'

const service = await testService()
const sandbox = await testService({ sandbox: true })
const { app } = service
const auth = await bearer()
afterAll(() => Promise.all([service.close(), sandbox.close()]))

const listed = settings['CORS_ORIGINS']?.split(',') ?? []
const strangers = [
  'https://evilexample.com',
  'https://evilapp.example.com',
  'https://evil-app.example.com',
  'https://app.example.com.evil.com',
  'https://app.example.comm',
  'https://app.example.com:8443',
  'http://app.example.com',
  'https://example.com',
  'https://sub.app.example.com',
  'https://appxexample.com',
  'https://app.example.com/',
  'https://app.example.com/x',
  'https://app.example.com@evil.com',
  'https://APP.example.com',
  ' https://app.example.com.',
  'https://app.example.com, https://evil.com',
  'https://app.example.com https://evil.com',
  'http://localhost:51730',
  'http://localhost',
  'null',
  '*',
  'file://',
]
const corsHeaders = (headers: Readonly<Record<string, unknown>>) =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => name.startsWith('access-control-')))
const forOrigin = (origin: string) => ({
  'access-control-allow-origin': origin,
  'access-control-allow-credentials': 'true',
  'access-control-expose-headers': 'Retry-After, X-Request-Id, X-Ably-Errorcode, X-Ably-Errormessage',
})
const asks = asksOf(app)
const named = asks.map((ask) => [`${ask.method} ${ask.url}`, ask] as const)

describe.each(named)('%s', (_name, ask) => {
  const from = async (origin: string, headers: object = auth) =>
    toAnswer(await app.inject({ ...ask, headers: { ...ask.headers, ...headers, origin } }))

  it.each(listed)('lets a page of %s read its answer, token or not', async (origin) => {
    for (const [headers, status] of [
      [auth, 200],
      [{}, 401],
    ] as const) {
      const answer = await from(origin, headers)
      expect(answer.status).toBe(status)
      expect(corsHeaders(answer.headers)).toEqual(forOrigin(origin))
      expect(answer.headers['vary']).toBe('Origin')
    }
  })

  it.each(strangers)('lets no page of %s read anything', async (origin) => {
    for (const headers of [auth, {}]) {
      const answer = await from(origin, headers)
      expect(corsHeaders(answer.headers)).toEqual({})
      expect(answer.headers['vary']).toBe('Origin')
    }
  })

  it('varies by Origin where none was sent, so that no cache mixes the two', async () => {
    const { headers } = toAnswer(await app.inject({ ...ask, headers: { ...ask.headers, ...auth } }))
    expect([headers['vary'], corsHeaders(headers)]).toEqual(['Origin', {}])
  })
})

describe('a preflight', () => {
  const preflight = async (origin: string, url: string, wanted = 'authorization,content-type') =>
    toAnswer(
      await app.inject({
        method: 'OPTIONS',
        url,
        headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': wanted },
      }),
    )
  const urls = routesOf(app).map(({ url }) => url)

  it.each(urls)('of a listed origin for %s names Authorization, which `*` would not cover', async (url) => {
    const audited = service.auditText()
    const answer = await preflight('https://app.example.com', url)
    expect([answer.status, answer.text]).toEqual([204, ''])
    expectSafeHeaders(answer)
    expect(corsHeaders(answer.headers)).toEqual({
      ...forOrigin('https://app.example.com'),
      'access-control-allow-methods': 'GET, POST',
      'access-control-allow-headers': 'Authorization, Content-Type, Usher-On-Behalf-Of',
      'access-control-max-age': '600',
    })
    expect(answer.headers['vary']).toBe('Origin')
    expect(service.auditText()).toBe(audited)
  })

  it('does not repeat what the page wants to send', async () => {
    const { headers } = await preflight(
      'https://app.example.com',
      '/nats/token',
      'x-auth-request-user, x-gateway-secret',
    )
    expect(headers['access-control-allow-headers']).not.toMatch(/x-auth|x-gateway/i)
  })

  it.each(strangers)('of %s is refused', async (origin) => {
    const answer = await preflight(origin, '/nats/token')
    expectRefusal(answer, 'method_not_allowed')
    expect(corsHeaders(answer.headers)).toEqual({})
  })

  it('that is none gets an answer in the one shape, or none', async () => {
    for (const origin of [{}, { origin: 'https://app.example.com' }]) {
      const answer = toAnswer(await app.inject({ method: 'OPTIONS', url: '/nats/token', headers: origin }))
      expectSafeHeaders(answer)
      if (answer.text !== '') expectRefusal(answer, 'method_not_allowed')
    }
  })
})

it('errors of every kind carry the headers, or the browser hides them from the page', async () => {
  const origin = 'https://app.example.com'
  const json = { ...auth, 'content-type': 'application/json' }
  const tries = [
    [{ url: '/nothing' }, 404],
    [{ method: 'PUT', url: '/nats/token' }, 405],
    [{ url: '/nats/token?token=x' }, 400],
    [{ url: '/nats/token?x=1', headers: auth }, 400],
    [{ url: '/api/ably-token?clientId=bob', headers: auth }, 403],
    [{ method: 'POST', url: '/nats/token', headers: json, payload: ' '.repeat(5000) }, 413],
    [{ method: 'POST', url: '/nats/token', headers: { ...auth, 'content-type': 'text/xml' }, payload: 'x' }, 415],
    [{ method: 'POST', url: '/fetch_rtc_token', headers: json, payload: '{' }, 400],
    [{ url: '/readyz' }, 503],
  ] as const
  for (const [request, status] of tries) {
    const { headers, statusCode } = await app.inject({
      ...request,
      headers: { ...('headers' in request ? request.headers : {}), origin },
    })
    expect([request.url, statusCode, corsHeaders(headers)]).toEqual([request.url, status, forOrigin(origin)])
  }
})

describe('the sandbox', () => {
  const from = async (origin: string) =>
    toAnswer(await sandbox.app.inject({ url: '/nats/token', headers: { origin, host: 'localhost:8082' } }))

  it.each([
    'http://localhost:3000',
    'http://localhost',
    'https://localhost:8443',
    'http://127.0.0.1:5173',
    'http://127.1.2.3:80',
    'http://[::1]:5173',
    'http://app.localhost:3000',
  ])('answers to %s', async (origin) => {
    const answer = await from(origin)
    expect(answer.status).toBe(200)
    expect(corsHeaders(answer.headers)).toEqual(forOrigin(origin))
    expect(answer.headers['x-usher-sandbox']).toBe('true')
  })

  it.each([
    'http://localhost.evil.com',
    'http://127.0.0.1.evil.com',
    'http://evil.com',
    'http://notlocalhost',
    'http://localhost@evil.com',
    'http://evil.com#localhost',
    'http://192.168.0.1:3000',
    'http://0.0.0.0:3000',
    'http://128.0.0.1',
    'http://127.0.0.1:5173:80',
    'http://[::2]',
    'null',
    'file://',
    'chrome-extension://localhost',
    'https://app.example.com',
  ])('answers nothing to %s', async (origin) => {
    const answer = await from(origin)
    expectRefusal(answer, 'sandbox_only')
    expect(corsHeaders(answer.headers)).toEqual({})
    expect(answer.headers['x-usher-sandbox']).toBe('true')
  })
})
