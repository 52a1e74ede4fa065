// Hands out the shared NATS token. It owns that token.

import { refusal } from '../../errors.ts'
import type { Secret } from '../../secret.ts'
import type { NatsProvider } from './credential.ts'
import { createNatsEntitlement } from './rights.ts'

export function openStatic(token: Secret): NatsProvider {
  return {
    entitlement: createNatsEntitlement({ mode: 'static', accounts: [], roles: [] }),
    // Without `identifies`: the fingerprint of a token that never changes would only help to guess it.
    mint: ({ shared }) =>
      shared ? { credential: { mode: 'static', token: token.reveal() }, expiresAt: null } : refusal('no_grant'),
    findOverreach: ({ credential }, { shared }) =>
      shared && credential.token === token.reveal() ? undefined : 'the token is not the shared one',
    cutOff: async () => ({
      done: false,
      detail: 'The shared token cannot be taken from one of its holders: change it in nats-server and in NATS_TOKEN',
    }),
  }
}
