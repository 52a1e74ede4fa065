// `usher nats check` against real nats-servers whose set-up is broken in one place: it is named in words, with its mend.

import { describe, expect, it } from 'vitest'
import { isFailure, tryConnect, tryLogin } from '../../src/cli/nats-check-connect.ts'
import { watchCallouts } from '../../src/cli/nats-check-responder.ts'
import type { NatsMode } from '../../src/providers/nats/ask.ts'
import { createCanaryToken } from '../../src/providers/nats/canary.ts'
import { createSeed, type NkeyKind, openSigner, publicNkeyOf } from '../../src/providers/nats/nkeys.ts'
import { generateToken } from '../../src/providers/nats/static-token.ts'
import { openTokenKeys } from '../../src/providers/nats/token.ts'
import { openXkey } from '../../src/providers/nats/xkey.ts'
import { obtainNatsServer } from '../live/nats-server.ts'
import { type Broken, check, checkWith, type Env, linesOf, nowhere, setUp, startServer } from './nats-set-up.ts'

const natsServer = await obtainNatsServer()

const newPublic = (kind: NkeyKind) => publicNkeyOf(createSeed(kind), kind)
const callout = /auth_callout \{[^}]*\}/
const replace = (pattern: RegExp | string, by: string) => (conf: string) => {
  const changed = conf.replace(pattern, by)
  if (changed === conf) throw new Error(`${pattern} is not in the configuration`)
  return changed
}

/** The parts of NATS_SIGNING_KEYS. */
function keysOf(env: Env) {
  const [, account = '', plain = '', scoped = ''] =
    /^APP:(A\w+):(SA\w+),APP:\1:(SA\w+):member$/.exec(env['NATS_SIGNING_KEYS'] as string) ?? []
  return { account, plain, scoped }
}
function signingKeys(env: Env, over: Partial<ReturnType<typeof keysOf>>): string {
  const { account, plain, scoped } = { ...keysOf(env), ...over }
  return `APP:${account}:${plain},APP:${account}:${scoped}:member`
}

// They wait for answers that do not come: at the same time.
describe.skipIf(!natsServer).concurrent('usher nats check', () => {
  it('proves a good chain by answering its own canary, where no Usher runs', async () => {
    const outcome = await check({ accounts: ['APP', 'OTHER'] })
    expect([outcome.exitCode, outcome.stderr, linesOf('fault', outcome), linesOf('warning', outcome)]).toEqual([
      0,
      '',
      [],
      [],
    ])
    const ok = linesOf('ok', outcome)
    expect(ok).toHaveLength(9)
    expect(ok[1]).toMatch(/^nats-server 2\.\d+\.\d+ \(nats-1\) answers at nats:\/\/127/)
    expect(ok[2]).toMatch(/^NATS_CALLOUT_SEED: nats-server accepts U[A-Z2-7]{55}, a user of the account AUTH\.$/)
    expect(ok[3]).toMatch(/^NATS_SYSTEM_SEED: nats-server accepts U[A-Z2-7]{55}, a user of the account SYS\.$/)
    expect(ok.slice(4)).toEqual([
      'no Usher answers callouts now, so this check does, for its canary alone.',
      'nats-server asks Usher, and encrypts its requests.',
      'a canary was let in, and placed in APP.',
      'a canary was let in, and placed in OTHER.',
      'NATS_SYSTEM_SEED: a connection of the canary was found and ended.',
    ])
  })

  it.each<[name: string, broken: Broken, ...faults: RegExp[]]>([
    [
      'a login that is not among the users',
      { env: (env) => ({ ...env, NATS_CALLOUT_SEED: createSeed('user') }) },
      /^NATS_CALLOUT_SEED: nats-server does not decide about U\w+: it is not in auth_users, .*\. Put U\w+ among the users of the account AUTH and into auth_users/,
    ],
    [
      'a login that nats-server refuses at once',
      {
        conf: replace(callout, ''),
        env: ({ NATS_SYSTEM_SEED: _, ...env }) => ({ ...env, NATS_CALLOUT_SEED: createSeed('user') }),
      },
      /^NATS_CALLOUT_SEED: nats-server knows no user U\w+\. Put U\w+ among .*, or set NATS_CALLOUT_SEED to the seed/,
      /^a canary was refused at once: nats-server has no auth_callout, or .*\. Set NATS_SYSTEM_SEED, so that/,
    ],
    [
      'a server without auth_callout',
      { conf: replace(callout, '') },
      /^nats-server does not ask Usher: it refused a canary by itself\. Write auth_callout into authorization, .* restart/,
    ],
    [
      'another issuer',
      { conf: replace(/issuer: A\w+/, `issuer: ${newPublic('account')}`) },
      /^auth_callout\.issuer is A\w{55}, and NATS_ISSUER_SEEDS has A\w{55}\. Write issuer: A\w{55} and restart/,
    ],
    [
      'no xkey',
      { conf: replace(/xkey: X\w+/, '') },
      /^nats-server does not encrypt its requests, and Usher answers no others\. Write xkey: X\w{55} into auth_callout/,
    ],
    [
      'another xkey',
      { conf: replace(/xkey: X\w+/, `xkey: ${newPublic('curve')}`) },
      /^nats-server encrypts its requests for another xkey than that of NATS_XKEY_SEEDS\. Write xkey: X\w{55} into/,
    ],
    [
      'another issuer, and no xkey',
      { conf: replace(/issuer: A\w+([\s\S]*)xkey: X\w+/, `issuer: ${newPublic('account')}$1`) },
      /^nats-server does not encrypt its requests/,
      /^auth_callout\.issuer is A\w{55}, and/,
    ],
    [
      'an account that nats-server does not know',
      { env: (env) => ({ ...env, NATS_ACCOUNTS: 'APP,NOPE' }) },
      /^nats-server does not place a user in NOPE, which NATS_ACCOUNTS names\. Add NOPE \{ \} to accounts/,
    ],
    [
      'users in the account of the callout',
      {
        conf: (conf) => conf.replace('  AUTH {', '  CALLOUT {').replace('account: AUTH', 'account: CALLOUT'),
        env: (env) => ({ ...env, NATS_ACCOUNTS: 'APP,CALLOUT' }),
      },
      /^NATS_ACCOUNTS places users in CALLOUT, where Usher answers callouts: .*\. Take CALLOUT out of it/,
    ],
    [
      'users in the system account',
      {
        conf: (conf) => conf.replace('  SYS {', '  ADMIN {').replace('system_account: SYS', 'system_account: ADMIN'),
        env: (env) => ({ ...env, NATS_ACCOUNTS: 'APP,ADMIN' }),
      },
      /^NATS_ACCOUNTS places users in ADMIN, the system account\. Take ADMIN out of it/,
    ],
    [
      'a callout in another account than the login',
      { conf: replace('account: AUTH', 'account: APP') },
      /^nats-server asks, but not in the account AUTH, where Usher answers\. Write account: AUTH into auth_callout/,
    ],
    [
      'a callout in the global account',
      {
        conf: (conf) => {
          const [auth = '', users = ''] = /^ {2}AUTH \{([\s\S]*?)^ {2}\}$/m.exec(conf) ?? []
          return conf
            .replace(auth, '')
            .replace('authorization {', `authorization {${users}`)
            .replace('account: AUTH', '')
        },
      },
      /^NATS_CALLOUT_SEED: its user is in the global account \$G, where others may be\. Write accounts \{ AUTH/,
    ],
    [
      'a login that may not be asked',
      { conf: replace('"$SYS.REQ.USER.AUTH usher", ', '') },
      /^NATS_CALLOUT_SEED: its user may not subscribe \$SYS\.REQ\.USER\.AUTH in the queue usher, .*\. Allow subscribe: /,
    ],
    [
      'a login that may not be asked, nor say who it is',
      {
        conf: replace(
          /\["\$SYS\._INBOX[^}]*\} *\n.*\n/,
          '["$SYS._INBOX.>"] }\nsubscribe { allow: ["_INBOX_usher.>"] }\n',
        ),
      },
      /^NATS_CALLOUT_SEED: its user may not subscribe \$SYS\.REQ\.USER\.AUTH in the queue usher/,
    ],
    [
      'two logins that are swapped',
      {
        env: (env) => ({
          ...env,
          NATS_CALLOUT_SEED: env['NATS_SYSTEM_SEED'] as string,
          NATS_SYSTEM_SEED: env['NATS_CALLOUT_SEED'] as string,
        }),
      },
      /^NATS_CALLOUT_SEED: its user is the one that ends connections, and answers no callouts\. .*swapped with NATS_SYSTEM_SEED/,
      /^NATS_SYSTEM_SEED: its user may not find connections/,
      /^NATS_SYSTEM_SEED: its user may not end connections/,
    ],
    [
      'a login that may not answer',
      { conf: replace('"$SYS._INBOX.>", ', '') },
      /^NATS_CALLOUT_SEED: its user may not publish to \$SYS\._INBOX\.>, so no answer arrives\. Allow publish: /,
      /^what was answered about a canary did not reach nats-server\. Let the user of NATS_CALLOUT_SEED publish to/,
    ],
    [
      'a system user that may not kick',
      { conf: replace('"$SYS.REQ.SERVER.*.KICK", ', '') },
      /^NATS_SYSTEM_SEED: its user may not end connections\. Let it publish \$SYS\.REQ\.SERVER\.\*\.KICK/,
    ],
    [
      'a system user that may not look',
      { conf: replace('"$SYS.REQ.SERVER.PING.CONNZ", ', '') },
      /^NATS_SYSTEM_SEED: its user may not find connections\. Let it publish \$SYS\.REQ\.SERVER\.PING\.CONNZ/,
    ],
    [
      'a system user in an account that is not the system account',
      { conf: replace('system_account: SYS', '') },
      /^NATS_SYSTEM_SEED: its user cannot find connections, because its account is not the system account\. Write system_account/,
    ],
    [
      'a system user that is not among the users',
      { env: (env) => ({ ...env, NATS_SYSTEM_SEED: createSeed('user') }) },
      /^NATS_SYSTEM_SEED: nats-server does not decide about U\w+: it is not in auth_users, .*users of the system account/,
    ],
    [
      'a clock that is ahead: requests have ended when they come',
      { aheadMs: 20_000 },
      /^the clock of nats-server differs from this one by (19|20|21) s, and tokens and requests end by both\. Set both by NTP/,
    ],
    [
      'a server that asks nobody',
      { conf: () => 'server_name: open', env: ({ NATS_SYSTEM_SEED: _, ...env }) => env },
      /^nats-server asks nobody who he is: it has no authorization, or a no_auth_user\. /,
    ],
    [
      'static mode: another token',
      { mode: 'static', env: (env) => ({ ...env, NATS_TOKEN: generateToken() }) },
      /^NATS_TOKEN: nats-server refuses it\. Give both the same: authorization \{ token: … \}/,
    ],
    [
      'static mode: a server that asks nobody',
      { mode: 'static', conf: () => 'server_name: open' },
      /^nats-server asks nobody who he is/,
    ],
    [
      'jwt mode: a key that the account does not have',
      {
        mode: 'jwt',
        env: (env) => ({ ...env, NATS_SIGNING_KEYS: signingKeys(env, { plain: createSeed('account') }) }),
      },
      /^NATS_SIGNING_KEYS: nats-server refuses what APP signs\. Put A\w+ among signing_keys of A\w+, .*, as a plain key/,
    ],
    [
      'jwt mode: a scoped key in the place of a plain one',
      { mode: 'jwt', env: (env) => ({ ...env, NATS_SIGNING_KEYS: signingKeys(env, { plain: keysOf(env).scoped }) }) },
      /^NATS_SIGNING_KEYS: nats-server refuses what APP signs\. /,
    ],
    [
      'jwt mode: a plain key in the place of a scoped one',
      { mode: 'jwt', env: (env) => ({ ...env, NATS_SIGNING_KEYS: signingKeys(env, { scoped: keysOf(env).plain }) }) },
      /^NATS_SIGNING_KEYS: A\w+ is no scoped key of A\w+, so users of APP:member may do nothing\. Make it a scoped key/,
    ],
    [
      'jwt mode: an account that the resolver does not have',
      {
        mode: 'jwt',
        env: (env) => ({ ...env, NATS_SIGNING_KEYS: signingKeys(env, { account: newPublic('account') }) }),
      },
      /^NATS_SIGNING_KEYS: nats-server refuses what APP signs\. .*whose JWT has to be in the resolver/,
      /^NATS_SIGNING_KEYS: nats-server refuses what APP:member signs\. .*, as a scoped key/,
    ],
    [
      'jwt mode: a server of another kind',
      { mode: 'jwt', conf: () => 'authorization { token: "of-somebody-else" }' },
      /^nats-server knows no nkeys and no JWTs\. Give it the configuration that `usher nats setup` writes/,
    ],
  ])('names %s', async (_name, broken, ...faults) => {
    const outcome = await check(broken)
    expect([outcome.exitCode, linesOf('fault', outcome)]).toEqual([
      1,
      faults.map((each) => expect.stringMatching(each)),
    ])
  })

  it.each<[name: string, broken: Broken, warning: RegExp]>([
    [
      'a short timeout',
      { conf: replace('timeout: 10', 'timeout: 2') },
      /^nats-server waits 2 s for an answer: .*\. Write timeout: 10/,
    ],
    ['a clock that is behind', { aheadMs: -20_000 }, /^the clock of nats-server differs from this one by (19|20|21) s/],
    [
      'a replica that ends no connections',
      { env: ({ NATS_SYSTEM_SEED: _, ...env }) => env },
      /^NATS_SYSTEM_SEED is not set: who is revoked stays connected/,
    ],
    [
      'a login that may do everything in its account',
      { conf: replace(/\n +permissions \{[\s\S]*?\} \}/, ' }') },
      /^NATS_CALLOUT_SEED: its user may do more than answer callouts\. Give it the permissions/,
    ],
    [
      'a login that may not say who it is',
      { conf: replace('"$SYS._INBOX.>", "$SYS.REQ.USER.INFO"', '"$SYS._INBOX.>"') },
      /^NATS_CALLOUT_SEED: its user may not ask who it is, .*\. Let it publish \$SYS\.REQ\.USER\.INFO/,
    ],
  ])('warns of %s, which is no fault', async (_name, broken, warning) => {
    const outcome = await check(broken)
    expect([outcome.exitCode, linesOf('fault', outcome)]).toEqual([0, []])
    expect(linesOf('warning', outcome)).toEqual([expect.stringMatching(warning)])
    expect(outcome.stdout).toMatch(/^ok +a canary was let in, and placed in APP\.$/m)
  })

  it.each<[NatsMode, string]>([
    ['static', 'NATS_TOKEN: nats-server lets it in.'],
    ['jwt', 'NATS_SIGNING_KEYS: a user that APP signs for is let in.'],
    ['jwt', 'NATS_SIGNING_KEYS: a user that APP:member signs for is let in.'],
  ])('proves mode %s: %s', async (mode, line) => {
    const outcome = await check({ mode })
    expect(outcome).toMatchObject({ exitCode: 0, stderr: '' })
    expect(linesOf('ok', outcome)).toContain(line)
  })

  it('checks each server that Usher connects to, by NATS_SERVICE_URLS before NATS_URLS', async () => {
    const { conf, env } = setUp()
    const [one, two] = [await startServer(conf), await startServer(conf.replace(callout, ''))]
    const outcome = await checkWith({ ...env, NATS_URLS: nowhere, NATS_SERVICE_URLS: `${one},${two}` })
    expect(linesOf('fault', outcome)).toEqual([expect.stringMatching(/^nats-server does not ask Usher/)])
    expect(outcome.stdout.indexOf(one)).toBeLessThan(outcome.stdout.indexOf(two))
    expect(outcome.stdout).not.toContain(nowhere)
  })
})

describe.skipIf(!natsServer)('the responder of usher nats check', () => {
  it('answers canaries, and nobody else who comes meanwhile', async () => {
    const { conf, env } = setUp()
    const url = await startServer(conf)
    const login = await tryLogin(url, openSigner(env['NATS_CALLOUT_SEED'] as string, 'user'))
    if (isFailure(login)) throw new Error(login.code)
    const issuer = openSigner(env['NATS_ISSUER_SEEDS'] as string, 'account')
    const keys = openTokenKeys(env['NATS_TOKEN_KEYS'] as string)
    const watch = await watchCallouts(login, {
      issuers: new Map([[issuer.publicKey, issuer]]),
      xkeys: [openXkey(env['NATS_XKEY_SEEDS'] as string)],
      keys,
      account: 'APP',
      now: Date.now,
    })
    const user = keys.seal({
      i: 'serial',
      c: ['jwt', 'main', 'alice'],
      g: [],
      v: {},
      t: Math.floor(Date.now() / 1000),
      l: 60,
    })
    for (const token of [user, 'ntk_k1.e30.x', '']) {
      expect(await tryConnect(url, { token }, 300)).toMatchObject({ failed: 'silent' })
      expect(watch.seen()).toMatchObject({ isEncrypted: true, isAnswered: false })
    }
    const canary = await tryConnect(url, { token: createCanaryToken({ keys, nowMs: Date.now() }) })
    expect(isFailure(canary)).toBe(false)
    expect(await tryConnect(url, { token: user }, 300)).toMatchObject({ failed: 'silent' })
    // What comes after it does not count.
    expect(watch.seen()).toMatchObject({ isAnswered: true, opened: { issuer: issuer.publicKey, timeoutSeconds: 10 } })
    for (const connection of [canary, login]) if (!isFailure(connection)) await connection.close()
  })
})
