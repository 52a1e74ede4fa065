// The registry: the only file that names all providers. A new provider is one folder and one line here.

import type { AnyEntitlement } from '../policy/compile.ts'
import { adminEntitlement } from '../revocations/admin.ts'
import { ably } from './ably/index.ts'
import { agora } from './agora/index.ts'
import type { OpenProvider, ProviderModule } from './module.ts'
import { nats } from './nats/index.ts'

// Heterogeneous by nature: what is between a module's parts is checked in its own folder, where the types are whole.
// biome-ignore lint/suspicious/noExplicitAny: see above
export type AnyProviderModule = ProviderModule<any, any, any, any>
// biome-ignore lint/suspicious/noExplicitAny: see above
export type AnyProvider = OpenProvider<any, any, any, any>

export const registry: readonly AnyProviderModule[] = [agora, ably, nats]
/** All that a grant can give. */
export const entitlements: readonly AnyEntitlement[] = [
  ...registry.map(({ entitlement }) => entitlement),
  adminEntitlement,
]
