// A nats-server in callout mode, and the environment of the Usher that answers for it. It owns the keys of both.

import { randomBytes } from 'node:crypto'
import { createSeed, publicNkeyOf } from '../../src/providers/nats/nkeys.ts'
import { type NatsServer, startNatsServer } from './nats-server.ts'

export interface CalloutKeys {
  readonly issuer: string
  readonly xkey: string
  readonly login: string
  readonly system: string
  readonly tokenKeys: string
}

export const createKeys = (): CalloutKeys => ({
  issuer: createSeed('account'),
  xkey: createSeed('curve'),
  login: createSeed('user'),
  system: createSeed('user'),
  tokenKeys: `k1:${randomBytes(32).toString('base64url')}`,
})

/** The public key by which nats-server knows Usher. */
export const loginOf = ({ login }: CalloutKeys): string => publicNkeyOf(login, 'user')

export interface CalloutConfOptions {
  readonly timeout?: number
  /** Added at the top level. */
  readonly more?: string
  /** Text of the accounts, beside AUTH and SYS. */
  readonly accounts?: string
  /** In place of the xkey line. */
  readonly xkeyLine?: string
  /** In place of what Usher may do in the AUTH account. */
  readonly permissions?: string
  /** Users of the AUTH account beside Usher, as its configuration writes them, by their name or nkey. */
  readonly others?: Readonly<Record<string, string>>
}

const least = `
    publish: { allow: ["$SYS._INBOX.>", "$SYS.REQ.USER.INFO"] }
    subscribe: { allow: ["$SYS.REQ.USER.AUTH usher", "_INBOX_usher.>"] }`

/** As `usher nats setup` writes it, for tests that vary it. */
export function calloutConf(
  { issuer, xkey, login, system }: CalloutKeys,
  {
    timeout = 10,
    more = '',
    accounts = 'APP { }',
    xkeyLine,
    permissions = least,
    others = {},
  }: CalloutConfOptions = {},
): string {
  const [service, kicker] = [publicNkeyOf(login, 'user'), publicNkeyOf(system, 'user')]
  return `
server_name: ${`s${randomBytes(4).toString('hex')}`}
accounts {
  AUTH { users: [ { nkey: ${service}, permissions: { ${permissions} } } ${Object.values(others)
    .map((other) => `, ${other}`)
    .join('')} ] }
  ${accounts}
  SYS { users: [ { nkey: ${kicker}, permissions: {
    publish: { allow: ["$SYS.REQ.SERVER.*.KICK", "$SYS.REQ.SERVER.PING.CONNZ", "$SYS.REQ.USER.INFO"] },
    subscribe: { allow: ["_INBOX_usher.>"] } } } ] }
}
system_account: SYS
authorization {
  timeout: ${timeout}
  auth_callout {
    issuer: ${publicNkeyOf(issuer, 'account')}
    account: AUTH
    auth_users: [ ${[service, kicker, ...Object.keys(others)].join(', ')} ]
    ${xkeyLine ?? `xkey: ${publicNkeyOf(xkey, 'curve')}`}
  }
}
${more}
`
}

export const startCalloutServer = (keys: CalloutKeys, options?: CalloutConfOptions): Promise<NatsServer> =>
  startNatsServer({ config: calloutConf(keys, options) })

/** On top of the settings of test-app.ts; the token of static mode is unset. */
export const calloutEnv = (keys: CalloutKeys, url: string): Record<string, string> => ({
  NATS_MODE: 'callout',
  NATS_TOKEN: '',
  NATS_URLS: url,
  NATS_TOKEN_KEYS: keys.tokenKeys,
  NATS_CALLOUT_SEED: keys.login,
  NATS_ISSUER_SEEDS: keys.issuer,
  NATS_XKEY_SEEDS: keys.xkey,
  NATS_SYSTEM_SEED: keys.system,
})
