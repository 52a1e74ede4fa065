// The real Ably SDK against our endpoint and a stand-in of Ably: it connects with what we hand out, and does the right thing
// with what we refuse.

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { AuthOptions, ClientOptions, Realtime, TokenDetails, TokenRequest } from 'ably'
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest'
import { refusal, statusOf, toErrorBody } from '../../src/errors.ts'
import { type AblyFault, startAbly } from '../standin/ably.ts'
import { closeAbly, connectAbly, settled } from '../standin/ably-client.ts'
import { type Answer, expectRefusal, ofFetch } from './answers.ts'
import { ablyKeyName, bearer, secrets, testService } from './test-app.ts'

const ably = await startAbly({ keys: [{ name: ablyKeyName, secret: secrets.ablySecret }] })
let canRecord = true
let audited = 0
const service = await testService({
  env: { ABLY_HOSTS: `${ably.url},${ably.url}` },
  sink: async () => {
    audited++
    if (!canRecord) throw new Error('the audit is away')
  },
})
const authUrl = `${await service.listen()}/api/ably-token`
const authHeaders = await bearer()

const clients: Realtime[] = []
/** Retries come at once, so that what a client does next is an event and not a wait. */
const connect = (options: ClientOptions) => {
  const client = connectAbly({ ably, disconnectedRetryTimeout: 20, ...options })
  clients.push(client)
  return client
}
const tokenRequests = () => ably.requests.filter(({ path }) => path.endsWith('/requestToken'))
beforeEach(() => {
  ably.setFault('ok')
  ably.requests.length = 0
  ably.issued.length = 0
  audited = 0
  canRecord = true
})
afterEach(async () => {
  await Promise.all(clients.splice(0).map(closeAbly))
})
afterAll(async () => {
  await service.close()
  await ably.close()
})

const ask = (query: string) => fetch(`${authUrl}?${query}`, { headers: authHeaders })

describe('a client comes to CONNECTED', () => {
  const authCallback: AuthOptions['authCallback'] = (params, done) => {
    const { clientId = '', ttl, capability } = params as Record<string, string>
    const query = new URLSearchParams({ clientId, ...(ttl && { ttl: String(ttl) }), ...(capability && { capability }) })
    ask(query.toString())
      .then((response) => response.json())
      .then(
        (request) => done(null, request as TokenRequest),
        (error) => done(error, null),
      )
  }
  it.each<[string, ClientOptions]>([
    ['authUrl', { authUrl, authHeaders }],
    ['authUrl by POST', { authUrl, authHeaders, authMethod: 'POST' }],
    ['authUrl with its clientId', { authUrl, authHeaders, clientId: 'alice' }],
    ['authUrl with its clientId, by POST', { authUrl, authHeaders, authMethod: 'POST', clientId: 'alice' }],
    ['authUrl for a token that we fetch', { authUrl, authHeaders, authParams: { mode: 'token' } }],
    [
      'authUrl for a token that we fetch, by POST',
      { authUrl, authHeaders, authMethod: 'POST', authParams: { mode: 'token' } },
    ],
    ['authCallback', { authCallback }],
    ['authCallback with its clientId', { authCallback, clientId: 'alice' }],
  ])('by %s, as alice and with her rights', async (_how, options) => {
    const client = connect(options)
    expect(await settled(client)).toEqual({ state: 'connected', reason: undefined })
    expect(client.auth.clientId).toBe('alice')
    expect(ably.issued).toMatchObject([{ clientId: 'alice', capability: '{"chat:alice":["publish","subscribe"]}' }])
    expect(audited).toBe(1)
  })

  it('with the lifetime and the capability that it asks for', async () => {
    const defaultTokenParams = { ttl: 60_000, capability: { 'chat:alice': ['subscribe' as const] } }
    for (const authMethod of ['GET', 'POST'] as const)
      expect((await settled(connect({ authUrl, authHeaders, authMethod, defaultTokenParams }))).state).toBe('connected')
    for (const { capability, issued, expires } of ably.issued)
      expect([capability, expires - issued]).toEqual(['{"chat:alice":["subscribe"]}', 60_000])
    expect(ably.issued.length).toBe(2)
  })

  it('with clientId null, which Node sends as an empty text, gets the token of its grant', async () => {
    await settled(connect({ authUrl, authHeaders, clientId: null as never }))
    // What comes of it is between the SDK and Ably, to whom it then says that it is "null".
    expect(ably.issued).toMatchObject([{ clientId: 'alice' }])
  })

  it('and renews when its token ends', async () => {
    const client = connect({ authUrl, authHeaders })
    await settled(client)
    const back = client.connection.once('connected')
    ably.expireTokens()
    await back
    expect([ably.issued.length, audited]).toEqual([2, 2])
  })
})

describe('what SDKs send is taken as they mean it', () => {
  it.each([
    'rnd=12345678901234567',
    'format=msgpack',
    'timestamp=1',
    'clientId=',
    'clientId=null',
    'clientId=undefined',
    'client_id=alice',
    'clientId=alice&client_id=alice',
    'nonce=mine-mine-mine-mine&mac=mine&keyName=mine&capability=',
  ])('%s', async (query) => {
    const request = (await (await ask(query)).json()) as TokenRequest
    expect(Object.keys(request).sort()).toEqual([
      'capability',
      'clientId',
      'keyName',
      'mac',
      'nonce',
      'timestamp',
      'ttl',
    ])
    expect(request).toMatchObject({ keyName: ablyKeyName, clientId: 'alice' })
    expect(Math.abs(request.timestamp - Date.now())).toBeLessThan(10_000)
    expect(`${request.nonce}${request.mac}`).not.toContain('mine')
  })

  it('the snake-case client_id of Python counts: that of somebody else is refused', async () => {
    expectRefusal(await ofFetch(await ask('client_id=bob')), 'client_id_mismatch')
  })
})

describe('a 403 is the end, after one request', () => {
  it.each<[string, ClientOptions, number]>([
    ['another clientId', { clientId: 'bob' }, 40102],
    ['another clientId, by POST', { clientId: 'bob', authMethod: 'POST' }, 40102],
    ['a channel beyond the grants', { defaultTokenParams: { capability: '{"chat:bob":["subscribe"]}' } }, 40300],
    ['every channel', { defaultTokenParams: { capability: '{"*":["*"]}' } }, 40300],
  ])('%s', async (_what, options, code) => {
    const { state, reason } = await settled(connect({ authUrl, authHeaders, ...options }))
    expect(state).toBe('failed')
    const cause = reason?.cause as { code: number; statusCode: number } | undefined
    expect([reason?.statusCode, cause?.statusCode ?? 403, cause?.code ?? reason?.code]).toEqual([403, 403, code])
    expect([audited, ably.requests.length]).toEqual([1, 0])
  })
})

describe('what may pass is tried again', () => {
  it('401: the client goes on asking, and connects when its user has logged in', async () => {
    const headers: Record<string, string> = { authorization: 'Bearer stale' }
    const client = connect({ authUrl, authHeaders: headers })
    const { state, reason } = await settled(client)
    expect([state, reason?.code, (reason?.cause as { code?: number } | undefined)?.code]).toEqual([
      'disconnected',
      80019,
      40101,
    ])
    Object.assign(headers, authHeaders)
    await client.connection.once('connected')
  })

  it('503: a replica that cannot record is asked again', async () => {
    canRecord = false
    const client = connect({ authUrl, authHeaders })
    expect(await settled(client)).toMatchObject({
      state: 'disconnected',
      reason: { cause: { code: 50003, statusCode: 503 } },
    })
    canRecord = true
    await client.connection.once('connected')
  })

  it('429: a limit is no refusal', async () => {
    // No rate is limited here yet; a gateway that answers with our own body is.
    let isLimited = true
    const server = createServer(async (_request, reply) => {
      if (!isLimited) {
        const response = await ask('')
        reply.writeHead(response.status, { 'content-type': 'application/json' }).end(await response.text())
        return
      }
      const refused = refusal('rate_limited')
      reply.writeHead(statusOf(refused.reason), { 'content-type': 'application/json', 'retry-after': '1' })
      reply.end(JSON.stringify(toErrorBody(refused, 'r')))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const client = connect({ authUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
    expect(await settled(client)).toMatchObject({
      state: 'disconnected',
      reason: { cause: { code: 42910, statusCode: 429 } },
    })
    isLimited = false
    await client.connection.once('connected')
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
})

describe('a token that we fetch, while Ably fails', () => {
  const noncesOf = () => tokenRequests().map(({ body }) => JSON.parse(body).nonce)

  it.each<[AblyFault & string, 'provider_unavailable' | 'provider_failed', number]>([
    ['hang', 'provider_unavailable', 2],
    ['503html', 'provider_unavailable', 2],
    ['disconnect', 'provider_unavailable', 2],
    ['429', 'provider_unavailable', 1],
    ['badJson', 'provider_failed', 1],
    ['emptyBody', 'provider_failed', 1],
    ['wideCapability', 'provider_failed', 1],
    ['otherClientId', 'provider_failed', 1],
  ])('by %s: says so honestly, in time, after as many tries as make sense', async (fault, reason, tries) => {
    ably.setFault(fault)
    const started = performance.now()
    const answer = await ofFetch(await ask('mode=token'))
    // The SDK gives up after 10 s, and its user would never learn why.
    expect(performance.now() - started).toBeLessThan(9_000)
    expectRefusal(answer, reason)
    for (const { token } of ably.issued) expect(answer.text).not.toContain(token)
    expect(noncesOf().length).toBe(tries)
    expect(new Set(noncesOf()).size).toBe(tries)

    ably.setFault('ok')
    expect((await ask('mode=token')).status).toBe(200)
  })

  it('by refusing our key: that is our fault, never a 401 or 403 of the caller', async () => {
    const other = await startAbly({ keys: [{ name: ablyKeyName, secret: 'another-secret-altogether' }] })
    const stale = await testService({ env: { ABLY_HOSTS: other.url } })
    const url = `${await stale.listen()}/api/ably-token?mode=token`
    expectRefusal(await ofFetch(await fetch(url, { headers: authHeaders })), 'provider_failed')
    await stale.close()
    await other.close()
  })

  it('hands out just what Ably gave, where it gave what was asked', async () => {
    const details = (await (await ask('mode=token')).json()) as TokenDetails
    expect(details).toEqual(ably.issued[0])
  })

  it('holds 32 exchanges at most: the next is told at once to come back', async () => {
    ably.setFault('hang')
    const all = Array.from({ length: 40 }, () => ask('mode=token').then(ofFetch))
    const early: Answer[] = []
    await new Promise<void>((resolve) => {
      for (const each of all) void each.then((answer) => early.push(answer) === 8 && resolve())
    })
    for (const answer of early.slice(0, 8)) expectRefusal(answer, 'overloaded')
    expect(tokenRequests().length).toBeLessThanOrEqual(32)
    ably.setFault('disconnect')
    const answers = await Promise.all(all)
    const reasons = answers.map(({ text }) => JSON.parse(text).error.reason)
    expect(reasons.filter((reason) => reason === 'overloaded').length).toBe(8)
    expect(reasons.filter((reason) => reason === 'provider_unavailable').length).toBe(32)
    ably.setFault('ok')
    expect((await ask('mode=token')).status).toBe(200)
  })
})
