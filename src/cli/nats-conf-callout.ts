// nats-server with auth callout. It owns its configuration and keys: who answers, in an account that no user is in, with the
// least rights that this takes (facts/nats.md 1.1).

import { randomBytes } from 'node:crypto'
import { calloutSubject, queue } from '../providers/nats/callout/responder.ts'
import { serviceInbox } from '../providers/nats/connection.ts'
import { createSeed, publicNkeyOf } from '../providers/nats/nkeys.ts'
import { type NatsSetup, type NatsSetupOptions, serverPart, systemPermissions, whoAmI } from './nats-server-conf.ts'
import { openFile } from './write-files.ts'

export function calloutSetup(options: NatsSetupOptions): NatsSetup {
  const seeds = {
    login: createSeed('user'),
    issuer: createSeed('account'),
    xkey: createSeed('curve'),
    system: createSeed('user'),
  }
  const conf = toConf(options, {
    login: publicNkeyOf(seeds.login, 'user'),
    issuer: publicNkeyOf(seeds.issuer, 'account'),
    xkey: publicNkeyOf(seeds.xkey, 'curve'),
    system: publicNkeyOf(seeds.system, 'user'),
  })
  return {
    files: [openFile('nats.conf', conf)],
    settings: {
      NATS_ACCOUNTS: options.accounts.join(','),
      NATS_TOKEN_KEYS: `k1:${randomBytes(32).toString('base64url')}`,
      NATS_CALLOUT_SEED: seeds.login,
      NATS_ISSUER_SEEDS: seeds.issuer,
      NATS_XKEY_SEEDS: seeds.xkey,
      NATS_SYSTEM_SEED: seeds.system,
    },
  }
}

const list = (subjects: readonly string[]): string => `["${subjects.join('", "')}"]`

type PublicKeys = Readonly<Record<'login' | 'issuer' | 'xkey' | 'system', string>>

const toConf = (options: NatsSetupOptions, { login, issuer, xkey, system }: PublicKeys): string => `\
# nats-server that asks Usher who may connect, and as what; written by usher. It holds public keys only: the seeds are Usher's.
# Start Usher first: while nobody answers, nobody is let in. authorization is read at start, not at a reload.
${serverPart(options)}
accounts {
  # Where Usher places users: NATS_ACCOUNTS. They are in no list here.
${options.accounts.map((account) => `  "${account}" { jetstream: enabled }\n`).join('')}
  # Where Usher answers, in the queue group that all its replicas are (NATS_CALLOUT_SEED). No user belongs here: he would read
  # the tokens of the others.
  AUTH {
    users: [
      { nkey: ${login}
        permissions {
          publish { allow: ${list(['$SYS._INBOX.>', whoAmI])} }
          subscribe { allow: ${list([`${calloutSubject} ${queue}`, `${serviceInbox}.>`])} }
        } }
    ]
  }

  # Where Usher ends connections of who is revoked (NATS_SYSTEM_SEED), and can do nothing else.
  SYS {
    users: [
      { nkey: ${system}
        permissions {
          publish { allow: ${list(systemPermissions.pub.allow)} }
          subscribe { allow: ${list(systemPermissions.sub.allow)} }
        } }
    ]
  }
}
system_account: SYS

authorization {
  # Seconds that a connect may take: room for a crowd that comes back at once.
  timeout: 10
  auth_callout {
    # Whose signature an answer needs (NATS_ISSUER_SEEDS).
    issuer: ${issuer}
    account: AUTH
    # Who is let in without being asked about.
    auth_users: [${login}, ${system}]
    # What requests are encrypted for (NATS_XKEY_SEEDS).
    xkey: ${xkey}
  }
}
`
