// NATS. This folder owns the tokens of a nats-server: rights · mint · routes, and what a shared token may be (static-token).

import { type Setting, type SettingFault, toList } from '../../settings.ts'
import type { ProviderModule } from '../module.ts'
import type { AskBase } from '../provider.ts'
import { type NatsCredential, openNats } from './mint.ts'
import { type NatsRights, natsEntitlement } from './rights.ts'
import { natsRoutes } from './routes.ts'
import { generateToken, natsTokenFault } from './static-token.ts'

/** Addresses are handed to every caller: no token may stand in them. */
const urlsFault =
  (schemes: readonly string[]) =>
  (text: string): SettingFault | undefined => {
    const isAddress = (url: string) => {
      if (!URL.canParse(url)) return false
      const { protocol, hostname, username, password, pathname, search, hash } = new URL(url)
      const more = `${username}${password}${pathname.replace(/^\/$/, '')}${search}${hash}`
      return schemes.includes(protocol) && hostname !== '' && more === ''
    }
    return toList(text).every(isAddress)
      ? undefined
      : {
          rule: `is not a list of addresses with ${schemes.join(' or ')}, without credentials, path or query`,
          mend: `Write ${schemes[0]}//host:4222, more after commas`,
        }
  }

const settings: readonly Setting[] = [
  {
    name: 'NATS_MODE',
    about: 'static = hand out NATS_TOKEN',
    example: 'static',
    fallback: 'static',
    faultIn: (text) =>
      text === 'static' ? undefined : { rule: 'is not a mode of this version', mend: 'Write static' },
  },
  {
    name: 'NATS_TOKEN',
    secret: true,
    about: 'the clear token of nats-server, 10 to 72 characters; `usher nats passwd --generate` makes one',
    example: 'your-nats-token-here',
    faultIn: natsTokenFault,
  },
  {
    name: 'NATS_URLS',
    about: 'where clients connect, comma-separated',
    example: 'nats://127.0.0.1:4222',
    faultIn: urlsFault(['nats:', 'tls:']),
  },
  {
    name: 'NATS_WS_URLS',
    about: 'where browsers connect, comma-separated',
    example: 'ws://127.0.0.1:4223',
    faultIn: urlsFault(['wss:', 'ws:']),
  },
]

export const nats: ProviderModule<AskBase, NatsRights, NatsRights, NatsCredential> = {
  entitlement: natsEntitlement,
  settings,
  required: ['NATS_TOKEN', 'NATS_URLS'],
  sandboxSettings: () => ({
    NATS_TOKEN: generateToken(),
    NATS_URLS: 'nats://127.0.0.1:4222',
    NATS_WS_URLS: 'ws://127.0.0.1:4223',
  }),
  curl: (base) => `curl -s ${base}/nats/token`,
  open: (settings) =>
    openNats({
      token: settings.secret('NATS_TOKEN'),
      urls: settings.list('NATS_URLS'),
      wsUrls: settings.list('NATS_WS_URLS'),
    }),
  routes: natsRoutes,
}
