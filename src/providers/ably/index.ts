// Ably. This folder owns capabilities and the credentials that hold them: ask · capability · rights · mint · exchange · routes.

import { randomBytes } from 'node:crypto'
import { type Setting, type SettingFault, toList } from '../../settings.ts'
import type { ProviderModule } from '../module.ts'
import type { AblyAsk } from './ask.ts'
import type { AblyCredential } from './credentials.ts'
import { openAbly } from './mint.ts'
import { type AblyOffer, type AblyRights, ablyEntitlement } from './rights.ts'
import { ablyRoutes } from './routes.ts'

function keyFault(text: string): SettingFault | undefined {
  const mend = 'Copy the key from the Ably dashboard'
  const [, appId, keyId, secret] = /^([\w-]+)\.([\w-]+):([\x21-\x7e]+)$/.exec(text) ?? []
  if (appId === undefined || keyId === undefined || secret === undefined)
    return { rule: 'is not appId.keyId:secret', mend }
  const isWeak = secret.length < 16 || new Set(secret).size < 6 || /secret|example|changeme|your/i.test(text)
  return isWeak ? { rule: 'is an example or too weak', mend } : undefined
}

/** Plain http would show the exchanged tokens to the network. */
function hostsFault(text: string): SettingFault | undefined {
  const isHost = (url: string) =>
    URL.canParse(url) &&
    new URL(url).origin === url &&
    (url.startsWith('https://') || /^http:\/\/(127\.0\.0\.1|localhost|\[::1\])(:|$)/.test(url))
  const hosts = toList(text)
  return hosts.length > 0 && hosts.length <= 2 && hosts.every(isHost)
    ? undefined
    : {
        rule: 'is not one or two https origins',
        mend: 'Write https://host, and the fallback after a comma; http is for loopback only',
      }
}

const settings: readonly Setting[] = [
  {
    name: 'ABLY_API_KEY',
    secret: true,
    about: 'Ably API key, appId.keyId:secret',
    example: 'appId.keyId:your-secret-here',
    faultIn: keyFault,
  },
  {
    name: 'ABLY_HOSTS',
    about: "Ably's REST origin and its fallback, for mode=token",
    example: 'https://main.realtime.ably.net,https://main.a.fallback.ably-realtime.com',
    fallback: 'https://main.realtime.ably.net,https://main.a.fallback.ably-realtime.com',
    faultIn: hostsFault,
  },
]

const random = (bytes: number) => randomBytes(bytes).toString('hex')

export const ably: ProviderModule<AblyAsk, AblyOffer, AblyRights, AblyCredential> = {
  entitlement: ablyEntitlement,
  settings,
  required: () => ['ABLY_API_KEY'],
  sandboxSettings: () => ({ ABLY_API_KEY: `sandbox.${random(3)}:${random(22)}` }),
  curl: (base) => `curl -s '${base}/api/ably-token?clientId=me'`,
  open: (settings, { now, fetch }) =>
    openAbly({ apiKey: settings.secret('ABLY_API_KEY'), hosts: settings.list('ABLY_HOSTS') }, now, { fetch }),
  routes: ablyRoutes,
}
