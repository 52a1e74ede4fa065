// POST /revoke in the whole service: who may, whom, what is in force from then on, and what is told and recorded of it.

import { mkdirSync, readFileSync, rmdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest'
import { isRefusal } from '../../src/errors.ts'
import type { CutOff } from '../../src/providers/module.ts'
import { createIndex } from '../../src/revocations/list.ts'
import { type RevokeDeps, revoke } from '../../src/revoke.ts'
import { jwtCaller, load } from '../policy/policy-under-test.ts'
import { expectRefusal, expectSafeHeaders, toAnswer } from './answers.ts'
import {
  apiKey,
  apiKeyId,
  asGateway,
  bearer,
  callers,
  secrets,
  type TestOptions,
  type TestService,
  testService,
} from './test-app.ts'

const grants = (when: string, id: string) => `
  - { id: ${id}-rtc, when: ${when}, agora: { channel: "{room}", account: "user-{user}", role: publisher } }
  - { id: ${id}-chat, when: ${when}, ably: { clientId: "{user}", capability: { "chat:{user}": [subscribe] } } }
  - { id: ${id}-bus, when: ${when}, nats: { account: APP, publish: ["u.{user}.>"] } }`
const policy = `${callers}
vars:
  user: { from: sub, match: "[a-z][a-z0-9-]{0,31}" }
  room: { from: ask, match: "[A-Za-z0-9_-]{1,40}" }
grants:${grants('{ issuer: main }', 'main')}${grants('{ caller: gateway }', 'gateway')}${grants(`{ client: ${apiKeyId} }`, 'key')}
  - { id: ops, when: { issuer: main, user: root }, admin: [revoke] }
  - { id: ops-by-gateway, when: { caller: gateway, user: root }, admin: [revoke] }
  - { id: anybody, when: { caller: anonymous }, admin: [revoke] }
`
const env = { NATS_MODE: 'callout', NATS_TOKEN: '', NATS_TOKEN_KEYS: `k1:${secrets.tokenKey}` }

const opened: TestService[] = []
const open = async (options: TestOptions = {}) => {
  const service = await testService({ policy, ...options, env: { ...env, ...options.env } })
  opened.push(service)
  return service
}
const service = await open()
afterEach(() => Promise.all(opened.splice(opened[0] === service ? 1 : 0).map(({ close }) => close())))
afterAll(service.close)

const root = await bearer({ sub: 'root' })
type Body = string | object | undefined
const send = async (body: Body, headers: object = root, { app } = service) =>
  toAnswer(
    await app.inject({
      method: 'POST',
      url: '/revoke',
      headers: { ...headers },
      ...(body === undefined ? {} : { payload: body }),
    }),
  )
const json = (answer: { text: string }) => JSON.parse(answer.text)
const last = ({ auditLines } = service) => auditLines().at(-1) as unknown as Record<string, unknown>

/** What each provider answers this caller. */
async function statusesOf(headers: object, { app } = service): Promise<number[]> {
  const asks = [
    { method: 'POST', url: '/fetch_rtc_token', payload: { channelName: 'r', role: 1 } },
    { method: 'GET', url: '/api/ably-token' },
    { method: 'GET', url: '/nats/token' },
  ] as const
  const answers = await Promise.all(asks.map((ask) => app.inject({ ...ask, headers: { ...headers } })))
  for (const answer of answers) if (answer.statusCode === 403) expect(answer.json().error.reason).toBe('denied')
  return answers.map(({ statusCode }) => statusCode)
}
const all = [200, 200, 200]
const none = [403, 403, 403]

describe('a user who is revoked', () => {
  it('gets nothing more of any provider, at once; and whoever did it hears what became of what he has', async () => {
    const dave = await bearer({ sub: 'dave' })
    expect(await statusesOf(dave)).toEqual(all)
    const answer = await send({ source: 'main', subject: 'dave' })
    expectSafeHeaders(answer)
    expect([answer.status, answer.headers['content-type']]).toEqual([200, 'application/json'])
    const inADay = Math.floor(Date.now() / 1000) + 86_460
    const { until, ...whom } = json(answer).revoked
    expect(whom).toEqual({ source: 'main', subject: 'dave' })
    expect(until - inADay).toBeGreaterThanOrEqual(-2)
    expect(until - inADay).toBeLessThanOrEqual(0)
    const lasts = { done: false, detail: expect.stringContaining('Nothing more is issued') }
    expect(json(answer).outcomes).toEqual({
      agora: lasts,
      ably: lasts,
      nats: { done: false, detail: expect.stringContaining('Connects are refused') },
    })
    expect(await statusesOf(dave)).toEqual(none)
  })

  it('is he and nobody else: not another subject, nor the same subject of another source', async () => {
    const headers = [
      await bearer({ sub: 'erin-2' }),
      await bearer({ sub: 'eri' }),
      asGateway('erin'),
      { authorization: `Bearer ${apiKey}`, 'usher-on-behalf-of': 'erin' },
    ]
    expect((await send({ source: 'main', subject: 'erin' })).status).toBe(200)
    for (const other of headers) expect(await statusesOf(other)).toEqual(all)
    expect(await statusesOf(await bearer({ sub: 'erin' }))).toEqual(none)
    expect((await send({ source: apiKeyId, subject: 'erin' })).status).toBe(200)
    expect((await send({ source: 'gateway', subject: 'erin' })).status).toBe(200)
    expect(await Promise.all(headers.slice(2).map((other) => statusesOf(other)))).toEqual([none, none])
  })

  it('stays revoked over a restart', async () => {
    const folder = service.folder
    const file = join(folder, 'over-a-restart.jsonl')
    const [before, frank] = [await open({ env: { REVOCATIONS_FILE: file } }), await bearer({ sub: 'frank' })]
    expect((await send({ source: 'main', subject: 'frank' }, root, before)).status).toBe(200)
    expect(readFileSync(file, 'utf8')).toContain('"frank"')
    const after = await open({ env: { REVOCATIONS_FILE: file } })
    expect(await statusesOf(frank, after)).toEqual(none)
  })

  it('who may revoke himself, may not any more', async () => {
    const own = await open()
    expect((await send({ source: 'main', subject: 'root' }, root, own)).status).toBe(200)
    expectRefusal(await send({ source: 'main', subject: 'grace' }, root, own), 'denied')
    expect(await statusesOf(await bearer({ sub: 'grace' }), own)).toEqual(all)
  })
})

describe('one token', () => {
  it('is revoked by its id, and its holder gets another one: nothing is said to have ended', async () => {
    const heidi = await bearer({ sub: 'heidi' })
    const { tokenId } = (await service.app.inject({ url: '/nats/token', headers: heidi })).json()
    const answer = await send({ tokenId })
    expect(json(answer).revoked).toMatchObject({ source: 'main', subject: 'heidi', tokenId })
    for (const name of ['agora', 'ably'])
      expect(json(answer).outcomes[name]).toEqual({ done: false, detail: expect.stringContaining('Nothing changes') })
    expect(await statusesOf(heidi)).toEqual(all)
  })
})

describe('who may revoke', () => {
  it.each<[string, () => Promise<object> | object, 'unauthenticated' | 'no_grant']>([
    ['another user', () => bearer(), 'no_grant'],
    ['an API key', () => ({ authorization: `Bearer ${apiKey}` }), 'no_grant'],
    ['an API key for root', () => ({ authorization: `Bearer ${apiKey}`, 'usher-on-behalf-of': 'root' }), 'no_grant'],
    ['nobody, whatever a grant says', () => ({}), 'unauthenticated'],
    ['a forged token', () => ({ authorization: 'Bearer e30.e30.e30' }), 'unauthenticated'],
  ])('is not %s', async (_what, headers, reason) => {
    for (const body of [{ source: 'main', subject: 'ivan' }, {}, { tokenId: 'x' }])
      expectRefusal(await send(body, await headers()), reason)
    expect(await statusesOf(await bearer({ sub: 'ivan' }))).toEqual(all)
  })

  it('is not a page that a user of the gateway happens to open', async () => {
    const origin = { ...asGateway('root'), origin: 'https://evil.com' }
    expectRefusal(await send({ source: 'main', subject: 'judy' }, origin), 'foreign_origin')
    expect(await statusesOf(await bearer({ sub: 'judy' }))).toEqual(all)
    expect((await send({ source: 'main', subject: 'judy' }, asGateway('root'))).status).toBe(200)
  })
})

describe('a body', () => {
  it.each<[string, Body]>([
    ['source', undefined],
    ['source', {}],
    ['source', { source: 'x', subject: 'alice' }],
    ['subject', { source: 'main' }],
    ['subject', { source: 'main', subject: '' }],
    ['tokenId', { tokenId: 'x' }],
    ['tokenId', { source: 'main', subject: 'alice', tokenId: 'x' }],
    ['until', { source: 'main', subject: 'alice', until: 9 }],
    ['body', '[]'],
    ['body', '{'],
    ['body', '"alice"'],
  ])('is refused with the field %s, the rule and the mend: %j', async (field, body) => {
    const before = service.auditLines().length
    const type = { 'content-type': 'application/json' }
    const answer = await send(body, typeof body === 'string' ? { ...root, ...type } : root)
    expectRefusal(answer, 'invalid_request')
    expect(json(answer).error.message).toMatch(new RegExp(`^${field}: \\w`))
    expect(service.auditLines().slice(before)).toMatchObject([
      { provider: 'admin', outcome: 'refused', reason: 'invalid_request' },
    ])
  })

  it('is a form as well, and nothing of a query', async () => {
    const form = { ...root, 'content-type': 'application/x-www-form-urlencoded' }
    expect((await send('source=main&subject=mallory', form)).status).toBe(200)
    expectRefusal(await send('source=main&subject=a&subject=b', form), 'invalid_request')
    expectRefusal(await send('source=main', { ...root, 'content-type': 'text/plain' }), 'unsupported_media_type')
    const inQuery = await service.app.inject({ method: 'POST', url: '/revoke?source=main&subject=niaj', headers: root })
    expectRefusal(toAnswer(inQuery), 'invalid_request')
  })
})

it('without a list it is off, and says so to those who may revoke', async () => {
  const off = await open({ env: { REVOCATIONS_FILE: '' } })
  expectRefusal(await send({ source: 'main', subject: 'alice' }, root, off), 'revocation_off')
  expectRefusal(await send({ source: 'main', subject: 'alice' }, await bearer(), off), 'no_grant')
  expect(await statusesOf(await bearer(), off)).toEqual(all)
})

it('the audit says who cut off whom, by which grant, and what became of it', async () => {
  const answer = await send({ source: 'main', subject: 'olivia' })
  expect(last()).toMatchObject({
    requestId: answer.headers['x-request-id'],
    provider: 'admin',
    outcome: 'revoked',
    caller: { kind: 'jwt', source: 'main', subject: 'root' },
    address: '127.0.0.1',
    grants: ['ops'],
    policy: expect.stringMatching(/^[0-9a-f]{16}$/),
    rights: { ...json(answer).revoked, outcomes: json(answer).outcomes },
  })
  await statusesOf(await bearer({ sub: 'olivia' }))
  expect(last()).toMatchObject({
    outcome: 'refused',
    reason: 'denied',
    detail: expect.stringContaining('revoked until'),
  })
})

it('where the line cannot be written, that is the answer; the revocation stands', async () => {
  let isFull = false
  const sink = async () => {
    if (isFull) throw Object.assign(new Error('no space'), { code: 'ENOSPC' })
  }
  const full = await open({ sink })
  isFull = true
  expectRefusal(await send({ source: 'main', subject: 'peggy' }, root, full), 'audit_unavailable')
  isFull = false
  expect(await statusesOf(await bearer({ sub: 'peggy' }), full)).toEqual(none)
})

it('where it cannot be stored, that is the answer; it is in force, recorded, and stored as soon as that is possible', async () => {
  const broken = await open()
  const file = join(broken.folder, 'revocations.jsonl')
  rmSync(file)
  mkdirSync(file)
  const answer = await send({ source: 'main', subject: 'rupert' }, root, broken)
  expectRefusal(answer, 'revocations_unavailable')
  expect(json(answer).error.message).toContain('in force on this replica')
  expect(await statusesOf(await bearer({ sub: 'rupert' }), broken)).toEqual(none)
  const lines = broken.auditLines().filter(({ requestId }) => requestId === answer.headers['x-request-id'])
  expect(lines).toMatchObject([
    { outcome: 'revoked', rights: { subject: 'rupert' } },
    { outcome: 'refused', reason: 'revocations_unavailable' },
  ])
  rmdirSync(file)
  await vi.waitFor(() => expect(readFileSync(file, 'utf8')).toContain('rupert'), 5000)
})

it('a provider that fails to end what it issued neither hides the revocation nor the other providers', async () => {
  const index = createIndex({ now: Date.now, log: service.log })
  const recorded: object[] = []
  const done: CutOff = { done: true, detail: 'ended' }
  const deps: RevokeDeps = {
    audit: { record: async (entry) => void recorded.push(entry) },
    log: service.log,
    now: Date.now,
    list: {
      ...index,
      isCurrent: () => true,
      add: async (entry) => void index.put(entry),
      close: async () => {},
      state: () => ({ store: 'file', entries: 1, isCurrent: true }),
    },
    cutOffs: new Map([
      ['a', () => Promise.reject(new Error('connect ECONNREFUSED 10.0.0.3 key=abc'))],
      ['b', async () => done],
    ]),
  }
  const { loaded } = load(
    'callers: { gateway: { header: x-user, trustedProxies: [10.0.0.0/8] } }\ngrants: [{ id: ops, when: { caller: gateway }, admin: [revoke] }]\n',
  )
  if (loaded === undefined) throw new Error('the policy has faults')
  const caller = jwtCaller(
    'root',
    {},
    { kind: 'gateway', source: 'gateway', expiresAt: Number.MAX_SAFE_INTEGER / 1000 },
  )
  const request = {
    caller,
    policy: loaded,
    input: { source: 'gateway', subject: 'sybil' },
    requestId: 'r1',
    address: '::1',
  }
  const outcome = await revoke(deps, request)
  if (isRefusal(outcome)) throw new Error(outcome.reason)
  expect(outcome.outcomes).toEqual({ a: { done: false, detail: expect.stringContaining('failed') }, b: done })
  expect(recorded).toMatchObject([{ outcome: 'revoked', rights: { subject: 'sybil', outcomes: outcome.outcomes } }])
  expect(index.find({ source: 'gateway', subject: 'sybil' })).toBeDefined()
  expect(await service.logText()).not.toContain('10.0.0.3')
})
