// Judges of tokens issued under policy-of-properties.ts. They decode by the vendors' own means, and none of them asks Usher.

import { expect } from 'vitest'
import type { Caller } from '../src/identity/caller.ts'
import { type AblyCredential, isTokenDetails } from '../src/providers/ably/credentials.ts'
import type { NatsCredential } from '../src/providers/nats/credential.ts'
import type { Minted } from '../src/providers/provider.ts'
import { type CapabilityObject, type Channel, macOf, operationsOn } from './oracles/ably.ts'
import { parseByVendor } from './oracles/agora.ts'
import { nowMs } from './policy/policy-under-test.ts'
import { ablyLife, agoraLife, mayHaveNats, mayUse } from './policy-of-properties.ts'
import { keys } from './usher-in-memory.ts'

const leftOf = ({ expiresAt }: Caller) =>
  expiresAt === undefined ? Number.POSITIVE_INFINITY : expiresAt - nowMs / 1000

/** The token is inside the caller's grants, and inside what he asked for. */
export function expectAgoraInside(
  caller: Caller,
  input: Readonly<Record<string, unknown>>,
  minted: Minted<string>,
): void {
  const token = parseByVendor(minted.credential)
  const [service] = token?.services ?? []
  if (token === undefined || service === undefined) throw new Error('the vendor does not read it')
  expect(token.services).toHaveLength(1)
  expect([token.appId, service.type, token.issuedAt]).toEqual([keys.agora.appId, 1, nowMs / 1000])
  expect(token.isSignedBy(keys.agora.certificate)).toBe(true)
  const [channel = '', user = ''] = service.texts
  const numbers = Object.keys(service.privileges).map(Number)
  const publishes = numbers.some((number) => number !== 1)
  // What the vendor reads as "all".
  expect(channel).toMatch(/^[^*]+$/)
  if (user === '' || user === '0' || user.includes('*')) expect([caller.kind, user]).toEqual(['anonymous', ''])
  const life = agoraLife(caller, channel, user, publishes)
  expect(token.expiresIn).toBeGreaterThan(0)
  expect(token.expiresIn).toBeLessThanOrEqual(Math.min(life, leftOf(caller)))
  expect(numbers.every((number) => [1, 2, 3, 4].includes(number))).toBe(true)
  for (const seconds of Object.values(service.privileges)) {
    expect(seconds).toBeGreaterThan(0)
    expect(seconds).toBeLessThanOrEqual(token.expiresIn)
  }
  // And no more than was asked, nor anything else.
  const { channelName, ChannelName, uid, account, role, expire } = input
  expect(channel).toBe(channelName ?? ChannelName)
  if (uid !== undefined) expect(user).toBe(uid === 0 ? '' : String(uid))
  if (account !== undefined) expect(user).toBe(account)
  if (role === 2) expect(publishes).toBe(false)
  if (expire !== undefined) expect(token.expiresIn).toBeLessThanOrEqual(Number(expire))
  expect(minted.expiresAt).toBe(token.issuedAt + token.expiresIn)
}

/** The TokenRequest is signed over its own fields, and allows nothing on any channel that the grants do not allow. */
export function expectAblyInside(caller: Caller, minted: Minted<AblyCredential>): void {
  const request = minted.credential
  if (isTokenDetails(request)) throw new Error('no grant gives mode token')
  expect(request.mac).toBe(macOf(request, keys.ably.secret))
  expect([request.keyName, request.timestamp]).toEqual([keys.ably.keyName, nowMs])
  expect(Object.values(request).join('')).not.toMatch(/[^ -~]/)
  expect(request.nonce.length).toBeGreaterThanOrEqual(16)
  expect(Number.isSafeInteger(request.ttl) && request.ttl > 0).toBe(true)
  expect(request.ttl).toBeLessThanOrEqual(Math.min(ablyLife(caller, request.clientId), leftOf(caller) * 1000))
  expect(request.clientId ?? 'none').toMatch(/^[^*]+$/)
  const capability = JSON.parse(request.capability) as CapabilityObject
  expect(Object.keys(capability).length).toBeGreaterThan(0)
  for (const [channel, operation, wider] of everythingIn(capability))
    if (!mayUse(caller, channel, operation, wider)) throw new Error(`${operation} on [${channel.type}]${channel.name}`)
}

export function expectNatsInside(caller: Caller, minted: Minted<NatsCredential>): void {
  expect(mayHaveNats(caller)).toBe(true)
  expect(leftOf(caller)).toBeGreaterThanOrEqual(30)
  expect(minted.credential.token).toBe(keys.nats.token)
}

const everyOperation = [
  'subscribe',
  'publish',
  'presence',
  'history',
  'stats',
  'push-admin',
  'channel-metadata',
  'privileged-headers',
]
const probes = ['r1', 'dm', 'log', 'c', 'umbrella', 'x y', '']

/** All that a capability permits on the channels that its wildcards may stand for, by both of Ably’s readings. */
function* everythingIn(capability: CapabilityObject): Generator<[Channel, operation: string, wider: boolean]> {
  for (const resource of Object.keys(capability)) {
    const name = resource.replace(/^\[[^\]]*\]/, '')
    const starred = name.split(':').some((part) => part === '*')
    const names = starred
      ? probes.flatMap((probe) => {
          const filled = name.replaceAll('*', probe)
          return [filled, `${filled}:deep`, `${filled}:dm:c`]
        })
      : [name]
    if (name.endsWith(':*')) names.push(name.slice(0, -2))
    for (const type of ['', 'meta', 'queue'] as const)
      for (const one of names)
        for (const reading of ['one or more', 'none, too'] as const) {
          const channel = { type, name: one }
          const operations = operationsOn(capability, channel, reading)
          for (const operation of operations.includes('*') ? everyOperation : operations)
            yield [channel, operation, reading === 'none, too']
        }
  }
}
