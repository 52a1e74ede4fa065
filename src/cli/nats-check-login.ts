// Usher's logins at nats-server. It owns their proof: accepted, in which account, and with which permissions.

import type { NatsConnection } from '@nats-io/transport-node'
import { calloutSubject, queue } from '../providers/nats/callout/responder.ts'
import { openSigner, type Signer } from '../providers/nats/nkeys.ts'
import { entryCovers, parseEntry } from '../providers/nats/subjects.ts'
import type { Settings } from '../settings.ts'
import { mayNotSubscribe } from './nats-check-callout.ts'
import type { Probe } from './nats-check-chain.ts'
import { broken, type Failure, isFailure, isUnanswered, request, tryLogin } from './nats-check-connect.ts'
import { type Finding, fault, fine, warning } from './nats-check-report.ts'
import { kickSubject, whoAmI } from './nats-server-conf.ts'

/** Where Usher answers callouts. */
export const logInForCallouts: Probe = async (chain) => {
  const { server, settings } = chain
  const name = 'NATS_CALLOUT_SEED'
  if (!settings.has(name))
    return [
      warning(
        `${name} is not set: this replica issues tokens and answers no callout`,
        'Some other replica has to, with the same NATS_TOKEN_KEYS',
      ),
    ]
  const login = openSigner(settings.text(name), 'user')
  const connection = await tryLogin(server, login)
  if (isFailure(connection)) return [refusedLogin(name, login, connection, 'the users of the account AUTH')]
  chain.callout = connection
  const user = await whoIs(connection)
  if (user === undefined) return [accepted(name, login), ...unknownUser(name)]
  chain.calloutAccount = user.account
  return [
    accepted(name, login, user.account),
    ...placement(name, user.account, settings),
    ...calloutRights(name, user.permissions),
  ]
}

/** Where it ends connections. */
export const logInAsSystem: Probe = async (chain) => {
  const { server, settings } = chain
  const name = 'NATS_SYSTEM_SEED'
  if (!settings.has(name))
    return [
      warning(
        `${name} is not set: who is revoked stays connected until his token ends`,
        'Set it, on one replica at least',
      ),
    ]
  const login = openSigner(settings.text(name), 'user')
  const connection = await tryLogin(server, login)
  if (isFailure(connection)) return [refusedLogin(name, login, connection, 'the users of the system account')]
  chain.system = connection
  const user = await whoIs(connection)
  if (user === undefined) return [accepted(name, login), ...unknownUser(name)]
  return [accepted(name, login, user.account), ...placement(name, user.account, settings)]
}

interface Permissions {
  readonly publish?: { readonly allow?: readonly string[] }
  readonly subscribe?: { readonly allow?: readonly string[] }
}
interface User {
  readonly account: string
  readonly permissions?: Permissions
}

/** Undefined where the user may not ask. */
async function whoIs(connection: NatsConnection): Promise<User | undefined> {
  const reply = await request(connection, whoAmI)
  return isUnanswered(reply) ? undefined : reply.json<{ data: User }>().data
}

const accepted = (name: string, { publicKey }: Signer, account?: string): Finding =>
  fine(`${name}: nats-server accepts ${publicKey}${account === undefined ? '' : `, a user of the account ${account}`}`)

const unknownUser = (name: string): readonly Finding[] => [
  warning(
    `${name}: its user may not ask who it is, so its account is not known`,
    `Let it publish ${whoAmI} and subscribe _INBOX_usher.>`,
  ),
]

function refusedLogin(name: string, { publicKey }: Signer, failure: Failure, users: string): Finding {
  const { failed } = failure
  const mend = `Put ${publicKey} among ${users} and into auth_users, or set ${name} to the seed of the nkey that stands there`
  if (failed === 'refused') return fault(`${name}: nats-server knows no user ${publicKey}`, mend)
  // It has greeted: what it waits for is an answer to the callout about Usher itself.
  if (failed === 'silent')
    return fault(
      `${name}: nats-server does not decide about ${publicKey}: it is not in auth_users, so Usher is asked about Usher`,
      mend,
    )
  return broken(`by ${name}`, failure)
}

function placement(name: string, account: string, settings: Settings): readonly Finding[] {
  const own =
    name === 'NATS_CALLOUT_SEED' ? 'where Usher answers callouts: they would read tokens' : 'the system account'
  if (settings.list('NATS_ACCOUNTS').includes(account))
    return [
      fault(`NATS_ACCOUNTS places users in ${account}, ${own}`, `Take ${account} out of it, and use one of their own`),
    ]
  if (account === '$G')
    return [
      fault(
        `${name}: its user is in the global account $G, where others may be`,
        'Write accounts { AUTH { users: [ … ] } } and auth_callout { account: AUTH }; `usher nats setup` shows it',
      ),
    ]
  return []
}

const answerSubject = '$SYS._INBOX.a.b'

function calloutRights(name: string, { publish, subscribe }: Permissions = {}): readonly Finding[] {
  if (publish?.allow === undefined || subscribe?.allow === undefined)
    return [
      warning(
        `${name}: its user may do more than answer callouts`,
        'Give it the permissions that `usher nats setup` writes',
      ),
    ]
  const findings: Finding[] = []
  const isAsked = isCovered(`${calloutSubject} ${queue}`, subscribe.allow)
  if (!isAsked && isCovered(kickSubject('x'), publish.allow))
    return [
      fault(
        `${name}: its user is the one that ends connections, and answers no callouts`,
        'Set it to the seed of the user in the account AUTH; perhaps it is swapped with NATS_SYSTEM_SEED',
      ),
    ]
  if (!isAsked) findings.push(mayNotSubscribe)
  if (!isCovered(answerSubject, publish.allow))
    findings.push(
      fault(
        `${name}: its user may not publish to $SYS._INBOX.>, so no answer arrives`,
        'Allow publish: "$SYS._INBOX.>"',
      ),
    )
  return findings
}

function isCovered(entry: string, allowed: readonly string[]): boolean {
  const asked = parseEntry(entry)
  return allowed.some((text) => {
    const granted = parseEntry(text)
    return granted !== undefined && asked !== undefined && entryCovers(granted, asked)
  })
}
