// Values that somebody reads as something else, in every place of an ask, a caller and a policy: no token is wider for it.

import { describe, expect, it } from 'vitest'
import { isRefusal, reasons } from '../src/errors.ts'
import type { Caller } from '../src/identity/caller.ts'
import { createSeed, publicNkeyOf } from '../src/providers/nats/nkeys.ts'
import { expectAblyInside, expectAgoraInside, expectNatsInside } from './inside-grants.ts'
import { expectNatsUserInside } from './inside-nats.ts'
import { anonymousCaller, jwtCaller, load, oneIssuer } from './policy/policy-under-test.ts'
import { policyText } from './policy-of-properties.ts'
import { nameOfTrap, trapTexts, trapValues } from './trap-values.ts'
import { openUsher, type ProviderName } from './usher-in-memory.ts'

const usher = openUsher(policyText)
const good = { tenant: 'acme', uid: 7, roles: ['host'] }
const host = jwtCaller('alice', good)
const gateway = jwtCaller('alice', {}, { kind: 'gateway', source: 'gateway' })
const callers: readonly Caller[] = [host, jwtCaller('alice', { ...good, roles: [] }), gateway, anonymousCaller]

/** Issues and judges: a token that is wider than the grants fails here, and so does anything that is thrown. */
async function isIssued(name: ProviderName, caller: Caller, input: unknown): Promise<boolean> {
  const minted = await usher.ask(name, caller, input)
  if (isRefusal(minted)) {
    expect(reasons).toContain(minted.reason)
    // A message goes into headers and logs.
    expect(minted.message).toMatch(/^[\x20-\x7e’…]{1,400}$/)
    return false
  }
  if (name === 'agora') expectAgoraInside(caller, input as Record<string, unknown>, minted as never)
  else if (name === 'ably') expectAblyInside(caller, minted as never)
  else if (name === 'callout' || name === 'jwt')
    expectNatsUserInside(caller, input as Record<string, unknown>, minted as never, usher.policy)
  else expectNatsInside(caller, minted as never)
  return true
}

const publicKey = publicNkeyOf(createSeed('user'), 'user')
const natsAsksWith = (trap: unknown, key: string): readonly unknown[] => [
  trap,
  ...['ttl', 'account', 'publish', 'subscribe', 'connectionTypes', 'publicKey', 'creds', 'shared', key].flatMap(
    (field) => [{ [field]: trap }, { [field]: [trap] }, { publish: [], [field]: trap }],
  ),
  ...[
    key,
    `${key}.log`,
    `acme.room.${key}`,
    `acme.room.${key}.x`,
    `acme.u.alice.${key}`,
    `all.${key}.in`,
    `all.${key}.out`,
    `lobby.${key}`,
    `acme.${key}`,
    `jobs.acme.${key} workers`,
    `jobs.acme.x ${key}`,
  ].flatMap((subject) => [{ publish: [subject] }, { subscribe: [subject] }, { publish: ['acme.cmd.alice', subject] }]),
]
const agora = { channelName: 'acme:r1', role: 1 }
/** Everything that an ask can hold, with the trap in one place. */
const asksWith = (trap: unknown): readonly [ProviderName, unknown][] => {
  const key = typeof trap === 'string' ? trap : 'a'
  const inName = [
    `acme:${key}`,
    `${key}:r1`,
    `${key}`,
    `acme:${key}:log`,
    `acme:r1${key}`,
    `news:${key}`,
    `[${key}]acme:r1`,
  ]
  return [
    ...[trap, { ...agora, [key]: 1 }].map((input): [ProviderName, unknown] => ['agora', input]),
    ...['channelName', 'ChannelName', 'uid', 'account', 'role', 'expire', 'privileges'].flatMap(
      (field): [ProviderName, unknown][] => [
        ['agora', { ...agora, [field]: trap }],
        ['agora', { ChannelName: 'lobby', role: 2, [field]: trap }],
      ],
    ),
    ['agora', { ...agora, privileges: { publishAudio: trap } }],
    ['agora', { ...agora, privileges: { [key]: 60 } }],
    ...inName.map((channelName): [ProviderName, unknown] => ['agora', { ...agora, channelName }]),
    ['ably', trap],
    ...['clientId', 'client_id', 'capability', 'ttl', 'mode', 'timestamp', 'nonce', 'mac', 'keyName'].map(
      (field): [ProviderName, unknown] => ['ably', { [field]: trap }],
    ),
    ...inName.flatMap((resource): [ProviderName, unknown][] => [
      ['ably', { capability: Object.fromEntries([[resource, ['subscribe']]]) }],
      ['ably', { capability: JSON.stringify(Object.fromEntries([[resource, ['*']]])) }],
      ['ably', { clientId: resource }],
    ]),
    ['ably', { capability: { 'acme:r1': trap } }],
    ['ably', { capability: { 'acme:r1': [trap] } }],
    ['ably', { clientId: `acme.${key}` }],
    ['ably', { clientId: `kiosk-${key}` }],
    ['nats', trap],
    ...['ttl', 'publish', 'subscribe', 'account', 'publicKey', 'shared', key].map((field): [ProviderName, unknown] => [
      'nats',
      { [field]: trap },
    ]),
    ...natsAsksWith(trap, key).flatMap((input): [ProviderName, unknown][] => [
      ['callout', input],
      ['jwt', typeof input === 'object' && input !== null ? { publicKey, ...input } : input],
    ]),
  ]
}

const traps = trapValues.map((trap) => [nameOfTrap(trap), trap] as const)

describe('no trap in an ask gets more than the grants', () => {
  it.each(traps)('%s', async (_name, trap) => {
    for (const caller of callers) for (const [name, input] of asksWith(trap)) await isIssued(name, caller, input)
  })
})

describe('no trap in a caller gets more than the grants', () => {
  const own = (text: string, subject = text): readonly [ProviderName, unknown][] => [
    ['agora', { channelName: `${text}:r1`, role: 1 }],
    ['agora', { channelName: text, role: 2 }],
    ['agora', { channelName: `me.${subject}`, role: 1 }],
    ['agora', { channelName: 'acme:r1', role: 1, uid: 0 }],
    ['agora', { channelName: 'acme:r1', role: 1 }],
    ['agora', { channelName: 'lobby', role: 2 }],
    ['ably', {}],
    ['ably', { clientId: `${text}.alice` }],
    ['ably', { clientId: `acme.${subject}` }],
    ['ably', { capability: Object.fromEntries([[`${text}:r1`, ['subscribe']]]) }],
    ['ably', { capability: Object.fromEntries([[`acme:dm:${subject}`, ['publish']]]) }],
    ['nats', {}],
    ['callout', {}],
    ['callout', { publish: [`${text}.cmd.${subject}`], subscribe: [`${text}.u.${subject}.>`] }],
    ['callout', { publish: [`${text}.room.r1`, 'r1.log'] }],
    ['jwt', { publicKey }],
  ]

  it.each(traps)('%s', async (_name, trap) => {
    const text = typeof trap === 'string' ? trap : String(nameOfTrap(trap))
    const withTrap: Caller[] = [
      jwtCaller('alice', { ...good, tenant: trap }),
      jwtCaller('alice', { ...good, uid: trap }),
      jwtCaller('alice', { ...good, roles: trap }),
      jwtCaller('alice', { ...good, roles: [trap] }),
      jwtCaller('alice', { tenant: { acme: trap }, uid: [trap] }),
      jwtCaller(trap as string, good),
      jwtCaller(trap as string, {}, { kind: 'gateway', source: 'gateway' }),
      jwtCaller('alice', good, { source: trap as string }),
      jwtCaller('alice', good, { kind: trap as never }),
    ]
    for (const caller of withTrap) for (const [name, input] of own(text)) await isIssued(name, caller, input)
    // A role that is no list, or a uid that is no number, is no role and no uid.
    const [, noUid, noRoles] = withTrap as [Caller, Caller, Caller]
    const isUid = typeof trap === 'number' && Number.isInteger(trap) && trap >= 1 && trap < 2 ** 32
    expect(await isIssued('agora', noUid, agora)).toBe(isUid)
    expect(await isIssued('agora', noRoles, agora)).toBe(false)
    expect(await isIssued('nats', noRoles, {})).toBe(false)
  })
})

describe('the asks that traps are measured against', () => {
  it('are issued without a trap in them', async () => {
    expect(await isIssued('agora', host, agora)).toBe(true)
    expect(await isIssued('agora', gateway, { channelName: 'lobby', role: 2, uid: 7 })).toBe(true)
    expect(await isIssued('agora', anonymousCaller, { channelName: 'lobby', role: 2 })).toBe(true)
    for (const caller of [host, anonymousCaller]) expect(await isIssued('ably', caller, {})).toBe(true)
    for (const caller of callers) {
      expect(await isIssued('callout', caller, {})).toBe(true)
      expect(await isIssued('jwt', caller, { publicKey })).toBe(true)
    }
    expect(
      await isIssued('callout', host, { publish: ['acme.room.r1', 'r1.log'], subscribe: ['acme.u.alice.x'] }),
    ).toBe(true)
    expect(await isIssued('callout', anonymousCaller, { publish: ['lobby.7'], subscribe: ['lobby.>'] })).toBe(true)
    expect(await isIssued('ably', gateway, { clientId: 'kiosk-1' })).toBe(true)
    expect(await isIssued('nats', host, {})).toBe(true)
  })
})

describe('a trap in a policy', () => {
  it.each(trapTexts.map((text) => [nameOfTrap(text), text]))(
    '%s is a fault, or means exactly itself',
    async (_name, text) => {
      const quoted = JSON.stringify(text)
      const places: [ProviderName, string, object][] = [
        ['agora', `{ channel: ${quoted}, uid: 7, role: publisher }`, { channelName: text, role: 1 }],
        ['agora', `{ channel: c, account: ${quoted}, role: publisher }`, { channelName: 'c', role: 1 }],
        ['agora', `{ channel: c, uid: ${quoted}, role: publisher }`, { channelName: 'c', role: 1 }],
        ['ably', `{ clientId: ${quoted}, capability: { c: [subscribe] } }`, {}],
        ['ably', `{ capability: { ${quoted}: [subscribe] } }`, {}],
      ]
      for (const [name, grant, input] of places) {
        const file = `${oneIssuer}grants:\n  - { id: a, ${name}: ${grant} }\n`
        const { loaded } = load(file)
        if (loaded === undefined) continue
        const minted = await openUsher(file).ask(name, host, input)
        if (isRefusal(minted)) continue
        expect(text).toMatch(/^[\x20-\x7e]{1,255}$/)
        // The text "*" is everything to Agora, and everybody in a clientId; in a resource it is so at the start.
        expect(text).not.toMatch(grant.includes('capability: { "') ? /^\*|^:|^\[\*/ : /\*/)
        const { credential } = minted as { credential: string | { capability: string; clientId?: string } }
        if (typeof credential === 'string') continue
        if (grant.includes('clientId')) expect(credential.clientId).toBe(text)
        else expect(JSON.parse(credential.capability)).toEqual(Object.fromEntries([[text, ['subscribe']]]))
      }
    },
  )

  it.each(trapTexts.map((text) => [nameOfTrap(text), text]))(
    '%s is a fault of a NATS grant, or means exactly itself',
    async (_name, text) => {
      const quoted = JSON.stringify(text)
      const ownOf = async (grant: string) => {
        const file = `${oneIssuer}grants:\n  - { id: a, nats: ${grant} }\n`
        const minted = load(file).loaded && (await openUsher(file).ask('callout', host, {}))
        return minted === undefined || isRefusal(minted) ? undefined : minted.credential.own
      }
      const server = /^[*>]/.test(text) ? ['$SYS.>'] : []
      const nothing = { allow: [], deny: ['>'] }
      const isSubject = (subject: string) => /^(?!\.)(?!.*\.\.)(?!.*(^|\.)>\.)[!-~]{1,255}(?<!\.)$/.test(subject)

      const publishing = await ownOf(`{ account: APP, publish: [${quoted}], inbox: false }`)
      if (publishing !== undefined) expect(text).toSatisfy(isSubject)
      if (publishing !== undefined)
        expect(publishing.permissions).toEqual({ publish: { allow: [text], deny: server }, subscribe: nothing })

      const subscribing = await ownOf(`{ account: APP, subscribe: [${quoted}], inbox: false }`)
      if (subscribing !== undefined) for (const part of text.split(' ')) expect(part).toSatisfy(isSubject)
      if (subscribing !== undefined) expect(text.split(' ')[0]).not.toMatch(/(^|\.)\*$|^\$SYS|^_INBOX/)
      if (subscribing !== undefined)
        expect(subscribing.permissions).toEqual({ publish: nothing, subscribe: { allow: [text], deny: server } })

      const denied = await ownOf(`{ account: APP, publish: [x], deny: [${quoted}], inbox: false }`)
      if (denied !== undefined) expect(denied.permissions?.publish).toEqual({ allow: ['x'], deny: [text] })

      const placed = await ownOf(`{ account: ${quoted}, publish: [x] }`)
      if (placed !== undefined) expect([placed.account, /^[A-Za-z0-9_-]{1,64}$/.test(text)]).toEqual([text, true])

      // What every one of these grants is without a trap.
      expect(await ownOf('{ account: APP, publish: [x], subscribe: ["y q"], deny: [x.z] }')).toMatchObject({
        account: 'APP',
      })
    },
  )
})
