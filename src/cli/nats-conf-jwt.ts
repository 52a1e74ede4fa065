// nats-server in operator mode. It owns its configuration, and the JWTs of operator and accounts (facts/nats.md 6; nats-io/jwt,
// v2/account_claims.go). Usher gets signing keys, which make users and nothing else; the identity keys stay with the operator.

import { toCredsFile } from '../providers/nats/creds.ts'
import { encodeNatsJwt } from '../providers/nats/jwt.ts'
import { createSeed, openSigner, type Signer } from '../providers/nats/nkeys.ts'
import { type NatsSetup, type NatsSetupOptions, serverPart, systemPermissions } from './nats-server-conf.ts'
import { openFile, secretFile } from './write-files.ts'

interface Account {
  readonly name: string
  readonly seed: string
  readonly identity: Signer
  readonly jwt: string
}

/** Its user JWTs hold a name and tags; what they allow, the account says. */
const role = 'member'
/**
 * Usher puts letters, digits, - and _ into a name, and nothing else: a "*" in it would open the template. nats-server 2.10 fills
 * whole tokens only.
 */
const roleTemplate = {
  pub: { allow: ['user.{{name()}}.out.>'] },
  sub: { allow: ['user.{{name()}}.>', '_INBOX.{{name()}}.>'] },
  subs: -1,
  data: -1,
  payload: -1,
}

export function jwtSetup(options: NatsSetupOptions): NatsSetup {
  const iat = Math.floor(options.nowMs / 1000)
  const operatorSeed = createSeed('operator')
  const operator = openSigner(operatorSeed, 'operator')
  const openAccount = (name: string, more: object): Account => {
    const seed = createSeed('account')
    const identity = openSigner(seed, 'account')
    return { name, seed, identity, jwt: encodeNatsJwt({ ...toAccountClaims(name, identity, more), iat }, operator) }
  }

  const system = openAccount('SYS', { limits })
  const users = options.accounts.map((name) => {
    const [plain, scoped] = [createSeed('account'), createSeed('account')]
    const signing_keys = [
      openSigner(plain, 'account').publicKey,
      { kind: 'user_scope', key: openSigner(scoped, 'account').publicKey, role, template: roleTemplate },
    ]
    const account = openAccount(name, { limits: { ...limits, ...jetStreamLimits }, signing_keys })
    const id = `${name}:${account.identity.publicKey}`
    return { account, keys: [`${id}:${plain}`, `${id}:${scoped}:${role}`] }
  })
  const operatorJwt = encodeNatsJwt(
    {
      sub: operator.publicKey,
      name: 'usher',
      iat,
      nats: { system_account: system.identity.publicKey, type: 'operator', version: 2 },
    },
    operator,
  )
  const accounts = [system, ...users.map(({ account }) => account)]
  return {
    files: [
      openFile('nats.conf', toConf(options, operatorJwt, accounts)),
      secretFile('nats-operator.keys', toKeys(operator.publicKey, operatorSeed, accounts)),
      secretFile('nats-system.creds', toSystemCreds(system.identity, iat)),
    ],
    settings: { NATS_SIGNING_KEYS: users.flatMap(({ keys }) => keys).join(',') },
  }
}

/** Left out they would be 0: nothing works. */
const limits = { subs: -1, data: -1, payload: -1, imports: -1, exports: -1, wildcards: true, conn: -1, leaf: -1 }
/** In operator mode an account has JetStream by these; -1 = as much as the server has. */
const jetStreamLimits = { mem_storage: -1, disk_storage: -1, streams: -1, consumer: -1 }

const toAccountClaims = (name: string, { publicKey }: Signer, more: object) => ({
  sub: publicKey,
  name,
  nats: { ...more, default_permissions: { pub: {}, sub: {} }, authorization: {}, type: 'account', version: 2 },
})

/** A login that finds connections and ends them. */
function toSystemCreds(account: Signer, iat: number): string {
  const seed = createSeed('user')
  const claims = {
    sub: openSigner(seed, 'user').publicKey,
    name: 'kicker',
    iat,
    nats: {
      ...systemPermissions,
      subs: -1,
      data: -1,
      payload: -1,
      type: 'user',
      version: 2,
    },
  }
  return toCredsFile(encodeNatsJwt(claims, account), seed)
}

const toKeys = (operator: string, seed: string, accounts: readonly Account[]): string => `\
# The identity keys of the operator and the accounts: whoever has them owns the server. Neither Usher nor nats-server needs them.
# Keep this file offline: it takes them to add an account, to change one, or to revoke a user JWT.
operator usher
  ${operator}
  ${seed}
${accounts.map(({ name, identity, seed }) => `account ${name}\n  ${identity.publicKey}\n  ${seed}\n`).join('')}`

const toConf = (options: NatsSetupOptions, operator: string, accounts: readonly Account[]): string => `\
# nats-server in operator mode, written by usher: a user shows a JWT that an account's key has signed, and that he has its nkey.
# It holds no secret.
${serverPart(options)}
# Who vouches for the accounts.
operator: ${operator}
system_account: ${accounts[0]?.identity.publicKey}

# The accounts, as the operator has signed them. A change is a new JWT here and a reload (nats-server --signal reload).
# SYS is for operators: nats-system.creds can find and end connections. Each of the others has two keys that sign users, which
# Usher has (NATS_SIGNING_KEYS): one for whatever policy says, and a scoped one, role ${role}, for a template in the account.
resolver: MEMORY
resolver_preload: {
${accounts.map(({ name, identity, jwt }) => `  # ${name}\n  ${identity.publicKey}: ${jwt}\n`).join('')}}
`
