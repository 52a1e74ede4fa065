// Mints for Ably. It owns the API key: the SDK signs with it, and nothing of it leaves but macs.

import { randomUUID } from 'node:crypto'
import type { Rest } from 'ably'
import { isRefusal } from '../../errors.ts'
import type { Secret } from '../../secret.ts'
import type { Granted, Provider } from '../provider.ts'
import type { AblyAsk } from './ask.ts'
import { allows, covers, parseCapabilityText, parseResource, type Resource, toText } from './capability.ts'
import { type AblyCredential, isTokenDetails, type SignedTokenRequest, type TokenDetails } from './credentials.ts'
import { createExchange, type ExchangeOptions } from './exchange.ts'
import { type AblyOffer, type AblyRights, ablyEntitlement } from './rights.ts'

export interface AblyConfig {
  /** `appId.keyId:secret` */
  readonly apiKey: Secret
  /** REST base addresses, the first and its fallback. */
  readonly hosts: readonly string[]
}

export function openAbly(
  { apiKey, hosts }: AblyConfig,
  now: () => number,
  exchangeOptions: Omit<ExchangeOptions, 'hosts'> = { fetch },
): Provider<AblyAsk, AblyOffer, AblyRights, AblyCredential> & { warm(): Promise<void> } {
  const keyName = apiKey.reveal().split(':')[0] as string
  const exchange = createExchange({ hosts, ...exchangeOptions })
  // The SDK costs 200 ms and 17 MB to import: a service that has Ably switched off never pays.
  let client: Promise<Rest> | undefined
  const open = () => {
    client ??= import('ably').then(({ Rest }) => new Rest({ key: apiKey.reveal(), logLevel: 0 }))
    return client
  }

  const sign = async (rights: Granted<AblyRights>): Promise<SignedTokenRequest> => {
    const { auth } = await open()
    const { clientId, capability, ttlMs } = rights
    // Every field is ours and explicit: the SDK would sign an empty capability, a wildcard clientId, or a nonce of Math.random.
    const params = {
      ttl: ttlMs,
      capability,
      timestamp: now(),
      nonce: randomUUID(),
      ...(clientId === undefined ? {} : { clientId }),
    }
    return (await auth.createTokenRequest(params)) as SignedTokenRequest
  }

  return {
    entitlement: ablyEntitlement,
    warm: async () => {
      await open()
    },
    mint: async (rights) => {
      const credential = rights.mode === 'token' ? await exchange(() => sign(rights)) : await sign(rights)
      if (isRefusal(credential)) return credential
      return isTokenDetails(credential)
        ? { credential, expiresAt: Math.floor(credential.expires / 1000), identifies: credential.token }
        : {
            credential,
            expiresAt: Math.floor((credential.timestamp + credential.ttl) / 1000),
            identifies: credential.mac,
          }
    },
    findOverreach: ({ credential }, rights) => {
      if (credential.clientId !== rights.clientId) return 'the credential is for another clientId'
      if ((credential.keyName ?? keyName) !== keyName) return 'the credential is of another key'
      if (isTokenDetails(credential)) return overreachOfToken(credential, rights, now())
      if (credential.ttl !== rights.ttlMs) return 'the request lives longer'
      // Equal texts need no second reading.
      const isSame =
        credential.capability === rights.capability || canonical(credential.capability) === rights.capability
      // Two empty texts are the same too, and "all that the key can do" to Ably.
      return isSame && credential.capability.length > '{}'.length ? undefined : 'the request holds another capability'
    },
  }
}

/** How far Ably’s clock may be from ours: as far as it lets ours be from its own. */
const maxSkewMs = 120_000

function overreachOfToken(
  { capability, issued, expires }: TokenDetails,
  rights: AblyRights,
  nowMs: number,
): string | undefined {
  const isCurrent = expires > issued && Math.abs(issued - nowMs) <= maxSkewMs
  if (!isCurrent || expires - issued > rights.ttlMs) return 'the token lives longer, or at another time'
  const granted = parseCapabilityText(rights.capability)
  const given = parseCapabilityText(capability)
  if (typeof granted === 'string' || typeof given === 'string') return 'the capability does not decode'
  const own = [...granted].map(([name, operations]) => ({ resource: parseResource(name) as Resource, operations }))
  // Ably narrows to what its key has, so the token may hold less than the rights.
  for (const [name, operations] of given) {
    const resource = parseResource(name) as Resource
    const covering = own.filter((right) => covers(right.resource, resource))
    if (!operations.every((operation) => covering.some((right) => allows(right.operations, operation))))
      return 'the token holds a wider capability'
  }
  return undefined
}

/** The SDK orders channels like "9" and "10" by number; what they hold is the same. */
const canonical = (text: string): string | undefined => {
  const capability = parseCapabilityText(text)
  return typeof capability === 'string' ? undefined : toText(capability)
}
