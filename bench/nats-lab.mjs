// A nats-server in callout mode, its twin with a password, and the environment of the Usher that answers. It owns their keys, which
// are the bench’s alone.
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { createApiKey } from '../dist/identity/api-key.js'
import { createSeed, publicNkeyOf } from '../dist/providers/nats/nkeys.js'
import { root, start, write } from './machine.mjs'

const binary = [process.env.NATS_SERVER_BIN, 'nats-server', `${root}node_modules/.cache/usher/bin/nats-server`].find(
  (path) => path && spawnSync(path, ['--version']).status === 0,
)
if (binary === undefined) throw new Error('nats-server is missing: set NATS_SERVER_BIN, or install it')
export const natsVersion = spawnSync(binary, ['--version'], { encoding: 'utf8' }).stdout.trim()

const keys = {
  issuer: createSeed('account'),
  xkey: createSeed('curve'),
  login: createSeed('user'),
  system: createSeed('user'),
  tokens: `k1:${randomBytes(32).toString('base64url')}`,
}
const [login, system] = [publicNkeyOf(keys.login, 'user'), publicNkeyOf(keys.system, 'user')]

export const calloutConf = `
server_name: callout
accounts {
  AUTH { users: [ { nkey: ${login}, permissions: {
    publish: { allow: ["$SYS._INBOX.>", "$SYS.REQ.USER.INFO"] }, subscribe: { allow: ["$SYS.REQ.USER.AUTH usher", "_INBOX_usher.>"] } } } ] }
  APP { }
  SYS { users: [ { nkey: ${system}, permissions: {
    publish: { allow: ["$SYS.REQ.SERVER.*.KICK", "$SYS.REQ.SERVER.PING.CONNZ", "$SYS.REQ.USER.INFO"] }
    subscribe: { allow: ["_INBOX_usher.>"] } } } ] }
}
system_account: SYS
authorization {
  timeout: 10
  auth_callout {
    issuer: ${publicNkeyOf(keys.issuer, 'account')}
    account: AUTH
    auth_users: [ ${login}, ${system} ]
    xkey: ${publicNkeyOf(keys.xkey, 'curve')}
  }
}
`
/** The same permissions, for one user that the configuration knows. */
export const passwordConf = `
server_name: password
accounts { APP { users: [ { user: alice, password: "not-bcrypt", permissions: {
  publish: { allow: ["u.alice.>"], deny: ["u.*.secret"] }
  subscribe: { allow: ["u.alice.>", "_INBOX_0123456789.>"], deny: ["u.*.secret"] } } } ] } }
`
export const password = { user: 'alice', pass: 'not-bcrypt' }

const apiKey = createApiKey('bench')
const policy = `
callers:
  apiKeys: [{ id: ${apiKey.id}, name: bench, sha256: ${apiKey.sha256}, onBehalfOf: "[a-z][a-z0-9]{0,31}" }]
vars:
  user: { from: sub, match: "[a-z][a-z0-9]{0,31}" }
grants:
  - id: bus
    when: { client: ${apiKey.id} }
    nats: { account: APP, publish: ["u.{user}.>"], subscribe: ["u.{user}.>"], deny: ["u.*.secret"] }
    ttl: { default: 1h, max: 1h }
  - { id: ops, when: { client: ${apiKey.id}, user: root }, admin: [revoke] }
`

export const usherEnv = (port) => ({
  USHER_POLICY: write('nats-policy.yaml', policy),
  NATS_MODE: 'callout',
  NATS_URLS: `nats://127.0.0.1:${port}`,
  NATS_TOKEN_KEYS: keys.tokens,
  NATS_CALLOUT_SEED: keys.login,
  NATS_ISSUER_SEEDS: keys.issuer,
  NATS_XKEY_SEEDS: keys.xkey,
  NATS_SYSTEM_SEED: keys.system,
})

export async function ask({ base }, user, path, body = {}) {
  const answer = await fetch(base + path, {
    method: 'POST',
    headers: { authorization: `Bearer ${apiKey.key}`, 'usher-on-behalf-of': user, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${await answer.text()}`)
  return answer.json()
}
/** Tokens of so many users. */
export async function tokensOf(usher, count) {
  const tokens = []
  for (let index = 0; index < count; index++) tokens.push((await ask(usher, `u${index}`, '/nats/token')).token)
  return tokens
}
/** API keys name their users so. */
export const source = apiKey.id

/** @returns its port and pid, once it accepts clients */
export function startNats(name, conf, { core = '' } = {}) {
  const args = ['-c', write(`${name}.conf`, conf), '-a', '127.0.0.1', '-p', '-1']
  const command = [...(core === '' ? [] : ['taskset', '-c', core]), binary, ...args]
  const child = start(command[0], command.slice(1), { stdio: ['ignore', 'ignore', 'pipe'] })
  return new Promise((resolve, reject) => {
    let log = ''
    child.once('exit', () => reject(new Error(log)))
    child.stderr.on('data', (text) => {
      log += text
      const [, port] = /client connections on \S+:(\d+)/.exec(log) ?? []
      if (port !== undefined && log.includes('Server is ready')) resolve({ port: Number(port), pid: child.pid, child })
    })
  })
}
