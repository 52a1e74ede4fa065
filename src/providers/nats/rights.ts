// Who may have which subjects of NATS. It owns when an ask is inside the grants: its subjects are covered, its account is theirs.

import { isRefusal, type Refusal, refusal } from '../../errors.ts'
import type { GrantScope } from '../../policy/scope.ts'
import { isName, type Name } from '../../policy/template.ts'
import type { Entitlement, Offered, Selection } from '../provider.ts'
import { type ConnectionType, type NatsAsk, type NatsMode, parseNatsAsk, refuseOutOfMode } from './ask.ts'
import {
  compileNatsGrant,
  type NatsGrantSpec,
  type NatsOffer,
  natsGrantSchema,
  type Responses,
  type UserOffer,
} from './grant.ts'
import { isReservedToken } from './grant-subjects.ts'
import type { Role } from './role.ts'
import { covers, type Entry, entryCovers, parseEntry, reach } from './subjects.ts'

/** The token that all clients of the server share: it is the whole server, and it has no end. */
export interface SharedRights {
  readonly shared: true
}
export interface UserRights {
  readonly shared: false
  readonly account: string
  /** What he may publish and subscribe; empty = nothing. */
  readonly publish: readonly string[]
  readonly subscribe: readonly string[]
  /** Kept from him on both sides, whatever the lists say. */
  readonly deny: readonly string[]
  readonly responses?: Responses
  readonly connectionTypes: readonly ConnectionType[]
  /** Whether he gets an inbox of his own. */
  readonly inbox: boolean
  readonly role?: Role
  /** What of it was asked for, where the rest is the grants’ whole. */
  readonly asked: Omit<NatsAsk, 'ttlMs'>
  readonly ttlSeconds: number
}
export type NatsRights = SharedRights | UserRights

/** What a service issues, as its environment says. */
export interface Issued {
  readonly mode: NatsMode
  /** Where it may place users. */
  readonly accounts: readonly string[]
  /** `account` or `account:role`, as its keys are for. */
  readonly roles: readonly string[]
}

/** @param issued without it, as for `usher policy explain`, the first grant that applies decides */
export const createNatsEntitlement = (issued?: Issued): Entitlement<NatsAsk, NatsOffer, NatsRights> => {
  const mode = issued?.mode
  return {
    name: 'nats',
    grantSchema: natsGrantSchema,
    maxTtlMs: 86_400_000,
    parseAsk: (input) => {
      const ask = parseNatsAsk(input)
      return isRefusal(ask) ? ask : (refuseOutOfMode(ask, mode) ?? ask)
    },
    compileGrant: (spec, scope) => {
      if (issued !== undefined) checkAgainst(issued, spec as NatsGrantSpec, scope)
      return compileNatsGrant(spec, scope)
    },
    select: (ask, offers) => {
      const shared = offers.filter(({ offer }) => offer.shared)
      if (mode === 'static' || (mode === undefined && offers[0]?.offer.shared === true))
        return shared.length > 0 ? selectShared(ask, shared) : otherMode('a user’s own subjects', 'a shared token')
      const own = offers.filter(isUserOffer).filter(({ offer }) => mode !== 'callout' || offer.role === undefined)
      return own.length > 0 ? selectOwn(ask, own) : otherMode('a shared token or a role', 'tokens of a user’s own')
    },
  }
}

/** A grant that gives nothing in this mode may be meant for another service; an account that nobody opens is a mistake. */
function checkAgainst(
  { mode, accounts, roles }: Issued,
  { shared, account = '', role }: NatsGrantSpec,
  scope: GrantScope,
) {
  const isOther = (shared === true) !== (mode === 'static') || (role !== undefined && mode !== 'jwt')
  if (isOther) scope.warning('', `gives nothing, because NATS_MODE is ${mode}`, 'Change the grant, or NATS_MODE')
  else if (mode === 'callout' && !accounts.includes(account))
    scope.fault('account', 'is not one of NATS_ACCOUNTS', `Write one of: ${accounts.join(', ')}`)
  else if (mode === 'jwt' && !roles.includes(role === undefined ? account : `${account}:${role}`))
    scope.fault(
      role === undefined ? 'account' : 'role',
      'has no key in NATS_SIGNING_KEYS',
      `There are: ${roles.join(', ')}`,
    )
}

const otherMode = (granted: string, issued: string): Refusal =>
  refusal('no_grant', undefined, `the grants that apply give ${granted}, and NATS_MODE is for ${issued}`)

const isUserOffer = (offered: Offered<NatsOffer>): offered is Offered<UserOffer> => !offered.offer.shared

function selectShared(ask: NatsAsk, offers: readonly Offered<NatsOffer>[]): Selection<NatsOffer, NatsRights> | Refusal {
  const outOfMode = refuseOutOfMode(ask, 'static')
  return outOfMode ?? { used: offers.slice(0, 1), rights: () => ({ shared: true }) }
}

/** The template of a role says it where there is one, and we cannot narrow that. */
const isOfType = ({ connectionTypes, role }: UserOffer, ask: NatsAsk): boolean =>
  ask.connectionTypes === undefined ||
  (role === undefined && ask.connectionTypes.every((type) => connectionTypes.includes(type)))

/**
 * Grants for one account and the same connections are one. A role is always by itself, and so is who may answer: beside the
 * subjects of another grant that could be a right to answer himself.
 */
const areOne = (a: UserOffer, b: UserOffer): boolean =>
  a === b ||
  (a.account === b.account &&
    [a, b].every(({ role, responses }) => role === undefined && responses === undefined) &&
    a.connectionTypes.join() === b.connectionTypes.join())

function selectOwn(ask: NatsAsk, offers: readonly Offered<UserOffer>[]): Selection<NatsOffer, NatsRights> | Refusal {
  const inAccount = offers.filter(({ offer }) => offer.account === (ask.account ?? offer.account))
  if (inAccount.length === 0) return beyond('account', "is not one of the caller's grants")
  const ofType = inAccount.filter(({ offer }) => isOfType(offer, ask))
  if (ofType.length === 0) return beyond('connectionTypes', 'are more than a grant of the caller allows')
  const eligible = ofType.filter(({ offer }) => ask.creds !== true || offer.creds)
  const [first] = eligible
  if (first === undefined) return beyond('creds', 'no grant of the caller allows a creds file; send publicKey')
  const used = eligible.filter(({ offer }) => areOne(first.offer, offer))
  const granted = used.map(({ offer }) => offer)
  const { account, role } = first.offer
  const { ttlMs: _, ...asked } = ask
  // Those too that the ask for a creds file leaves out: an ask takes away no deny.
  const deny = unique(ofType.filter(({ offer }) => areOne(first.offer, offer)).flatMap(({ offer }) => offer.deny))
  const publish = chooseSide('publish', ask, granted, deny)
  if (isRefusal(publish)) return publish
  const subscribe = chooseSide('subscribe', ask, granted, deny)
  if (isRefusal(subscribe)) return subscribe
  if (
    role === undefined &&
    publish.length + subscribe.length === 0 &&
    ask.publish === undefined &&
    ask.subscribe === undefined
  )
    return beyond('publish, subscribe', "the caller's grants leave the subjects to the request; name them")
  const { responses } = first.offer
  const rights = {
    shared: false as const,
    account,
    publish,
    subscribe,
    deny,
    ...(responses === undefined ? {} : { responses }),
    connectionTypes: ask.connectionTypes ?? first.offer.connectionTypes,
    inbox: granted.some(({ inbox }) => inbox),
    ...(role === undefined ? {} : { role }),
    asked,
  }
  return { used, rights: (ttlMs) => ({ ...rights, ttlSeconds: Math.floor((ttlMs as number) / 1000) }) }
}

const beyond = (field: string, rule: string): Refusal => refusal('beyond_grant', `${field}: ${rule}`)
const unique = (texts: readonly string[]): readonly string[] => [...new Set(texts)]

/** The asked subjects, each covered by one granted; without an ask, all that are granted whole. */
function chooseSide(
  side: 'publish' | 'subscribe',
  ask: NatsAsk,
  offers: readonly UserOffer[],
  deny: readonly string[],
): readonly string[] | Refusal {
  const granted = offers.flatMap((offer) => offer[side])
  const asked = ask[side]
  if (asked === undefined) return unique(granted.filter(({ hole }) => hole === undefined).map(({ before }) => before))
  // An empty list too: its caller would believe that he has nothing, and have all of the role.
  if (offers.some(({ role }) => role !== undefined))
    return beyond(side, "the role of the caller's grant says the subjects; leave them out")
  const tests = granted.map(coverTest)
  const denied = deny.map((text) => text.split('.'))
  for (const [index, text] of asked.entries()) {
    const entry = parseEntry(text) as Entry
    // By its place: what somebody sends for a subject can be a token.
    const which = `subject ${index + 1} of the request`
    if (!tests.some((isCovered) => isCovered(entry))) return beyond(side, `${which} is beyond the caller's grants`)
    const reached = side === 'subscribe' ? reach(entry.subject) : entry.subject
    if (denied.some((pattern) => covers(pattern, reached)))
      return beyond(side, `${which} is denied by the caller's grants`)
  }
  return asked
}

/** Stands for the part of a granted subject that the ask chooses; no subject can hold it. */
const hole = '\0'

function coverTest({ before, hole: variable, after }: Name): (asked: Entry) => boolean {
  if (variable === undefined) {
    const granted = parseEntry(before) as Entry
    return (asked) => mayNameServer(granted, asked) && entryCovers(granted, asked)
  }
  const [subject = '', queue] = (before + hole + after).split(' ')
  const granted: Entry = { subject: subject.split('.'), ...(queue === undefined ? {} : { queue: queue.split('.') }) }
  const isFirst = granted.subject[0]?.includes(hole) === true
  const isToken = (token: string, other: string) => {
    const [head = '', tail] = token.split(hole)
    return tail === undefined ? token === other : isName({ before: head, hole: variable, after: tail }, other)
  }
  return (asked) =>
    !(isFirst && isReservedToken(asked.subject[0] as string)) &&
    mayNameServer(granted, asked) &&
    entryCovers(granted, asked, isToken)
}

/** No wildcard gives `$SYS` (permissions.ts denies it beside one), so none can be asked down to it either. */
const mayNameServer = (granted: Entry, asked: Entry): boolean =>
  asked.subject[0] !== '$SYS' || granted.subject[0] === '$SYS'
