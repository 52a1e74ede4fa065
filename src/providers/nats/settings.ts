// The settings of NATS. It owns their names and rules, and which of them each NATS_MODE needs.

import type { ConfigFault, Setting, SettingFault, Settings } from '../../settings.ts'
import { toList } from '../../settings.ts'
import { isAccountName, natsModes } from './ask.ts'
import { type NkeyKind, seedFault } from './nkeys.ts'
import { signingKeysFault } from './signing-keys.ts'
import { natsTokenFault } from './static-token.ts'
import { tokenKeysFault } from './token.ts'

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

const seedsFault =
  (kind: NkeyKind, most: number) =>
  (text: string): SettingFault | undefined => {
    const seeds = toList(text)
    if (seeds.length === 0 || seeds.length > most)
      return { rule: `is not one seed${most > 1 ? `, or up to ${most} while rotating` : ''}`, mend: setupMend }
    return seeds.map((seed) => seedFault(seed, kind)).find((fault) => fault !== undefined)
  }
const setupMend = 'Make it with `usher nats setup`'

/** Where the issuer’s key could open the whole server, or read every token. */
const isPrivileged = (account: string): boolean => ['AUTH', 'SYS'].includes(account.toUpperCase())
const accountsFault = (text: string): SettingFault | undefined => {
  const accounts = toList(text)
  if (accounts.length === 0 || !accounts.every(isAccountName))
    return { rule: 'is not a list of account names', mend: 'Write APP, more after commas' }
  return accounts.some(isPrivileged)
    ? { rule: 'names an account of the server’s own', mend: 'Users belong into accounts of their own, such as APP' }
    : undefined
}

export const natsSettings: readonly Setting[] = [
  {
    name: 'NATS_MODE',
    about: 'static = hand out NATS_TOKEN; callout = tokens of a user’s own; jwt = user JWTs',
    example: 'callout',
    fallback: 'static',
    faultIn: (text) =>
      (natsModes as readonly string[]).includes(text)
        ? undefined
        : { rule: 'is not a mode', mend: `Write one of: ${natsModes.join(', ')}` },
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
  {
    name: 'NATS_TOKEN',
    secret: true,
    about: 'static: the clear token of nats-server, 10 to 72 characters; `usher nats passwd --generate` makes one',
    example: 'your-nats-token-here',
    faultIn: natsTokenFault,
  },
  {
    name: 'NATS_TOKEN_KEYS',
    secret: true,
    about: 'callout: what tokens are signed with; the same on every replica',
    example: 'k1:your-43-random-characters',
    faultIn: tokenKeysFault,
  },
  {
    name: 'NATS_ACCOUNTS',
    about: 'callout: accounts that users may be placed in',
    example: 'APP',
    fallback: 'APP',
    faultIn: accountsFault,
  },
  {
    name: 'NATS_CALLOUT_SEED',
    secret: true,
    about:
      'callout: Usher’s login in the AUTH account (SU…); a replica without it issues tokens, and answers no callout',
    example: 'SU-your-seed',
    faultIn: seedsFault('user', 1),
  },
  {
    name: 'NATS_ISSUER_SEEDS',
    secret: true,
    about: 'callout: seed of auth_callout.issuer (SA…); while rotating all that servers still name',
    example: 'SA-your-seed',
    faultIn: seedsFault('account', 4),
  },
  {
    name: 'NATS_XKEY_SEEDS',
    secret: true,
    about: 'callout: seed of auth_callout.xkey (SX…); while rotating all that servers still name',
    example: 'SX-your-seed',
    faultIn: seedsFault('curve', 4),
  },
  {
    name: 'NATS_SYSTEM_SEED',
    secret: true,
    about: 'callout: Usher’s login in the system account (SU…), by which it ends connections',
    example: 'SU-your-seed',
    faultIn: seedsFault('user', 1),
  },
  {
    name: 'NATS_SERVICE_URLS',
    about: 'callout: where Usher itself connects, if not at NATS_URLS',
    example: 'nats://nats:4222',
    faultIn: urlsFault(['nats:', 'tls:']),
  },
  {
    name: 'NATS_SOFT_EXPIRY_SECONDS',
    about:
      'callout: end connections so long before their token ends, so that clients with a token callback just renew; 0 = off',
    example: '5',
    fallback: '0',
    faultIn: (text) =>
      /^\d{1,3}$/.test(text) && Number(text) <= 300
        ? undefined
        : { rule: 'is not a whole number, 0 to 300', mend: 'Correct it' },
  },
  {
    name: 'NATS_SIGNING_KEYS',
    secret: true,
    about: 'jwt: NAME:A…:SA… of each account, with :role after a scoped key',
    example: 'APP:A-your-account:SA-your-seed',
    faultIn: signingKeysFault,
  },
]

/** A mode that is not the usual one was written by somebody, and then is meant. */
export function requiredOf(settings: Settings): readonly string[] {
  const mode = settings.text('NATS_MODE')
  // With a secret of another mode somebody has forgotten NATS_MODE, and does not want NATS off.
  const others = Object.values(ofMode)
    .flat()
    .filter((name) => name !== 'NATS_TOKEN')
  if (mode === 'static') return ['NATS_TOKEN', 'NATS_URLS', ...others.filter((name) => settings.has(name))]
  return ['NATS_MODE', mode === 'callout' ? 'NATS_TOKEN_KEYS' : 'NATS_SIGNING_KEYS', 'NATS_URLS']
}

const calloutSeeds = ['NATS_CALLOUT_SEED', 'NATS_ISSUER_SEEDS', 'NATS_XKEY_SEEDS']
const ofMode: Record<string, readonly string[]> = {
  static: ['NATS_TOKEN'],
  callout: ['NATS_TOKEN_KEYS', ...calloutSeeds, 'NATS_SYSTEM_SEED', 'NATS_SERVICE_URLS'],
  jwt: ['NATS_SIGNING_KEYS'],
}

export function faultsBetween(settings: Settings): readonly ConfigFault[] {
  const mode = settings.text('NATS_MODE')
  // A secret that nothing reads is one too many.
  const idle = Object.entries(ofMode)
    .filter(([other]) => other !== mode)
    .flatMap(([other, names]) => names.filter((name) => settings.has(name)).map((name) => [name, other] as const))
  const faults = idle.map(
    ([name, other]): ConfigFault => ({
      name,
      rule: `is for NATS_MODE=${other}, and NATS_MODE is ${mode}`,
      mend: 'Unset one of them',
    }),
  )
  if (
    settings.text('NATS_SOFT_EXPIRY_SECONDS') !== '0' &&
    settings.has('NATS_CALLOUT_SEED') &&
    !settings.has('NATS_SYSTEM_SEED')
  )
    faults.push({
      name: 'NATS_SOFT_EXPIRY_SECONDS',
      rule: 'is set, but connections can only be ended with NATS_SYSTEM_SEED',
      mend: 'Set NATS_SYSTEM_SEED, or unset this',
    })
  const set = calloutSeeds.filter((name) => settings.has(name))
  if (mode === 'callout' && set.length > 0)
    for (const name of calloutSeeds)
      if (!set.includes(name))
        faults.push({
          name,
          rule: `is missing, and ${set.join(' and ')} cannot answer a callout without it`,
          mend: 'Set all three; a replica without any of them issues tokens only',
        })
  return faults
}
