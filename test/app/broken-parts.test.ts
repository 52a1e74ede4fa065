// One part after the other breaks in a way that nobody foresaw: no token, no word of the error, and the next request is served.

import { readFileSync } from 'node:fs'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { buildApp } from '../../src/app.ts'
import { type AuditEntry, createAudit } from '../../src/audit.ts'
import { parseConfig } from '../../src/config.ts'
import { identifySandbox } from '../../src/identity/sandbox.ts'
import { createGate } from '../../src/limits.ts'
import { createHealth } from '../../src/ops/health.ts'
import { type LoadedPolicy, loadPolicy } from '../../src/policy/load.ts'
import { type AnyProvider, entitlements, registry } from '../../src/providers/registry.ts'
import { sandboxPolicy } from '../../src/service.ts'
import { openDeps } from '../open-deps.ts'
import { expectSomeRefusal, toAnswer } from './answers.ts'
import { asksOf, isIssuing } from './routes.ts'

/** What a library would throw: an address, a key, and a status that is not ours to believe. */
const leak = 'connect ECONNREFUSED 10.0.0.3 key=abc'
const error = Object.assign(new Error(leak), { statusCode: 401, code: 'ECONNREFUSED' })
const fail = () => {
  throw error
}

const parsed = parseConfig({}, () => '')
if ('faults' in parsed) throw new Error('the sandbox has faults')
const policy = loadPolicy(readFileSync(sandboxPolicy, 'utf8'), fail, { entitlements, checkCallers: () => {} })
const wires = openDeps({ fetch })
const providers = new Map<string, AnyProvider>(
  registry.map(({ entitlement: { name }, open }) => [
    name,
    Object.create(open(parsed.config.providers.get(name) as never, wires)),
  ]),
)

/** What is replaced for one request. */
const broken: Record<string, (() => unknown) | undefined> = {}
const part = <Args extends unknown[], Result>(name: string, whole: (...args: Args) => Result) =>
  ((...args: Args) => (broken[name] === undefined ? whole(...args) : broken[name]())) as (...args: Args) => Result
for (const provider of providers.values()) {
  provider.mint = part('mint', provider.mint)
  provider.findOverreach = part('findOverreach', provider.findOverreach)
  const { entitlement } = provider
  Object.assign(provider, {
    entitlement: {
      ...entitlement,
      parseAsk: part('parseAsk', entitlement.parseAsk),
      select: part('select', entitlement.select),
    },
  })
}
const now = part('now', Date.now)
const entries: AuditEntry[] = []
const audit = createAudit(async () => {}, now)
const logged: unknown[] = []
const log = (...line: unknown[]) => logged.push(line)
const app = await buildApp({
  inForce: part('inForce', () => ({
    policy: policy.loaded as LoadedPolicy,
    identify: part('identify', identifySandbox),
  })),
  providers,
  audit: {
    record: part('record', async (entry) => {
      entries.push(entry)
      await audit.record(entry)
    }),
  },
  log: { debug: log, info: log, warn: log, error: log, flush: () => {} },
  health: createHealth(),
  gate: createGate(2),
  now,
  isListedOrigin: () => false,
  trustedProxies: [],
  sandbox: true,
  docs: false,
  refuseRevoked: part('refuseRevoked', () => undefined),
  revocations: undefined,
})
const asks = asksOf(app).filter(isIssuing)
const send = async (ask: (typeof asks)[number]) =>
  toAnswer(await app.inject({ ...ask, headers: { ...ask.headers, host: 'localhost' } }))

beforeEach(() => {
  for (const name of Object.keys(broken)) broken[name] = undefined
  logged.length = 0
  entries.length = 0
})
afterAll(() => app.close())

const rejected = () => Promise.reject(error)
const faults: readonly [string, string, () => unknown, number][] = [
  ['identity throws', 'identify', fail, 500],
  ['identity rejects', 'identify', rejected, 500],
  ['reading the ask throws', 'parseAsk', fail, 500],
  ['the policy is gone', 'inForce', fail, 503],
  ['the decision throws', 'select', fail, 500],
  ['the clock throws', 'now', fail, 503],
  ['the provider throws', 'mint', fail, 500],
  ['the provider rejects', 'mint', rejected, 500],
  ['the provider gives nothing', 'mint', () => undefined, 500],
  ['the check of what was minted throws', 'findOverreach', fail, 500],
  ['what was minted holds too much', 'findOverreach', () => 'too much', 502],
  ['the audit throws', 'record', fail, 503],
  ['the audit rejects', 'record', rejected, 503],
]

describe.each(asks.map((ask) => [`${ask.method} ${ask.url}`, ask] as const))('%s', (_name, ask) => {
  const agora = ask.url === '/fetch_rtc_token'

  it.each(faults)('gives no token where %s', async (_what, name, breakage, status) => {
    broken[name] = breakage
    const answer = await send(ask)
    expectSomeRefusal(answer, status, { agora })
    expect(JSON.stringify(answer)).not.toContain('10.0.0.3')
    expect(entries.filter(({ outcome }) => outcome === 'issued')).toEqual([])
    expect(logged.length).toBeGreaterThan(0)
    expect(JSON.stringify(logged)).not.toContain('10.0.0.3')

    broken[name] = undefined
    expect((await send(ask)).status).toBe(200)
  })
})

it('a full house starts no check of identity, whose work would queue without bound', async () => {
  const waiting: (() => void)[] = []
  let begun = 0
  broken['identify'] = () =>
    new Promise((resolve) => {
      begun++
      waiting.push(() => resolve(identifySandbox({ rawHeaders: ['Host', 'localhost'], peer: '127.0.0.1' })))
    })
  const [ask] = asks
  if (ask === undefined) throw new Error('there is no token route')
  const inside = [send(ask), send(ask)]
  const outside = await send(ask)
  expectSomeRefusal(outside, 503, { agora: true })
  expect(JSON.parse(outside.text).error.reason).toBe('overloaded')
  expect(begun).toBe(2)
  for (const go of waiting) go()
  expect((await Promise.all(inside)).map(({ status }) => status)).toEqual([200, 200])
})
