// What every provider promises, held against all of the registry: a new provider is covered by being registered.

import { describe, expect, test } from 'vitest'
import { isRefusal } from '../../src/errors.ts'
import type { Caller } from '../../src/identity/caller.ts'
import { decide } from '../../src/policy/decide.ts'
import { loadPolicy } from '../../src/policy/load.ts'
import type { Granted } from '../../src/providers/provider.ts'
import { type AnyProviderModule, entitlements, registry } from '../../src/providers/registry.ts'
import { toSettings } from '../../src/settings.ts'

const nowMs = 1_795_000_000_000
const caller: Caller = { kind: 'jwt', source: 'main', subject: 'alice', claims: {}, expiresAt: nowMs / 1000 + 90_000 }

/** One grant that names something, and an ask inside it, for each provider. */
const cases: Record<string, { grant: string; ask: object; beyond: object | undefined }> = {
  agora: {
    grant: '{ channel: "room", uid: 7, role: publisher }',
    ask: { channelName: 'room', uid: 7, role: 1 },
    beyond: { channelName: 'other', uid: 7, role: 1 },
  },
  ably: {
    grant: '{ clientId: alice, capability: { "room:*": [subscribe] } }',
    ask: { clientId: 'alice', capability: '{"room:a":["subscribe"]}' },
    beyond: { clientId: 'alice', capability: '{"room:a":["publish"]}' },
  },
  // A shared token has nothing that could be asked beyond it.
  nats: { grant: '{ shared: true }', ask: {}, beyond: undefined },
}

const callers = `callers: { jwt: [{ name: main, issuer: https://a/, jwksUri: https://a/jwks, audience: [x], algorithms: [ES256] }] }`

function policyOf(grants: string) {
  const { loaded, faults } = loadPolicy(`${callers}\ngrants:\n${grants}`, () => '', {
    entitlements,
    checkCallers: () => {},
  })
  if (loaded === undefined) throw new Error(JSON.stringify(faults))
  return loaded.compiled
}

function open(module: AnyProviderModule) {
  const fallbacks = module.settings.flatMap(({ name, fallback }): [string, string][] =>
    fallback === undefined ? [] : [[name, fallback]],
  )
  const settings = toSettings(new Map([...fallbacks, ...Object.entries(module.sandboxSettings())]))
  return module.open(settings, { now: () => nowMs, fetch: () => Promise.reject(new Error('no network in this test')) })
}

describe.each(registry.map((module) => [module.entitlement.name, module] as const))('%s', (name, module) => {
  const { entitlement } = module
  const { grant, ask, beyond } = cases[name] ?? expect.fail(`add ${name} to the cases of this suite`)
  const policy = policyOf(`  - { id: one, ${name}: ${grant} }`)
  const decideOn = (input: object, grants = policy) => {
    const parsed = entitlement.parseAsk(input)
    return isRefusal(parsed) ? parsed : decide(grants, entitlement, { caller, ask: parsed, nowMs })
  }

  test('gives what is inside the grant, and names the grant', () => {
    expect(decideOn(ask)).toMatchObject({ grantIds: ['one'] })
  })

  test('refuses what is beyond the grant', () => {
    if (beyond !== undefined) expect(decideOn(beyond)).toMatchObject({ reason: 'beyond_grant' })
  })

  test('gives nothing without a grant', () => {
    const others = registry.map((other) => other.entitlement.name).filter((other) => other !== name)
    const elsewhere = policyOf(
      others.map((other) => `  - { id: ${other}, ${other}: ${cases[other]?.grant} }`).join('\n'),
    )
    expect(decideOn(ask, elsewhere)).toMatchObject({ reason: 'no_grant' })
  })

  test('hands out frozen rights', () => {
    const decision = decideOn(ask)
    expect(!isRefusal(decision) && Object.isFrozen(decision.rights)).toBe(true)
  })

  test('parses no nonsense, and never throws', () => {
    for (const input of [null, 7, 'text', [], [1], true, { [name]: 1, unknown: {} }, Object.create(null)]) {
      const parsed = entitlement.parseAsk(input)
      expect(isRefusal(parsed) || typeof parsed === 'object').toBe(true)
    }
    for (const input of [null, 7, 'text', [1], true]) expect(isRefusal(entitlement.parseAsk(input))).toBe(true)
  })

  test('mints what its own check finds within the rights, and finds overreach where the rights differ', async () => {
    const provider = open(module)
    const decision = decideOn(ask)
    if (isRefusal(decision)) expect.fail(decision.reason)
    const minted = await provider.mint(decision.rights)
    if (isRefusal(minted)) expect.fail(minted.reason)
    expect(provider.findOverreach(minted, decision.rights)).toBeUndefined()
    for (const [key, value] of Object.entries(decision.rights).filter(([key]) => !['role', 'mode'].includes(key))) {
      const narrower = { ...decision.rights, [key]: typeof value === 'object' ? {} : undefined } as Granted<object>
      expect(provider.findOverreach(minted, narrower), key).toBeTypeOf('string')
    }
  })

  test('ends when the caller’s own credential ends', async () => {
    const parsed = entitlement.parseAsk(ask)
    const decision = decide(policy, entitlement, {
      caller: { ...caller, expiresAt: nowMs / 1000 + 45 },
      ask: parsed,
      nowMs,
    })
    if (isRefusal(decision)) expect.fail(decision.reason)
    const minted = await open(module).mint(decision.rights)
    if (isRefusal(minted)) expect.fail(minted.reason)
    if (minted.expiresAt !== null) expect(minted.expiresAt).toBeLessThanOrEqual(nowMs / 1000 + 45)
    expect(minted.expiresAt === null).toBe(name === 'nats')
  })

  test('every setting has a rule for its example, and every required one is a setting', () => {
    const names = module.settings.map((setting) => setting.name)
    expect(names).toEqual(expect.arrayContaining([...module.required]))
    for (const { secret, example, faultIn } of module.settings)
      if (secret) expect(faultIn?.(example), 'the example of a secret is refused by its own rule').toBeDefined()
    for (const [setting, value] of Object.entries(module.sandboxSettings()))
      expect(module.settings.find((known) => known.name === setting)?.faultIn?.(value), setting).toBeUndefined()
  })
})
