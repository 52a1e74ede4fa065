// What the modes of NATS have in common. It owns the credential, and the provider that each mode opens.

import type { OpenProvider } from '../module.ts'
import type { NatsAsk, NatsMode } from './ask.ts'
import type { NatsOffer } from './grant.ts'
import type { Permissions } from './permissions.ts'
import type { NatsRights } from './rights.ts'

export interface NatsCredential {
  readonly mode: NatsMode
  /** For the client’s token option; in jwt mode the user JWT. */
  readonly token: string
  /** Absent for the token that all share. */
  readonly own?: OwnCredential
}

export interface OwnCredential {
  readonly tokenId: string
  readonly user: string
  readonly account: string
  /** Null where a role’s template says what he may, or he has none. */
  readonly inboxPrefix: string | null
  readonly permissions: Permissions | null
  /** A creds file, with a key made for it. */
  readonly creds?: string
}

export type NatsProvider = OpenProvider<NatsAsk, NatsOffer, NatsRights, NatsCredential>
