// A nats-server of an operator, for jwt mode. It owns the keys of the operator, the accounts SYS, APP and OTHER, and the scoped
// key of APP, whose template says what a member may.

import { encodeNatsJwt } from '../../src/providers/nats/jwt.ts'
import { createSeed, openSigner, publicNkeyOf } from '../../src/providers/nats/nkeys.ts'
import { type NatsServer, startNatsServer } from './nats-server.ts'

const none = -1
const limits = {
  subs: none,
  data: none,
  payload: none,
  imports: none,
  exports: none,
  conn: none,
  leaf: none,
  wildcards: true,
}

export interface JwtServer {
  readonly server: NatsServer
  /** Of APP: a signing key, and a scoped one for the role `member`. Of OTHER: the account's own. Of GONE: a key of nobody. */
  readonly signingKeys: string
}

export async function startJwtServer({ more = '' } = {}): Promise<JwtServer> {
  const operator = openSigner(createSeed('operator'), 'operator')
  const account = () => {
    const seed = createSeed('account')
    return { seed, key: publicNkeyOf(seed, 'account') }
  }
  const [system, app, other, plain, member, stranger] = [1, 2, 3, 4, 5, 6].map(account) as [Account, ...Account[]] as [
    Account,
    Account,
    Account,
    Account,
    Account,
    Account,
  ]
  const toAccountJwt = (name: string, { key }: Account, signingKeys: readonly unknown[] = []) =>
    encodeNatsJwt(
      { sub: key, name, nats: { limits, signing_keys: signingKeys, type: 'account', version: 2 } },
      operator,
    )
  const scoped = {
    kind: 'user_scope',
    key: member.key,
    role: 'member',
    template: {
      // Whole tokens: 2.10 fills in nothing else.
      pub: { allow: ['m.{{name()}}.>', 't.{{tag(team)}}.say'] },
      sub: { allow: ['m.{{name()}}.>', 't.{{tag(team)}}.>', '_INBOX.{{name()}}.>'] },
      subs: none,
      data: none,
      payload: none,
    },
  }
  const operatorJwt = encodeNatsJwt(
    { sub: operator.publicKey, name: 'LAB', nats: { system_account: system.key, type: 'operator', version: 2 } },
    operator,
  )
  const server = await startNatsServer({
    config: `
operator: ${operatorJwt}
system_account: ${system.key}
resolver: MEMORY
resolver_preload: {
  ${system.key}: ${toAccountJwt('SYS', system)}
  ${app.key}: ${toAccountJwt('APP', app, [plain.key, scoped])}
  ${other.key}: ${toAccountJwt('OTHER', other)}
}
${more}`,
  })
  const signingKeys = [
    `APP:${app.key}:${plain.seed}`,
    `APP:${app.key}:${member.seed}:member`,
    `OTHER:${other.key}:${other.seed}`,
    `GONE:${app.key}:${stranger.seed}`,
  ].join()
  return { server, signingKeys }
}

interface Account {
  readonly seed: string
  readonly key: string
}

/** On top of the settings of test-app.ts; the token of static mode is unset. */
export const jwtEnv = ({ server, signingKeys }: JwtServer): Record<string, string> => ({
  NATS_MODE: 'jwt',
  NATS_TOKEN: '',
  NATS_URLS: server.url,
  NATS_WS_URLS: server.wsUrl ?? '',
  NATS_SIGNING_KEYS: signingKeys,
})
