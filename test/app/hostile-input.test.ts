// Bodies and queries that nobody sends by mistake. Each is refused whole, quickly, and leaves nothing behind in this process.

import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { reasons, refusal, toErrorBody } from '../../src/errors.ts'
import { limits } from '../../src/http/options.ts'
import { expectRefusal, expectSomeRefusal, toAnswer } from './answers.ts'
import { bearer, testService } from './test-app.ts'

const service = await testService()
const { app } = service
const auth = await bearer()
afterAll(service.close)
const issued = () => service.auditLines().filter(({ outcome }) => outcome === 'issued').length
const prototypeKeys = Reflect.ownKeys(Object.prototype)
afterEach(() => {
  expect(Reflect.ownKeys(Object.prototype)).toEqual(prototypeKeys)
})

const json = { ...auth, 'content-type': 'application/json' }
const form = { ...auth, 'content-type': 'application/x-www-form-urlencoded' }
const send = async (url: string, payload: string | Buffer, headers: Record<string, string> = json) =>
  toAnswer(await app.inject({ method: 'POST', url, payload, headers }))
const agora = (payload: string | Buffer) => send('/fetch_rtc_token', payload)
const good = '{"channelName":"room-1","uid":7,"role":1}'

describe('JSON', () => {
  const deep = (open: string, close: string) => open.repeat(600) + close.repeat(600)
  it.each<[string, string | Buffer]>([
    ['__proto__', '{"__proto__":{"role":1},"channelName":"room-1","uid":7,"role":1}'],
    ['an escaped __proto__', '{"\\u005f_proto__":{"a":1},"channelName":"room-1","uid":7,"role":1}'],
    ['__proto__ below', '{"channelName":"room-1","uid":7,"role":1,"privileges":{"__proto__":{"a":1}}}'],
    ['constructor.prototype', '{"constructor":{"prototype":{"a":1}},"channelName":"room-1","uid":7,"role":1}'],
    ['constructor', '{"constructor":1,"channelName":"room-1","uid":7,"role":1}'],
    ['toString as a field', '{"toString":1,"channelName":"room-1","uid":7,"role":1}'],
    ['a deep list', deep('[', ']')],
    ['a deep object', deep('{"a":', '}').replace(/:\}/, ':1}')],
    ['a deep value', `{"channelName":${deep('[', ']')},"uid":7,"role":1}`],
    ['a byte order mark', `\ufeff${good}`],
    ['UTF-16', Buffer.from(good, 'utf16le')],
    [
      'bytes that are no UTF-8',
      Buffer.concat([Buffer.from('{"channelName":"'), Buffer.from([0xff]), Buffer.from('","uid":7,"role":1}')]),
    ],
    [
      'an overlong slash',
      Buffer.concat([Buffer.from('{"channelName":"'), Buffer.from([0xc0, 0xaf]), Buffer.from('","uid":7,"role":1}')]),
    ],
    [
      'a surrogate as bytes',
      Buffer.concat([
        Buffer.from('{"channelName":"'),
        Buffer.from([0xed, 0xa0, 0x80]),
        Buffer.from('","uid":7,"role":1}'),
      ]),
    ],
    ['a lone surrogate', '{"channelName":"\\ud800","uid":7,"role":1}'],
    ['NUL in a name', '{"channelName":"a\\u0000","uid":7,"role":1}'],
    ['two documents', `${good}${good}`],
    ['a comment', `${good}// x`],
    ['a number', '7'],
    ['null', 'null'],
    ['a text', '"room"'],
    ['a list', `[${good}]`],
    ['nothing but space', ' '],
    ['no body', ''],
    ['NaN', '{"channelName":"room-1","uid":NaN,"role":1}'],
    ['a number beyond numbers', '{"channelName":"room-1","uid":1e999,"role":1}'],
    ['null for a name', '{"channelName":null,"uid":7,"role":1}'],
    ['a list for a name', '{"channelName":["room-1"],"uid":7,"role":1}'],
    ['text for a number', '{"channelName":"room-1","uid":"7","role":1}'],
    ['both spellings', '{"channelName":"room-1","ChannelName":"room-1","uid":7,"role":1}'],
    ['a key of ours', '{"channelName":"room-1","uid":7,"role":1,"ttlMs":1}'],
    ['a callback', '{"channelName":"room-1","uid":7,"role":1,"callback":"x"}'],
  ])('%s is 400', async (_what, payload) => {
    const before = issued()
    expectRefusal(await agora(payload), 'invalid_request', { agora: true })
    expect(issued()).toBe(before)
  })

  it.each(['{"__proto__":{"clientId":"bob"}}', '{"constructor":{"prototype":{"a":1}}}', '{"x":{"__proto__":1}}'])(
    'whose unknown keys are ignored is refused with %s, wherever it stands',
    async (payload) => expectRefusal(await send('/api/ably-token', payload), 'invalid_request'),
  )

  it('is read in the end: the good body gets its token, so that the table above means something', async () => {
    expect((await agora(good)).status).toBe(200)
  })

  it('shows no unknown key that could be a secret, a script or a second line', async () => {
    for (const key of ['a'.repeat(22), '<script>', 'a\\nb', 'é', '\\u001b[31m']) {
      const answer = await agora(`{"${key}":1}`)
      expectRefusal(answer, 'invalid_request', { agora: true })
      expect(JSON.parse(answer.text).error.message).toMatch(/^a field: /)
    }
  })
})

describe('a form', () => {
  it.each([
    ['a key twice', 'clientId=alice&clientId=alice'],
    ['a key in both spellings that differ', 'clientId=alice&client_id=bob'],
    ['bytes that are no UTF-8, even for a key that is ignored', Buffer.from([0x78, 0x3d, 0xff])],
    ['a byte order mark, which would hide its first key', '\ufeffclientId=bob'],
    ['a wildcard', 'clientId=*'],
    ['a newline', 'clientId=alice%0Amac'],
    ['a capability that is no JSON', 'capability=all'],
    ['a capability with __proto__', `capability=${encodeURIComponent('{"__proto__":["*"]}')}`],
    ['an empty capability', 'capability={}'],
    ['a ttl in exponents', 'ttl=1e3'],
  ])('%s is 400', async (_what, payload) => {
    expectRefusal(await send('/api/ably-token', payload, form), 'invalid_request')
  })

  it('keeps __proto__ an ordinary, unknown key', async () => {
    const answer = await send('/api/ably-token', '__proto__=x&constructor=y&__proto__[clientId]=bob', form)
    expect([answer.status, JSON.parse(answer.text).clientId]).toEqual([200, 'alice'])
  })

  it('counts a key in the query and in the body as given twice', async () => {
    expectRefusal(await send('/api/ably-token?clientId=alice', 'clientId=alice', form), 'invalid_request')
  })

  it('shows a deep capability to nobody: it is refused in no time', async () => {
    const payload = `{"capability":${'{"a":'.repeat(9000)}1${'}'.repeat(9000)}}`
    const started = performance.now()
    expectRefusal(await send('/api/ably-token', payload), 'invalid_request')
    expect(performance.now() - started).toBeLessThan(5000)
  })
})

describe('a query', () => {
  const get = async (url: string) => toAnswer(await app.inject({ url, headers: auth }))
  it.each([
    ['a key twice', '/api/ably-token?clientId=alice&clientId=alice'],
    ['a key twice, once escaped', '/api/ably-token?clientId=alice&%63lientId=bob'],
    ['a ttl twice', '/api/ably-token?ttl=1000&ttl=2000'],
    ['a mode twice', '/api/ably-token?mode=request&mode=request'],
    ['a list of its own', '/nats/token?ttl[]=1'],
    ['an unknown key where none is allowed', '/nats/token?x'],
  ])('%s is 400', async (_what, url) => expectRefusal(await get(url), 'invalid_request'))

  it('keeps __proto__ an ordinary key', async () => {
    expect((await get('/api/ably-token?__proto__=x&__proto__[clientId]=bob&constructor.prototype.a=1')).status).toBe(
      200,
    )
    expectRefusal(await get('/nats/token?__proto__=x'), 'invalid_request')
  })

  it('is not read where the body counts', async () => {
    const response = await app.inject({
      method: 'POST',
      url: '/fetch_rtc_token?uid=8&role=2',
      payload: JSON.parse(good),
      headers: auth,
    })
    expect(service.auditLines().at(-1)).toMatchObject({ rights: { uid: 7, role: 'publisher' } })
    expect(response.statusCode).toBe(200)
  })
})

describe('size', () => {
  it.each([
    ['/fetch_rtc_token', limits.bodyBytes],
    ['/nats/token', limits.bodyBytes],
    ['/api/ably-token', limits.ablyBodyBytes],
  ])('%s takes a body of %i bytes and not one more', async (url, bytes) => {
    const body = (length: number) => `{}${' '.repeat(length - 2)}`
    const isAgora = url === '/fetch_rtc_token'
    expect((await send(url, body(bytes))).status).toBe(isAgora ? 400 : 200)
    expectRefusal(await send(url, body(bytes + 1)), 'body_too_large', { agora: isAgora })
  })

  it('an address of 8192 characters is read, and not one more', async () => {
    const url = (length: number) => '/api/ably-token?x='.padEnd(length, 'a')
    expect((await app.inject({ url: url(limits.urlCharacters), headers: auth })).statusCode).toBe(200)
    const answer = toAnswer(await app.inject({ url: url(limits.urlCharacters + 1), headers: auth }))
    expectRefusal(answer, 'uri_too_long')
  })

  it('64 KB of one letter are refused in no time, in every field', async () => {
    const long = 'a'.repeat(60_000)
    const started = performance.now()
    for (const field of ['clientId', 'client_id', 'capability', 'ttl', 'mode'])
      expectRefusal(await send('/api/ably-token', `${field}=${long}`, form), 'invalid_request')
    expectRefusal(
      await send('/api/ably-token', JSON.stringify({ capability: { [long]: ['publish'] } })),
      'invalid_request',
    )
    expect(performance.now() - started).toBeLessThan(5000)
  })
})

describe('types of content', () => {
  it.each([
    'text/plain',
    'multipart/form-data; boundary=x',
    'application/xml',
    'application/json-patch+json',
    'application/jsonx',
    'nonsense',
  ])('%s is not understood where only JSON and forms are', async (type) => {
    for (const url of ['/nats/token', '/api/ably-token'])
      expectRefusal(await send(url, '{}', { ...auth, 'content-type': type }), 'unsupported_media_type')
  })

  it('a header that is not ASCII reaches no header of the answer', async () => {
    for (const capability of [
      '{"é":["subscribe"]}',
      '{"a\\nb":["subscribe"]}',
      '{"chat":["é"]}',
      '{"chat:é"',
      '{"chat:bob":["publish"]}',
    ]) {
      const response = await app.inject({
        url: `/api/ably-token?capability=${encodeURIComponent(capability)}`,
        headers: auth,
      })
      const answer = toAnswer(response)
      expectSomeRefusal(answer, capability.includes('bob') ? 403 : 400)
      expect(answer.headers['x-ably-errormessage']).toBe(JSON.parse(answer.text).error.message)
      expect(answer.headers['x-ably-errorcode']).toBe(String(JSON.parse(answer.text).error.code))
    }
  })
})

it('every sentence that a refusal can say fits into a header', () => {
  for (const reason of reasons) {
    const { message, hint } = toErrorBody(refusal(reason), '').error
    expect(`${message}${hint}`).toMatch(/^[\x20-\x7e]+$/)
  }
})
