// NATS. This folder owns the credentials of a nats-server, in three modes: one shared token, tokens of a user's own that callout/
// answers for, and user JWTs. grant · ask · rights say who may what; mint-* make it; routes speak HTTP.

import { isRefusal } from '../../errors.ts'
import type { Settings } from '../../settings.ts'
import type { OpenProvider, ProviderModule } from '../module.ts'
import type { NatsAsk, NatsMode } from './ask.ts'
import { openCallout } from './callout/open.ts'
import type { NatsCredential } from './credential.ts'
import type { NatsOffer } from './grant.ts'
import { openUserJwts } from './mint-jwt.ts'
import { openStatic } from './mint-static.ts'
import { createNatsEntitlement, type NatsRights } from './rights.ts'
import { type AddressedCredential, natsRoutes } from './routes.ts'
import { faultsBetween, natsSettings, requiredOf } from './settings.ts'
import { openSigningKeys } from './signing-keys.ts'
import { generateToken } from './static-token.ts'

type Module = ProviderModule<NatsAsk, NatsOffer, NatsRights, AddressedCredential>
type Open<Credential> = OpenProvider<NatsAsk, NatsOffer, NatsRights, Credential>

const modes: Record<NatsMode, (...args: Parameters<Module['open']>) => Open<NatsCredential>> = {
  static: (settings) => openStatic(settings.secret('NATS_TOKEN')),
  callout: openCallout,
  jwt: (settings, { now }) => openUserJwts(openSigningKeys(settings.text('NATS_SIGNING_KEYS')), now),
}
const modeOf = (settings: Settings) => settings.text('NATS_MODE') as NatsMode

export const nats: Module = {
  entitlement: createNatsEntitlement(),
  entitlementIn: (settings) =>
    createNatsEntitlement({
      mode: modeOf(settings),
      accounts: settings.list('NATS_ACCOUNTS'),
      roles: settings.has('NATS_SIGNING_KEYS') ? [...openSigningKeys(settings.text('NATS_SIGNING_KEYS')).keys()] : [],
    }),
  settings: natsSettings,
  required: requiredOf,
  faultsIn: faultsBetween,
  sandboxSettings: () => ({
    NATS_TOKEN: generateToken(),
    NATS_URLS: 'nats://127.0.0.1:4222',
    NATS_WS_URLS: 'ws://127.0.0.1:4223',
  }),
  curl: (base) => `curl -s ${base}/nats/token`,
  open: (settings, deps) => withAddresses(modes[modeOf(settings)](settings, deps), settings),
  routes: natsRoutes,
}

/** Every answer tells where to connect. */
function withAddresses(provider: Open<NatsCredential>, settings: Settings): Open<AddressedCredential> {
  const addresses = { urls: settings.list('NATS_URLS'), wsUrls: settings.list('NATS_WS_URLS') }
  return {
    ...provider,
    mint: async (rights, grounds) => {
      const minted = await provider.mint(rights, grounds)
      return isRefusal(minted) ? minted : { ...minted, credential: { ...minted.credential, ...addresses } }
    },
  }
}
