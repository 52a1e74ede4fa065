// Asks at random, near what the caller may have and beyond it: of what is issued, nothing is more than his grants.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isRefusal, reasons } from '../src/errors.ts'
import type { Caller } from '../src/identity/caller.ts'
import { createSeed, publicNkeyOf } from '../src/providers/nats/nkeys.ts'
import { expectAblyInside, expectAgoraInside, expectNatsInside } from './inside-grants.ts'
import { expectNatsUserInside } from './inside-nats.ts'
import { anonymousCaller, jwtCaller, nowMs } from './policy/policy-under-test.ts'
import { policyText } from './policy-of-properties.ts'
import { subjectNear } from './subject-near.ts'
import { trapTexts, trapValues } from './trap-values.ts'
import { keys, openUsher } from './usher-in-memory.ts'

const numRuns = 100_000
/** A run in which fewer were granted, or refused, has tested nothing. */
const atLeast = 5000
const usher = openUsher(policyText)

// Callers: mostly good ones, so that many asks are granted, and each claim with all that can be wrong with it.
const mostly = <T>(good: fc.Arbitrary<T>, bad: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> =>
  fc.oneof({ weight: 9, arbitrary: good as fc.Arbitrary<unknown> }, { weight: 1, arbitrary: bad })
const trap = fc.constantFrom(...trapValues)
const anyClaims = fc.record({
  tenant: mostly(fc.constantFrom('acme', 'acme', 'acme-eu', 'news', 'a'), trap),
  uid: mostly(fc.constantFrom(7, 7, 8, 4294967295), trap),
  roles: mostly(
    fc.constantFrom(['host'], ['host', 'guest'], ['guest'], ['host'], []),
    fc.constantFrom('host', 'ghost', ['ghost'], { host: 1 }, null),
  ),
})
const anySubject = mostly(
  fc.constantFrom('alice', 'alice', 'Bob_9', '7', 'c', 'dm'),
  fc.constantFrom('mallory', ...trapTexts),
)
const jwtOrSo = fc
  .tuple(
    anyClaims,
    anySubject,
    fc.constantFrom(...Array<string>(10).fill('main'), 'other', 'gateway'),
    fc.constantFrom(...Array<number>(8).fill(7200), 60, 30, 29, 0),
  )
  .map(([claims, subject, source, left]) =>
    jwtCaller(subject as string, claims, { source, expiresAt: nowMs / 1000 + left }),
  )
const anyCaller: fc.Arbitrary<Caller> = fc.oneof(
  { weight: 8, arbitrary: jwtOrSo },
  { weight: 1, arbitrary: jwtOrSo.map((caller): Caller => ({ ...caller, kind: 'gateway', source: 'gateway' })) },
  { weight: 1, arbitrary: fc.constant(anonymousCaller) },
  { weight: 1, arbitrary: jwtOrSo.map((caller): Caller => ({ ...caller, kind: 'apiKey', source: 'main' })) },
)
const tenantOf = ({ claims }: Caller) => (typeof claims['tenant'] === 'string' ? claims['tenant'] : 'acme')

/** A name near the caller's own: put together from what stands in the grants, or with something else in one place. */
const nameNear = (caller: Caller, pieces: readonly string[]): fc.Arbitrary<string> => {
  const [tenant, user] = [tenantOf(caller), caller.subject ?? 'alice']
  const piece = fc.constantFrom(tenant, tenant, user, 'r1', 'log', 'dm', '*', ...pieces)
  return fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom('r1', 'room-2', 'A_b').map((room) => `${tenant}:${room}`) },
    {
      weight: 2,
      arbitrary: fc.constantFrom(`me.${user}`, `${tenant}:dm:${user}`, `${tenant}:r1:log`, 'lobby', 'a:b:c', 'news:x'),
    },
    {
      weight: 1,
      arbitrary: fc
        .tuple(fc.constantFrom('', ...pieces), fc.array(piece, { minLength: 1, maxLength: 4 }))
        .map(([head, parts]) => head + parts.join(':')),
    },
    {
      weight: 1,
      arbitrary: fc
        .tuple(fc.constantFrom(`${tenant}:`, `me.`, ''), fc.constantFrom(...trapTexts))
        .map((it) => it.join('')),
    },
  )
}
const maybe = <T>(key: string, arbitrary: fc.Arbitrary<T>, weight = 20) =>
  fc.oneof(
    { weight: 60, arbitrary: fc.constant({}) },
    { weight, arbitrary: arbitrary.map((value) => ({ [key]: value })) },
  )
const merged = (...parts: fc.Arbitrary<object>[]): fc.Arbitrary<Record<string, unknown>> =>
  fc.tuple(...parts).map((all) => Object.assign({}, ...all))

/** Runs the asks and counts the answers. */
async function tryAll<Input>(
  asks: fc.Arbitrary<{ caller: Caller; input: Input }>,
  judge: (ask: { caller: Caller; input: Input }) => Promise<boolean>,
) {
  const counted = { granted: 0, refused: 0 }
  const auditedBefore = usher.audited.count
  await fc.assert(
    fc.asyncProperty(asks, async (ask) => {
      if (await judge(ask)) counted.granted++
      else counted.refused++
    }),
    { numRuns },
  )
  expect(counted.granted + counted.refused).toBe(numRuns)
  expect(counted.granted).toBeGreaterThan(atLeast)
  expect(counted.refused).toBeGreaterThan(atLeast)
  expect(usher.audited.count - auditedBefore).toBe(counted.granted)
}

describe(`of ${numRuns.toLocaleString('en')} asks for each provider, none gets more than its grants`, {
  timeout: 300_000,
}, () => {
  it('from Agora', async () => {
    const uids = (own: unknown) =>
      fc.constantFrom<unknown>(own, own, own, own, 0, 7, 8, 20, 51, '7', '0', null, -1, 2 ** 32)
    const accounts = fc.constantFrom<unknown>('alice', 'Bob_9', 'c', '7', '*', '', 'mallory')
    const asks = anyCaller.chain((caller) =>
      merged(
        nameNear(caller, ['acme', '', '＊']).map((channelName) => ({ channelName })),
        fc.constantFrom<unknown>(1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 0, '1').map((role) => ({ role })),
        fc.oneof(
          { weight: 4, arbitrary: maybe('uid', uids(caller.claims['uid'] ?? 20), 60) },
          { weight: 1, arbitrary: maybe('account', accounts) },
        ),
        maybe('expire', fc.constantFrom<unknown>(1, 60, 600, 3600, 86_400, 0, '60', 1_795_219_200)),
        maybe(
          'privileges',
          fc.constantFrom<unknown>(
            {},
            { publishAudio: 60 },
            { joinChannel: 86_400, publishData: 1 },
            { publishAudio: 0 },
            null,
          ),
        ),
        maybe('user', trap, 1),
      ).map((input) => ({ caller, input })),
    )
    await tryAll(asks, async ({ caller, input }) => {
      const minted = await usher.ask('agora', caller, input)
      if (isRefusal(minted)) {
        expect(reasons).toContain(minted.reason)
        return false
      }
      expectAgoraInside(caller, input as Record<string, unknown>, minted)
      return true
    })
  })

  it('from Ably', async () => {
    const operations = fc.constantFrom('subscribe', 'publish', 'history', 'presence', '*')
    const lists = fc.oneof(
      { weight: 9, arbitrary: fc.uniqueArray(operations, { minLength: 1, maxLength: 2 }) as fc.Arbitrary<unknown> },
      { weight: 1, arbitrary: fc.constantFrom<unknown>([], null, 'subscribe', ['root'], [null]) },
    )
    const nonces = new Set<string>()
    const asks = anyCaller.chain((caller) => {
      const [tenant, user] = [tenantOf(caller), caller.subject ?? 'alice']
      const own = `${tenant}.${user}`
      const likely = fc.constantFrom(
        `{"${tenant}:r1":["subscribe"]}`,
        '{"news:*":["subscribe"]}',
        '{"a:*:c":["*"]}',
        '{"9":["subscribe"],"10":["history"]}',
        '{"lobby":["subscribe"]}',
        `{"${tenant}:r1:log":["history"],"${tenant}:r2":["subscribe"]}`,
      )
      const built = fc
        .array(fc.tuple(nameNear(caller, ['[meta]', '[*]', '[queue]', 'acme', 'b', '']), lists), { maxLength: 2 })
        .map((entries) => Object.fromEntries(entries))
      return merged(
        maybe(
          'clientId',
          fc.constantFrom<unknown>(own, own, own, 'kiosk-1', 'kiosk-', '*', `${own}\n`, user, '', 'null', ['a'], 7),
          60,
        ),
        maybe(
          'capability',
          fc.oneof(
            likely,
            built,
            built.map((it) => JSON.stringify(it)),
            trap,
          ),
          5,
        ),
        maybe('ttl', fc.constantFrom<unknown>(1, 60_000, '60000', 3_600_000, 86_400_000, 0, '0', 1.5)),
        maybe('mode', fc.constantFrom<unknown>('request', 'token', 'jwt', '*'), 4),
        maybe('nonce', fc.constant('mine'), 10),
      ).map((input) => ({ caller, input }))
    })
    await tryAll(asks, async ({ caller, input }) => {
      const minted = await usher.ask('ably', caller, input)
      if (isRefusal(minted)) {
        expect(reasons).toContain(minted.reason)
        return false
      }
      expectAblyInside(caller, minted)
      const { nonce } = minted.credential as { nonce: string }
      expect(nonces.has(nonce)).toBe(false)
      nonces.add(nonce)
      return true
    })
  })

  it('from NATS, the shared token', async () => {
    const fields = fc.constantFrom(
      'ttl',
      'publish',
      'subscribe',
      'account',
      'publicKey',
      'shared',
      '__proto__',
      'token',
    )
    const asks = fc.record({
      caller: anyCaller,
      input: fc.oneof(
        { weight: 3, arbitrary: fc.constant({}) as fc.Arbitrary<unknown> },
        { weight: 1, arbitrary: fc.tuple(fields, trap).map(([field, value]) => ({ [field]: value })) },
        { weight: 1, arbitrary: trap },
      ),
    })
    await tryAll(asks, async ({ caller, input }) => {
      const minted = await usher.ask('nats', caller, input)
      if (isRefusal(minted)) return false
      expectNatsInside(caller, minted)
      expect(usher.audited.last).not.toContain(keys.nats.token)
      return true
    })
  })

  it('from NATS, a user of his own: by token, and by JWT', async () => {
    const publicKey = publicNkeyOf(createSeed('user'), 'user')
    const asks = anyCaller.chain((caller) => {
      const near = subjectNear(tenantOf(caller), caller.subject ?? 'alice')
      const list = fc.oneof(
        { weight: 12, arbitrary: fc.array(near, { maxLength: 2 }) as fc.Arbitrary<unknown> },
        { weight: 1, arbitrary: trap },
        { weight: 1, arbitrary: trap.map((it) => [it]) },
      )
      const types = fc.constantFrom<unknown>(
        ['nats'],
        ['websocket'],
        ['nats', 'websocket'],
        ['mqtt'],
        ['leafnode', 'nats'],
        [],
        'nats',
      )
      return fc.record({
        caller: fc.constant(caller),
        mode: fc.constantFrom('callout', 'callout', 'jwt'),
        input: merged(
          maybe('publish', list, 30),
          maybe('subscribe', list, 30),
          maybe('account', fc.constantFrom<unknown>('APP', 'APP', 'OTHER', 'SYS', 'AUTH', '$SYS', '', null), 15),
          maybe('ttl', fc.constantFrom<unknown>(1, 60, '60', 600, 3600, 86_400, 0, 1.5, '1e3'), 15),
          maybe('connectionTypes', types, 10),
          maybe('shared', trap, 1),
        ),
      })
    })
    const judge = async ({ caller, input: { mode, ...input } }: { caller: Caller; input: Record<string, unknown> }) => {
      const name = mode as 'callout' | 'jwt'
      const minted = await usher.ask(name, caller, name === 'jwt' ? { ...input, publicKey } : input)
      if (isRefusal(minted)) {
        expect(reasons).toContain(minted.reason)
        return false
      }
      expectNatsUserInside(caller, input, minted, usher.policy)
      expect(usher.audited.last).not.toContain(minted.credential.token)
      return true
    }
    await tryAll(
      asks.map(({ caller, mode, input }) => ({ caller, input: { ...input, mode } as Record<string, unknown> })),
      judge,
    )
  })
})
