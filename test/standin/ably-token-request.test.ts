import { createHmac } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type AblyStandin, startAbly } from './ably.ts'

const start = 1_700_000_000_000
const minute = 60_000
const keyName = 'appid1.keyid1'
const secret = 'secretsecretsecret'
const narrow = { name: 'appid1.narrow', secret: 'narrowsecret', capability: '{"chat:*":["publish","subscribe"]}' }
const revocable = { name: 'appid1.revocable', secret: 'revocablesecret', revocable: true }

// ably-js 2.28 and a signature by hand agreed on this mac; the text is that of
// https://ably.com/docs/api/token-request-spec
const vector = {
  keyName,
  ttl: 3_600_000,
  capability: '{"chat:*":["publish","subscribe"],"notifications":["subscribe"]}',
  clientId: 'user-1',
  timestamp: start,
  nonce: '0123456789abcdef0123456789abcdef',
  mac: 'WI9oRiahETEFo5oMiIGNDjXBpMOdzTZ2Dq6lnU5D3cI=',
}

type Fields = Record<string, unknown>

/** Signs what it is given, sensible or not: a refusal must have its own reason, not a broken mac. */
const sign = (fields: Fields, key = secret): Fields => {
  const { ttl = '', capability = '', clientId = '', timestamp, nonce } = fields
  const text = `${fields['keyName']}\n${ttl}\n${capability}\n${clientId}\n${timestamp}\n${nonce}\n`
  return { ...fields, mac: createHmac('sha256', key).update(text).digest('base64') }
}

const without = (fields: Fields, name: string): Fields =>
  Object.fromEntries(Object.entries(fields).filter(([key]) => key !== name))

let nowMs = start
let ably: AblyStandin

beforeEach(async () => {
  nowMs = start
  ably = await startAbly({ keys: [{ name: keyName, secret }, narrow, revocable], now: () => nowMs })
})

afterEach(() => ably.close())

const post = async (
  body: unknown,
  { path = '', headers = {} }: { path?: string; headers?: Record<string, string> } = {},
) => {
  const name = path || String((body as Fields)['keyName'])
  const response = await fetch(`${ably.url}/keys/${name}/requestToken`, {
    method: 'POST',
    headers,
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
  const answer = (await response.json()) as Fields & { error?: Fields }
  return { status: response.status, headers: response.headers, answer, error: answer.error }
}

describe('requestToken', () => {
  test('verifies the known vector and answers whole token details', async () => {
    const { status, answer, headers } = await post(vector)
    expect(status).toBe(201)
    expect(answer).toEqual({
      token: expect.stringMatching(/^appid1\.[\w-]{32}$/),
      keyName,
      issued: start,
      expires: start + 3_600_000,
      capability: vector.capability,
      clientId: 'user-1',
    })
    expect(ably.issued).toEqual([answer])
    expect(headers.get('access-control-allow-origin')).toBe('*')
  })

  test('takes null for absent: ably-js sends it for an anonymous client', async () => {
    const { status, answer } = await post({ ...sign(without(vector, 'clientId')), clientId: null })
    expect(status).toBe(201)
    expect(answer).not.toHaveProperty('clientId')
  })

  test('takes numbers that arrive as text', async () => {
    const { status, answer } = await post({ ...vector, ttl: '3600000', timestamp: String(start) })
    expect(status).toBe(201)
    expect(answer['expires']).toBe(start + 3_600_000)
  })

  test.each([
    ['no JSON', 'nonsense', 400, 40001],
    ['a JSON array', [], 400, 40001],
    ['a capability that is an object', sign({ ...vector, capability: { a: ['publish'] } }), 400, 40001],
    ['a nonce that is a number', sign({ ...vector, nonce: 1234567890123456 }), 400, 40001],
    ['an empty clientId', sign({ ...vector, clientId: '' }), 400, 40012],
    ['an unknown key of a known app', sign({ ...vector, keyName: 'appid1.nobody' }), 401, 40400],
    ['an unknown app', sign({ ...vector, keyName: 'appid2.keyid1' }), 404, 40400],
    ['an unknown operation', sign({ ...vector, capability: '{"channel0":["publish_"]}' }), 400, 40000],
    ['a star beside another operation', sign({ ...vector, capability: '{"channel0":["*","publish"]}' }), 400, 40000],
    ['an empty list of operations', sign({ ...vector, capability: '{"channel0":[]}' }), 400, 40000],
    ['a capability that is no object', sign({ ...vector, capability: '["publish"]' }), 400, 40000],
    ['a ttl over 24 hours', sign({ ...vector, ttl: 86_400_001 }), 400, 40003],
    ['a ttl over 24 hours as text', sign({ ...vector, ttl: '86400001' }), 400, 40003],
    ['a negative ttl', sign({ ...vector, ttl: -1 }), 400, 40003],
    ['a ttl that is no whole number', sign({ ...vector, ttl: 1000.5 }), 400, 40003],
    ['a ttl that is no number', sign({ ...vector, ttl: 'abc' }), 400, 40003],
    [
      'over an hour for a revocable key',
      sign({ ...vector, keyName: revocable.name, ttl: 3_600_001 }, revocable.secret),
      400,
      40003,
    ],
    ['no mac', without(vector, 'mac'), 401, 40101],
    ['a tampered mac', { ...vector, mac: vector.mac.replace('W', 'X') }, 401, 40101],
    ['a mac of the wrong length', { ...vector, mac: 'WI9oRg==' }, 401, 40101],
    ['a mac of another secret', sign(vector, 'another'), 401, 40101],
    ['a changed clientId', { ...vector, clientId: 'user-2' }, 401, 40101],
    ['a changed ttl', { ...vector, ttl: 3_600_001 }, 401, 40101],
    ['a ttl that got lost', without(vector, 'ttl'), 401, 40101],
    [
      'a capability that was serialised again',
      { ...vector, capability: vector.capability.replaceAll(':[', ': [') },
      401,
      40101,
    ],
    ['a timestamp of 3 minutes ago', sign({ ...vector, timestamp: start - 3 * minute }), 401, 40104],
    ['a timestamp in 3 minutes', sign({ ...vector, timestamp: start + 3 * minute }), 401, 40104],
    ['no timestamp', sign({ ...vector, timestamp: '' }), 401, 40104],
    ['a nonce of 15 characters', sign({ ...vector, nonce: '0123456789abcde' }), 400, 40003],
    ['a capability that grants nothing', sign({ ...vector, capability: '{}' }), 401, 40160],
    [
      'a capability outside that of the key',
      sign({ ...vector, keyName: narrow.name, capability: '{"admin":["publish"]}' }, narrow.secret),
      401,
      40160,
    ],
  ])('refuses %s', async (_name, body, status, code) => {
    const { error, headers, ...response } = await post(body, typeof body === 'string' ? { path: keyName } : {})
    expect({ status: response.status, code: error?.['code'] }).toEqual({ status, code })
    expect(error).toEqual({
      message: expect.any(String),
      code,
      statusCode: status,
      href: `https://help.ably.io/error/${code}`,
    })
    expect(headers.get('x-ably-errorcode')).toBe(String(code))
    expect(headers.get('x-ably-errormessage')).toBeTruthy()
    expect(ably.issued).toEqual([])
  })

  test('refuses a keyName that differs from that of the path', async () => {
    const { status, error } = await post(vector, { path: narrow.name })
    expect([status, error?.['code']]).toEqual([400, 40000])
  })

  test('refuses a nonce that it has seen, and of that key only', async () => {
    expect((await post(vector)).status).toBe(201)
    const again = await post(sign({ ...vector, clientId: 'user-2' }))
    expect([again.status, again.error?.['code']]).toEqual([401, 40105])
    expect((await post(sign({ ...vector, keyName: narrow.name }, narrow.secret))).status).toBe(201)
  })

  test('does not spend the nonce of a request with a broken mac', async () => {
    expect((await post({ ...vector, mac: 'WI9oRg==' })).status).toBe(401)
    expect((await post(vector)).status).toBe(201)
  })

  test('checks in the documented order', async () => {
    const { timestamp, nonce } = { timestamp: start - 3 * minute, nonce: 'short' }
    const worst = { ...vector, keyName: narrow.name, capability: '{"a":[]}', ttl: -1, timestamp, nonce, mac: 'no' }
    const disjoint = { ...worst, capability: '{"a":["publish"]}' }
    const signed = (fields: Fields) => sign(fields, narrow.secret)
    const steps = [
      worst,
      disjoint,
      { ...disjoint, ttl: 1000 },
      signed({ ...disjoint, ttl: 1000 }),
      signed({ ...disjoint, ttl: 1000, timestamp: start }),
      signed({ ...disjoint, ttl: 1000, timestamp: start, nonce: vector.nonce }),
    ]
    const codes: unknown[] = []
    for (const step of steps) codes.push((await post(step)).error?.['code'])
    expect(codes).toEqual([40000, 40003, 40101, 40104, 40003, 40160])
  })

  test('takes a timestamp of 2 minutes ago, by its own clock', async () => {
    nowMs = start + 2 * minute
    expect((await post(vector)).status).toBe(201)
    nowMs += 1
    const { error } = await post(sign({ ...vector, nonce: 'another nonce of length' }))
    expect(error?.['code']).toBe(40104)
  })

  test('takes a request without a mac from whoever shows the key itself', async () => {
    const basic = (text: string) => ({ authorization: `Basic ${Buffer.from(text).toString('base64')}` })
    const body = { keyName, clientId: 'user-1' }
    expect((await post(body, { headers: basic(`${keyName}:${secret}`) })).status).toBe(201)
    expect((await post(body, { headers: basic(`${keyName}:wrong`) })).error?.['code']).toBe(40101)
  })

  test('grants the intersection, in canonical text', async () => {
    const capability = '{"chat:b":["subscribe","history"],"admin":["publish"],"chat:a":["*"]}'
    const { answer } = await post(sign({ ...vector, keyName: narrow.name, capability }, narrow.secret))
    expect(answer['capability']).toBe('{"chat:a":["publish","subscribe"],"chat:b":["subscribe"]}')
  })

  test.each(['', undefined])('grants the key’s own capability when asked for none (%j), for an hour', async (none) => {
    const fields = { keyName: narrow.name, timestamp: start, nonce: vector.nonce, capability: none }
    const { answer } = await post(sign(fields, narrow.secret))
    expect(answer['capability']).toBe(narrow.capability)
    expect(answer['expires']).toBe(start + 60 * minute)
  })
})
