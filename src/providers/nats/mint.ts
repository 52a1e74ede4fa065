// Hands out the shared NATS token. It owns that token.

import type { Secret } from '../../secret.ts'
import type { AskBase, Provider } from '../provider.ts'
import { type NatsRights, natsEntitlement } from './rights.ts'

export interface NatsConfig {
  readonly token: Secret
  /** Where clients connect: `nats://host:4222`, without credentials. */
  readonly urls: readonly string[]
  readonly wsUrls: readonly string[]
}

export interface NatsCredential {
  readonly token: string
  readonly urls: readonly string[]
  readonly wsUrls: readonly string[]
}

export function openNats({
  token,
  urls,
  wsUrls,
}: NatsConfig): Provider<AskBase, NatsRights, NatsRights, NatsCredential> {
  return {
    entitlement: natsEntitlement,
    // Without `identifies`: the fingerprint of a token that never changes would only help to guess it.
    mint: () => ({ credential: { token: token.reveal(), urls, wsUrls }, expiresAt: null }),
    findOverreach: ({ credential }, { shared }) =>
      shared && credential.token === token.reveal() ? undefined : 'the token is not the shared one',
  }
}
