// Secrets and issued tokens stand nowhere but in the one answer that hands a token out. Every secret here is a canary: it is put
// everywhere that a caller, a vendor or a fault could bring it, and then looked for in everything that leaves.

import { afterAll, beforeAll, expect, it } from 'vitest'
import { createApiKey } from '../../src/identity/api-key.ts'
import { apiKey, asGateway, bearer, jwt, secrets, settings, testService } from './test-app.ts'

const ablyKey = settings['ABLY_API_KEY'] as string
const strangerKey = createApiKey().key

/** Each as it is, and as it travels. */
const formsOf = (secret: string) => [
  secret,
  Buffer.from(secret).toString('base64').replace(/=+$/, ''),
  Buffer.from(secret).toString('base64url'),
  Buffer.from(secret).toString('hex'),
  encodeURIComponent(secret),
]

// A vendor, or what stands in its place, that repeats everything it knows.
const chatty: typeof fetch = async (url, init) => {
  const all = `${url} ${JSON.stringify(init?.headers)} ${init?.body} ${ablyKey} ${Object.values(secrets).join(' ')}`
  calls++
  if (calls % 3 === 0) throw new TypeError(all, { cause: new Error(all) })
  if (calls % 3 === 1) return new Response(all, { status: 401 })
  return Response.json({ error: { code: all, message: all } }, { status: 400, statusText: 'no' })
}
let calls = 0

const service = await testService({ fetch: chatty, logLevel: 'debug', env: { LOG_LEVEL: 'debug' } })
await service.listen()
const answers: { url: string; status: number; text: string }[] = []
const tokens: string[] = []
const jwts = await Promise.all([jwt(), jwt({ aud: 'x' }), jwt({ iss: 'https://x' }), jwt({ exp: 1 }), jwt({ sub: '' })])
const canaries = [...Object.values(secrets), ablyKey, apiKey, strangerKey, ...jwts]

beforeAll(async () => {
  const ask = async (url: string, headers: object = {}, payload?: string | object) => {
    const method = payload === undefined ? 'GET' : 'POST'
    const response = await service.app.inject({
      method,
      url,
      headers: { ...headers },
      ...(payload === undefined ? {} : { payload }),
    })
    answers.push({ url, status: response.statusCode, text: response.payload + JSON.stringify(response.headers) })
    if (response.statusCode !== 200) return
    const { token, mac, nonce } = response.json()
    tokens.push(...[token, mac, nonce].filter((text) => text !== undefined))
  }
  const good = { channelName: 'room-1', role: 1 }
  const form = { 'content-type': 'application/x-www-form-urlencoded' }
  for (const headers of [
    await bearer(),
    { authorization: `Bearer ${apiKey}`, 'usher-on-behalf-of': 'bob' },
    asGateway('carol'),
  ]) {
    await ask('/fetch_rtc_token', headers, good)
    await ask('/api/ably-token', headers)
    await ask('/nats/token', headers)
    for (let round = 0; round < 3; round++) await ask('/api/ably-token?mode=token', headers)
  }
  const auth = await bearer()
  for (const canary of canaries) {
    const text = encodeURIComponent(canary)
    // As a credential that is wrong, in every place where one could stand.
    for (const url of ['/nats/token', '/fetch_rtc_token', '/api/ably-token', '/livez', '/nothing']) {
      await ask(url, { authorization: `Bearer ${canary}x` }, {})
      await ask(url, { authorization: `Basic ${Buffer.from(canary).toString('base64')}`, cookie: `s=${text}` })
      await ask(url, { 'x-auth-request-user': text, 'x-gateway-secret': text, 'usher-on-behalf-of': text })
      await ask(`${url}?token=${text}`, auth)
      await ask(`${url}?access_token=${text}&key=${text}`)
    }
    await ask(`/${text}`)
    await ask(`/nats/token/${text}?${text}=${text}`)
    // As an ask, by a caller who may ask.
    await ask(`/nats/token?${text}=${text}`, auth)
    await ask('/nats/token', { ...auth, ...form }, canary)
    await ask('/nats/token', auth, { [canary]: canary, token: canary })
    await ask('/nats/token', { ...auth, 'content-type': canary.slice(0, 100) }, canary)
    await ask('/fetch_rtc_token', auth, { ...good, [canary]: 1 })
    await ask('/fetch_rtc_token', auth, { ...good, account: canary, privileges: { [canary]: 1 } })
    await ask('/fetch_rtc_token', auth, { ...good, account: `${canary}/`, uid: canary, expire: canary })
    await ask('/fetch_rtc_token', auth, `{"channelName":"${canary}`)
    await ask(`/api/ably-token?ttl=${text}`, auth)
    await ask(`/api/ably-token?mode=${text}`, auth)
    await ask(`/api/ably-token?capability=${text}`, auth)
    await ask(
      `/api/ably-token?capability=${encodeURIComponent(JSON.stringify({ [`chat:${canary}`]: ['publish'] }))}`,
      auth,
    )
    await ask(`/api/ably-token?capability=${encodeURIComponent(JSON.stringify({ chat: [canary] }))}`, auth)
    await ask(`/api/ably-token?clientId=${text}&x=${text}`, auth)
  }
})
afterAll(service.close)

const answersOf = (isWanted: (answer: (typeof answers)[number]) => boolean) =>
  answers.filter(isWanted).map(({ url, status, text }) => `${status} ${url.split('?')[0]?.slice(0, 20)}: ${text}`)

/** Who holds one of them, shortened, so that a failure of this test is no leak of its own. */
const holders = (texts: readonly string[], needles: readonly string[]) =>
  texts.filter((text) => needles.some((needle) => text.includes(needle))).map((text) => text.slice(0, 160))

const everySecret = canaries.flatMap(formsOf)

it('the run was wide: tokens of every route, and every kind of refusal', async () => {
  expect(tokens.length).toBeGreaterThan(10)
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 400, 401, 403, 404, 405, 415, 502, 503]))
  expect(calls).toBeGreaterThan(8)
  expect(service.auditLines().length).toBeGreaterThan(200)
  expect((await service.logText()).split('\n').length).toBeGreaterThan(10)
})

it('no secret stands in any answer, but the NATS token in its own', () => {
  const shared = formsOf(secrets.natsToken)
  const others = everySecret.filter((secret) => !shared.includes(secret))
  expect(
    holders(
      answersOf(() => true),
      others,
    ),
  ).toEqual([])
  expect(
    holders(
      answersOf(({ url, status }) => status !== 200 || !url.startsWith('/nats/token')),
      shared,
    ),
  ).toEqual([])
  expect(
    holders(
      answersOf(({ url, status }) => status === 200 && url === '/nats/token'),
      shared,
    ).length,
  ).toBe(3)
})

it('no token that was issued stands in any other answer', () => {
  for (const token of tokens.filter((text) => text !== secrets.natsToken))
    expect(answers.filter(({ text }) => text.includes(token)).length).toBe(1)
})

it('no secret and no issued token stands in the log', async () => {
  expect(holders((await service.logText()).split('\n'), [...everySecret, ...tokens])).toEqual([])
})

it('no secret and no issued token stands in the audit', () => {
  // The names that a caller asks for are what an audit is for: `ask` repeats them, and nothing but them.
  const lines = service.auditLines().map(({ ask, ...line }) => ({ line, ask: typeof ask === 'string' ? ask : '{}' }))
  const texts = lines.map(({ line }) => JSON.stringify(line))
  expect(holders(texts, [...everySecret, ...tokens])).toEqual([])
  const keys = new Set(lines.flatMap(({ ask }) => [...ask.matchAll(/"(\w+)":/g)].map(([, key]) => key)))
  expect(['channel', 'uid', 'account', 'role', 'ttlMs', 'clientId', 'capability', 'mode']).toEqual(
    expect.arrayContaining([...keys]),
  )
})

it('the ops port shows none of them, and repeats nothing that it is asked', async () => {
  const ops: string[] = []
  for (const url of ['/status', '/livez', '/readyz', '/nothing', '/metrics', '/'])
    for (const canary of canaries)
      for (const ask of [
        { url },
        { url: `${url}?token=${encodeURIComponent(canary)}` },
        { method: 'POST' as const, url, payload: { canary } },
      ]) {
        const response = await service.ops.inject(ask)
        ops.push(response.payload + JSON.stringify(response.headers))
      }
  expect(ops.join('')).toContain('"providers":{"agora":"on","ably":"on","nats":"on"}')
  expect(holders(ops, [...everySecret, ...tokens])).toEqual([])
})

it('the log writes the fields that it knows, and nothing else that is handed to it', async () => {
  const fields = { requestId: 'r-1', token: canaries[0], authorization: canaries[1], headers: { cookie: canaries[2] } }
  service.log.error(fields as never, 'a line')
  const line = (await service.logText()).split('\n').find((text) => text.includes('"r-1"')) ?? ''
  expect(Object.keys(JSON.parse(line)).sort()).toEqual(['level', 'msg', 'requestId', 'time'])
})
