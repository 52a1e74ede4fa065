// The audit of the whole service: one line for every answer of a token route, written before the answer, or there is no token.

import { createHash } from 'node:crypto'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import type { Sink } from '../../src/audit.ts'
import { expectRefusal, toAnswer } from './answers.ts'
import { type Ask, asksOf, isIssuing } from './routes.ts'
import { asGateway, bearer, secrets, settings, type TestOptions, type TestService, testService } from './test-app.ts'

const services: TestService[] = []
const open = async (options: TestOptions = {}) => {
  const service = await testService(options)
  services.push(service)
  return service
}
const service = await testService()
const auth = await bearer()
afterEach(() => Promise.all(services.splice(0).map(({ close }) => close())))
afterAll(service.close)

const asks = asksOf(service.app)
const named = asks.map((ask) => [`${ask.method} ${ask.url}`, ask] as const)
const withHeaders = (ask: Ask, headers: object): Ask => ({ ...ask, headers: { ...ask.headers, ...headers } })
const send = (from: TestService, ask: Ask) => from.app.inject(ask)
const isAgora = ({ url }: Ask) => url === '/fetch_rtc_token'

describe.each(named)('%s', (_name, ask) => {
  it.each<[string, () => Ask, number]>([
    ['a token', () => withHeaders(ask, auth), 200],
    ['nobody', () => ask, 401],
    ['a forged token', () => withHeaders(ask, { authorization: 'Bearer e30.e30.e30' }), 401],
    ['two credentials', () => withHeaders(ask, { ...auth, ...asGateway('alice') }), 400],
    ['a credential in the query', () => ({ ...ask, url: `${ask.url}?token=x` }), 400],
    ['an address without end', () => ({ ...ask, url: `${ask.url}?${'x'.repeat(9000)}` }), 414],
    ['a rider', () => withHeaders(ask, { ...asGateway('alice'), origin: 'https://evil.com' }), 403],
    [
      'broken JSON',
      () => ({ ...withHeaders(ask, { ...auth, 'content-type': 'application/json' }), method: 'POST', payload: '{' }),
      400,
    ],
    [
      'a body without end',
      () => ({
        ...withHeaders(ask, { ...auth, 'content-type': 'application/json' }),
        method: 'POST',
        payload: ' '.repeat(70_000),
      }),
      413,
    ],
    ['an empty credential', () => withHeaders(ask, { authorization: '' }), 401],
  ])('records %s once, under the id of its answer', async (_what, request, status) => {
    const before = service.auditLines().length
    const response = await send(service, request())
    expect(response.statusCode).toBe(status)
    expect(service.auditLines().slice(before)).toMatchObject([
      {
        audit: 1,
        requestId: response.headers['x-request-id'],
        provider: isIssuing(ask) ? expect.stringMatching(/^(agora|ably|nats)$/) : 'admin',
        outcome: status === 200 ? (isIssuing(ask) ? 'issued' : 'revoked') : 'refused',
        address: '127.0.0.1',
        policy: expect.stringMatching(/^[0-9a-f]{16}$/),
        ...(status === 200 ? {} : { reason: response.json().error.reason }),
      },
    ])
  })

  it('writes the line before the answer', async () => {
    let isAnswered = false
    const seen: boolean[] = []
    const slow = await open({
      sink: async () => {
        // Many turns of the loop: an answer that did not wait would have left by now.
        for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve))
        seen.push(isAnswered)
      },
    })
    for (const request of [withHeaders(ask, auth), ask]) {
      isAnswered = false
      await send(slow, request)
      isAnswered = true
    }
    expect(seen).toEqual([false, false])
  })

  const refuse: Sink = () => Promise.reject(Object.assign(new Error('ENOSPC: /var/log/usher'), { code: 'ENOSPC' }))
  it('gives no token where the line cannot be written, and does not say why', async () => {
    const full = await open({ sink: refuse })
    for (const request of [withHeaders(ask, auth), ask]) {
      const answer = toAnswer(await send(full, request))
      expectRefusal(answer, 'audit_unavailable', { agora: isAgora(ask) })
      expect(answer.text).not.toMatch(/ENOSPC|var/)
    }
    expect(await full.logText()).toContain('audit: ENOSPC')
  })
})

it('a sink that hangs costs an answer some seconds, not its client', async () => {
  const hanging = await open({ sink: () => new Promise(() => {}) })
  const started = performance.now()
  const answers = await Promise.all(asks.map((ask) => send(hanging, withHeaders(ask, auth))))
  for (const [index, answer] of answers.entries())
    expectRefusal(toAnswer(answer), 'audit_unavailable', { agora: isAgora(asks[index] as Ask) })
  expect(performance.now() - started).toBeLessThan(8000)
  expect(await hanging.logText()).toContain('AUDIT_TOO_SLOW')
})

it('a sink that is too slow is not waited for by the ten-thousandth line, and serves again when it has caught up', async () => {
  let release = () => {}
  const stuck = new Promise<void>((resolve) => {
    release = resolve
  })
  let lines = 0
  const behind = await open({
    sink: async (text) => {
      await stuck
      lines += text.split('\n').length - 1
    },
  })
  const entry = { requestId: 'x', provider: 'nats', outcome: 'refused', policy: 'x' } as const
  const first = behind.audit.record(entry)
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
  const waiting = Array.from({ length: 10_000 }, () => behind.audit.record(entry))
  const ask = withHeaders({ method: 'GET', url: '/nats/token' }, auth)
  expectRefusal(toAnswer(await send(behind, ask)), 'audit_unavailable')
  expect(await behind.logText()).toContain('AUDIT_QUEUE_FULL')
  release()
  await Promise.all([first, ...waiting])
  expect((await send(behind, ask)).statusCode).toBe(200)
  expect(lines).toBe(10_002)
})

describe('what a line holds', () => {
  const sha256 = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 32)
  const last = () => service.auditLines().at(-1)

  it('a fingerprint by which a token is found again, and no token', async () => {
    const agora = await send(service, {
      method: 'POST',
      url: '/fetch_rtc_token',
      payload: { channelName: 'r', role: 1 },
      headers: auth,
    })
    expect(last()?.token).toBe(sha256(agora.json().token))
    const ably = await send(service, { method: 'GET', url: '/api/ably-token', headers: auth })
    expect(last()?.token).toBe(sha256(ably.json().mac))
  })

  it('no fingerprint of the shared NATS token, which would only help to guess it', async () => {
    await send(service, { method: 'GET', url: '/nats/token', headers: auth })
    expect(last()).toMatchObject({ outcome: 'issued', provider: 'nats', expiresAt: null })
    expect(last()).not.toHaveProperty('token')
    expect(service.auditText()).not.toContain(sha256(secrets.natsToken))
  })

  it('who, what, until when and by which grant', async () => {
    const response = await send(service, {
      method: 'POST',
      url: '/fetch_rtc_token',
      payload: { channelName: 'r-1', uid: 7, role: 2, expire: 60 },
      headers: auth,
    })
    expect(last()).toMatchObject({
      caller: { kind: 'jwt', source: 'main', subject: 'alice' },
      rights: { channel: 'r-1', uid: 7, role: 'subscriber', ttlSeconds: 60 },
      expiresAt: response.json().expiresAt,
      grants: ['rtc-by-uid'],
    })
  })

  it('why, in words that the caller does not get', async () => {
    const response = await send(service, {
      method: 'GET',
      url: '/nats/token',
      headers: await bearer({ aud: 'elsewhere' }),
    })
    expect(last()).toMatchObject({ reason: 'unauthenticated', detail: expect.stringContaining('aud') })
    expect(response.payload).not.toContain('aud')
  })

  it('the client as a trusted proxy tells it, and as nobody else does', async () => {
    const proxied = await open({ env: { TRUSTED_PROXIES: '10.0.0.0/24' } })
    const headers = { ...auth, 'x-forwarded-for': '198.51.100.7' }
    for (const [remoteAddress, address] of [
      ['10.0.0.7', '198.51.100.7'],
      ['10.0.1.7', '10.0.1.7'],
    ] as const) {
      await send(proxied, { method: 'GET', url: '/nats/token', headers, remoteAddress })
      expect(proxied.auditLines().at(-1)?.['address']).toBe(address)
    }
  })
})

it('nobody writes a second line, or a line in the name of somebody else', async () => {
  const forged = '{"audit":1,"outcome":"issued","provider":"nats","caller":{"subject":"root"}}'
  const before = service.auditLines().length
  const breaks = ['\n', '\r\n', '\u2028', '\u0085', '\u0000', '\u001b[2K', '"}\n']
  for (const line of breaks) {
    const text = `x${line}${forged}${line}`
    const unsigned = ['{"alg":"EdDSA"}', JSON.stringify({ iss: text, sub: text }), 'x'].map((part) =>
      Buffer.from(part).toString('base64url'),
    )
    const asked: Ask[] = [
      { method: 'GET', url: '/nats/token', headers: await bearer({ iss: text }) },
      { method: 'GET', url: '/nats/token', headers: await bearer({ sub: text }) },
      { method: 'GET', url: '/nats/token', headers: { authorization: `Bearer ${unsigned.join('.')}` } },
      { method: 'GET', url: `/nats/token?${encodeURIComponent(text)}=1`, headers: auth },
      { method: 'GET', url: `/api/ably-token?clientId=${encodeURIComponent(text)}`, headers: auth },
      {
        method: 'GET',
        url: `/api/ably-token?capability=${encodeURIComponent(JSON.stringify({ [text]: ['publish'] }))}`,
        headers: auth,
      },
      { method: 'POST', url: '/fetch_rtc_token', payload: { channelName: text, role: 1, [text]: 1 }, headers: auth },
    ]
    for (const ask of asked) expect((await send(service, ask)).statusCode).toBeGreaterThanOrEqual(400)
  }
  const lines = service.auditLines().slice(before)
  expect(lines.length).toBe(breaks.length * 7)
  expect(lines.filter(({ outcome }) => outcome === 'issued')).toEqual([])
  expect(service.auditText()).not.toContain(forged)
  expect(service.auditText()).toMatch(/^[\n\x20-\x7e]*$/)
})

it('under 500 requests at once there are as many lines as answers, each with its id', async () => {
  const crowded = await open({ env: { MAX_IN_FLIGHT: '64' } })
  const mix = [...asks.map((ask) => withHeaders(ask, auth)), ...asks]
  const answers = await Promise.all(
    Array.from({ length: 500 }, (_, index) => send(crowded, mix[index % mix.length] as Ask)),
  )
  const lines = crowded.auditLines()
  expect(lines.map(({ requestId }) => requestId).sort()).toEqual(
    answers.map(({ headers }) => headers['x-request-id']).sort(),
  )
  const byStatus = (status: number) => answers.filter(({ statusCode }) => statusCode === status).length
  expect(lines.filter(({ outcome }) => outcome !== 'refused').length).toBe(byStatus(200))
  expect(lines.filter(({ reason }) => reason === 'unauthenticated').length).toBe(byStatus(401))
  expect(lines.filter(({ reason }) => reason === 'overloaded').length).toBe(byStatus(503))
  expect(byStatus(200)).toBeGreaterThan(50)
  expect(byStatus(200) + byStatus(401) + byStatus(503)).toBe(500)
})

it('a provider that is off, and a caller for whom nothing is left, are recorded as well', async () => {
  const { NATS_TOKEN: _, NATS_URLS: __, ...rest } = settings
  const half = await open({ env: { ...rest, NATS_TOKEN: '', NATS_URLS: '' } })
  expectRefusal(toAnswer(await send(half, { method: 'GET', url: '/nats/token', headers: auth })), 'provider_off')
  const ending = await bearer({ exp: Math.floor(Date.now() / 1000) + 20 })
  expectRefusal(
    toAnswer(await send(half, { method: 'GET', url: '/api/ably-token', headers: ending })),
    'credential_expiring',
  )
  expect(half.auditLines()).toMatchObject([{ reason: 'provider_off' }, { reason: 'credential_expiring' }])
})
