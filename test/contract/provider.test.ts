// What every provider promises, held against all of the registry: a new provider is covered by being registered.

import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { isRefusal } from '../../src/errors.ts'
import type { Caller } from '../../src/identity/caller.ts'
import { decide } from '../../src/policy/decide.ts'
import { loadPolicy } from '../../src/policy/load.ts'
import { ably } from '../../src/providers/ably/index.ts'
import { agora } from '../../src/providers/agora/index.ts'
import { nats } from '../../src/providers/nats/index.ts'
import { createSeed, publicNkeyOf } from '../../src/providers/nats/nkeys.ts'
import type { Granted } from '../../src/providers/provider.ts'
import { type AnyProviderModule, entitlements, registry } from '../../src/providers/registry.ts'
import { toSettings } from '../../src/settings.ts'
import { openDeps } from '../open-deps.ts'

const nowMs = 1_795_000_000_000
const caller: Caller = { kind: 'jwt', source: 'main', subject: 'alice', claims: {}, expiresAt: nowMs / 1000 + 90_000 }

interface Flavour {
  readonly module: AnyProviderModule
  /** On top of the fallbacks; those of the sandbox where they are left out. */
  readonly settings?: Readonly<Record<string, string>>
  /** Names something. */
  readonly grant: string
  /** Inside the grant. */
  readonly ask: object
  /** Undefined where nothing could be asked beyond the grant. */
  readonly beyond: object | undefined
  /** Whether what it mints has no end. */
  readonly isEndless?: true
  /** Parts of the rights that what it mints does not hold. */
  readonly notHeld?: readonly string[]
}

const account = publicNkeyOf(createSeed('account'), 'account')
const publicKey = publicNkeyOf(createSeed('user'), 'user')
const subjects = '{ account: APP, publish: ["orders.>"], subscribe: [news], deny: ["orders.x"], responses: {} }'

/** Each provider, and each kind of token that it can issue. */
const flavours: Readonly<Record<string, Flavour>> = {
  agora: {
    module: agora,
    grant: '{ channel: "room", uid: 7, role: publisher }',
    ask: { channelName: 'room', uid: 7, role: 1 },
    beyond: { channelName: 'other', uid: 7, role: 1 },
    notHeld: ['role'],
  },
  ably: {
    module: ably,
    grant: '{ clientId: alice, capability: { "room:*": [subscribe] } }',
    ask: { clientId: 'alice', capability: '{"room:a":["subscribe"]}' },
    beyond: { clientId: 'alice', capability: '{"room:a":["publish"]}' },
    notHeld: ['mode'],
  },
  'nats, static': { module: nats, grant: '{ shared: true }', ask: {}, beyond: undefined, isEndless: true },
  'nats, callout': {
    module: nats,
    settings: {
      NATS_MODE: 'callout',
      NATS_TOKEN_KEYS: `k1:${randomBytes(32).toString('base64url')}`,
      NATS_URLS: 'nats://127.0.0.1:4222',
    },
    grant: subjects,
    ask: { publish: ['orders.new'] },
    beyond: { publish: ['orders.new', 'invoices.new'] },
  },
  'nats, jwt': {
    module: nats,
    settings: {
      NATS_MODE: 'jwt',
      NATS_SIGNING_KEYS: `APP:${account}:${createSeed('account')}`,
      NATS_URLS: 'nats://127.0.0.1:4222',
    },
    grant: subjects,
    ask: { publish: ['orders.new'], publicKey },
    beyond: { subscribe: ['>'], publicKey },
    // It is signed by the account’s key, as no shared token is.
    notHeld: ['shared'],
  },
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

const fallbacks = (module: AnyProviderModule) =>
  module.settings.flatMap(({ name, fallback }): [string, string][] =>
    fallback === undefined ? [] : [[name, fallback]],
  )
const settingsOf = ({ module, settings = module.sandboxSettings() }: Flavour) =>
  toSettings(new Map([...fallbacks(module), ...Object.entries(settings)]))
const open = (flavour: Flavour) => flavour.module.open(settingsOf(flavour), openDeps({ now: () => nowMs }))

test('every provider of the registry is here', () => {
  expect([...new Set(Object.values(flavours).map(({ module }) => module))]).toEqual(registry)
})

describe.each(Object.entries(flavours))('%s', (_flavour, flavour) => {
  const { module, grant, ask, beyond, isEndless = false, notHeld = [] } = flavour
  const { entitlement } = open(flavour)
  const { name } = entitlement
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
    const others = Object.values(flavours).filter((other) => other.module !== module)
    const elsewhere = policyOf(
      others
        .map(({ module: { entitlement }, grant }, index) => `  - { id: o${index}, ${entitlement.name}: ${grant} }`)
        .join('\n'),
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
    const provider = open(flavour)
    const decision = decideOn(ask)
    if (isRefusal(decision)) expect.fail(decision.reason)
    const minted = await provider.mint(decision.rights, decision.grounds)
    if (isRefusal(minted)) expect.fail(minted.reason)
    expect(provider.findOverreach(minted, decision.rights, decision.grounds)).toBeUndefined()
    for (const [key, value] of Object.entries(decision.rights).filter(([key]) => !notHeld.includes(key))) {
      const other = Array.isArray(value) ? [] : typeof value === 'object' ? {} : undefined
      const narrower = { ...decision.rights, [key]: other } as Granted<object>
      expect(provider.findOverreach(minted, narrower, decision.grounds), key).toBeTypeOf('string')
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
    const minted = await open(flavour).mint(decision.rights, decision.grounds)
    if (isRefusal(minted)) expect.fail(minted.reason)
    if (minted.expiresAt !== null) expect(minted.expiresAt).toBeLessThanOrEqual(nowMs / 1000 + 45)
    expect(minted.expiresAt === null).toBe(isEndless)
  })

  test('every setting has a rule for its example, and every required one is a setting', () => {
    const names = module.settings.map((setting) => setting.name)
    const required = module.required(settingsOf(flavour))
    expect(required.filter((name) => !names.includes(name) || !settingsOf(flavour).has(name))).toEqual([])
    expect(module.faultsIn?.(settingsOf(flavour)) ?? []).toEqual([])
    for (const { secret, example, faultIn } of module.settings)
      if (secret) expect(faultIn?.(example), 'the example of a secret is refused by its own rule').toBeDefined()
    for (const [setting, value] of Object.entries(module.sandboxSettings()))
      expect(module.settings.find((known) => known.name === setting)?.faultIn?.(value), setting).toBeUndefined()
  })
})
