// What a caller asks of NATS. It owns the fields of /nats/token and what each NATS_MODE makes of them.

import { isRefusal, type Refusal, refusal } from '../../errors.ts'
import { badField, type Fields, isFields, isLifetime, lifetimeRule, refuseUnknownFields } from '../fields.ts'
import type { AskBase } from '../provider.ts'
import { parsePublicNkey } from './nkeys.ts'
import { parseEntry } from './subjects.ts'

/** static = one token for all; callout = a user’s own, answered at connect; jwt = a user JWT for the client’s nkey. */
export type NatsMode = 'static' | 'callout' | 'jwt'
export const natsModes: readonly NatsMode[] = ['static', 'callout', 'jwt']

export type ConnectionType = 'nats' | 'websocket' | 'mqtt' | 'leafnode'
export const connectionTypes: readonly ConnectionType[] = ['nats', 'websocket', 'mqtt', 'leafnode']

export interface NatsAsk extends AskBase {
  readonly account?: string
  /** Subjects in place of all that the grants give; empty = none. */
  readonly publish?: readonly string[]
  readonly subscribe?: readonly string[]
  readonly connectionTypes?: readonly ConnectionType[]
  /** The client’s own public nkey, `U…`. */
  readonly publicKey?: string
  /** A creds file, whose key the server makes. */
  readonly creds?: true
}

const fields = ['ttl', 'account', 'publish', 'subscribe', 'connectionTypes', 'publicKey', 'creds'] as const
const maxSubjects = 200

export function parseNatsAsk(input: unknown): NatsAsk | Refusal {
  if (!isFields(input)) return badField('body', 'must be a JSON object, or empty')
  const unknown = refuseUnknownFields(input, fields)
  if (unknown !== undefined) return unknown
  const { ttl, account, publicKey, creds } = input
  const ttlSeconds = typeof ttl === 'string' && /^[0-9]{1,6}$/.test(ttl) ? Number(ttl) : ttl
  if (ttl !== undefined && !isLifetime(ttlSeconds, 1000)) return badField('ttl', lifetimeRule(1000))
  if (account !== undefined && !isAccountName(account)) return badField('account', accountRule)
  if (publicKey !== undefined && parsePublicNkey(publicKey, 'user') === undefined)
    return badField('publicKey', 'must be a public user nkey, which begins with U; never send the seed')
  if (creds !== undefined && creds !== true && creds !== 'true') return badField('creds', 'must be true, or absent')
  const lists: Record<string, readonly string[]> = {}
  for (const field of ['publish', 'subscribe', 'connectionTypes'] as const) {
    const list = parseList(field, input)
    if (isRefusal(list)) return list
    if (list !== undefined) lists[field] = list
  }
  return {
    ...(ttl === undefined ? {} : { ttlMs: (ttlSeconds as number) * 1000 }),
    ...(account === undefined ? {} : { account: account as string }),
    ...(publicKey === undefined ? {} : { publicKey: publicKey as string }),
    ...(creds === undefined ? {} : { creds: true as const }),
    ...lists,
  }
}

export const isAccountName = (text: unknown): text is string =>
  typeof text === 'string' && /^[A-Za-z0-9_-]{1,64}$/.test(text)
export const accountRule = 'must be the name of an account: letters, digits, - and _, 64 at most'

const itemRules = {
  publish: {
    isValid: (item: string) => parseEntry(item)?.queue === undefined && parseEntry(item) !== undefined,
    rule: `must be a list of at most ${maxSubjects} subjects, such as ["orders.alice.>"]; empty for none`,
  },
  subscribe: {
    isValid: (item: string) => parseEntry(item) !== undefined,
    rule: `must be a list of at most ${maxSubjects} subjects, each with a queue after a space where it is for that queue alone`,
  },
  connectionTypes: {
    isValid: (item: string) => (connectionTypes as readonly string[]).includes(item),
    rule: `must be a list with one or more of ${connectionTypes.join(', ')}`,
  },
}

function parseList(field: keyof typeof itemRules, input: Fields): readonly string[] | undefined | Refusal {
  const value = input[field]
  if (value === undefined) return undefined
  const { isValid, rule } = itemRules[field]
  const isList =
    Array.isArray(value) &&
    value.length <= maxSubjects &&
    (value.length > 0 || field !== 'connectionTypes') &&
    value.every((item) => typeof item === 'string' && /^[\x20-\x7e]{1,255}$/.test(item) && isValid(item))
  return isList ? [...new Set(value as string[])] : badField(field, rule)
}

/** What a mode cannot do is refused: whoever asks for it would believe that he got it. */
export function refuseOutOfMode(ask: NatsAsk, mode: NatsMode | undefined): Refusal | undefined {
  const { ttlMs, ...rest } = ask
  const asked = Object.keys(ttlMs === undefined ? rest : { ttl: ttlMs, ...rest })
  if (mode === 'static' && asked.length > 0)
    return refusal('invalid_request', `${asked[0]}: a shared token cannot have one; leave it out`)
  const ofJwt = asked.find((field) => field === 'publicKey' || field === 'creds')
  if (mode === 'callout' && ofJwt !== undefined)
    return refusal('invalid_request', `${ofJwt}: is for user JWTs, and this service issues tokens; leave it out`)
  if (ask.publicKey !== undefined && ask.creds === true)
    return refusal('invalid_request', 'creds: brings a key of its own; leave out publicKey, or creds')
  if (mode === 'jwt' && ofJwt === undefined)
    return refusal('invalid_request', 'publicKey: is missing; make a user nkey in the client and send its public part')
  return undefined
}
