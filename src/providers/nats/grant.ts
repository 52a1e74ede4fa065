// What a grant for NATS is. It owns the keys below `nats:`, and how they become an offer to one caller.

import Type, { type Static } from 'typebox'
import type { GrantScope } from '../../policy/scope.ts'
import type { Name } from '../../policy/template.ts'
import type { CompiledOffer } from '../provider.ts'
import { accountRule, type ConnectionType, connectionTypes, isAccountName } from './ask.ts'
import { compileSubjects, lintDenies, lintResponses } from './grant-subjects.ts'
import { compileRole, type Role } from './role.ts'

export interface Responses {
  /** How many replies to one request. */
  readonly max: number
  readonly ttlMs: number
}

/** A grant with one caller’s values. */
export type NatsOffer =
  | { readonly shared: true }
  | {
      readonly shared: false
      readonly account: string
      readonly publish: readonly Name[]
      readonly subscribe: readonly Name[]
      readonly deny: readonly string[]
      readonly responses: Responses | undefined
      readonly connectionTypes: readonly ConnectionType[]
      readonly inbox: boolean
      readonly creds: boolean
      readonly role: Role | undefined
    }
export type UserOffer = Extract<NatsOffer, { shared: false }>

const subjects = (description: string) =>
  Type.Optional(Type.Array(Type.String({ minLength: 1, maxLength: 255, description }), { maxItems: 200 }))

export const natsGrantSchema = Type.Object(
  {
    shared: Type.Optional(
      Type.Literal(true, { description: 'true: the one token of the server, and nothing beside it' }),
    ),
    account: Type.Optional(Type.String({ description: 'the account of the user, such as APP' })),
    publish: subjects('a subject, such as "{tenant}.cmd.{user}"'),
    subscribe: subjects('a subject, such as "{tenant}.u.{user}.>"; "jobs.> workers" is for the queue workers alone'),
    deny: subjects('a subject that is neither published nor subscribed'),
    responses: Type.Optional(
      Type.Object(
        {
          max: Type.Optional(
            Type.Integer({ minimum: 1, maximum: 1000, description: 'replies to a request, 1 to 1000' }),
          ),
          ttl: Type.Optional(
            Type.String({ pattern: '^[1-9][0-9]{0,3}(s|m)$', description: 'how long one may reply, such as 5s or 2m' }),
          ),
        },
        { additionalProperties: false },
      ),
    ),
    connectionTypes: Type.Optional(Type.Array(Type.Enum([...connectionTypes]), { minItems: 1 })),
    inbox: Type.Optional(Type.Boolean({ description: 'false: no inbox of his own, and so no requests' })),
    creds: Type.Optional(Type.Boolean({ description: 'true: a creds file may be asked for' })),
    role: Type.Optional(Type.String({ pattern: '^[a-z0-9-]{1,32}$', description: 'a role of NATS_SIGNING_KEYS' })),
    name: Type.Optional(Type.String({ minLength: 1, maxLength: 64, description: 'a name such as "{user}"' })),
    tags: Type.Optional(Type.Record(Type.String(), Type.String({ minLength: 1, maxLength: 64 }))),
  },
  { additionalProperties: false },
)
export type NatsGrantSpec = Static<typeof natsGrantSchema>

export function compileNatsGrant(spec: unknown, scope: GrantScope): CompiledOffer<NatsOffer> | undefined {
  const given = spec as NatsGrantSpec
  return given.shared === true ? compileShared(given, scope) : compileUser(given, scope)
}

function compileShared(given: NatsGrantSpec, scope: GrantScope): CompiledOffer<NatsOffer> | undefined {
  const other = Object.keys(given).find((key) => key !== 'shared')
  if (other !== undefined)
    return scope.fault(
      other,
      'stands beside shared: true, but a shared token is the whole server',
      'Remove one of them',
    )
  if (scope.hasTtl)
    return scope.fault(
      '',
      'stands in a grant with ttl, but a shared token has no end',
      'Remove ttl, or give it in a grant of its own',
    )
  return { endless: true, fill: () => ({ shared: true }) }
}

function compileUser(given: NatsGrantSpec, scope: GrantScope): CompiledOffer<NatsOffer> | undefined {
  const { account, responses, inbox = true, creds = false } = given
  if (!isAccountName(account))
    return scope.fault('account', accountRule.replace('must be', 'is not'), 'Write account: APP')
  const role = given.role === undefined ? undefined : compileRole(given, scope)
  const sides = { publish: given.publish ?? [], subscribe: given.subscribe ?? [], deny: given.deny ?? [] }
  if (given.role === undefined) {
    for (const key of ['name', 'tags'] as const)
      if (given[key] !== undefined) scope.fault(key, 'is for a role', 'Remove it, or add role')
    for (const side of ['publish', 'subscribe', 'deny'] as const)
      if (given[side]?.length === 0)
        scope.fault(side, 'is empty, which NATS reads as everything', 'Leave the key out, which is nothing')
    if (given.publish === undefined && given.subscribe === undefined)
      scope.fault('', 'gives no subject', 'Add publish, subscribe, or both')
  }
  const publish = compileSubjects('publish', sides.publish, scope)
  const subscribe = compileSubjects('subscribe', sides.subscribe, scope)
  const deny = compileSubjects('deny', sides.deny, scope)
  lintDenies(sides.deny, [...sides.publish, ...sides.subscribe], scope)
  if (responses !== undefined) lintResponses({ ...sides, inbox }, scope)
  // nats-server hands a leafnode nothing by a right that is for one queue (facts/nats.md 5; seen on 2.12.8).
  if (given.connectionTypes?.includes('leafnode') === true && sides.subscribe.some((source) => source.includes(' ')))
    scope.fault(
      'subscribe',
      'names a queue in a grant for leafnodes, which get nothing by it',
      'Name the subject alone',
    )
  const rest = {
    shared: false as const,
    account,
    responses: responses && { max: responses.max ?? 1, ttlMs: toMs(responses.ttl ?? '5s') },
    connectionTypes: given.connectionTypes === undefined ? usualTypes : [...new Set(given.connectionTypes)].sort(),
    inbox: inbox && role === undefined,
    creds,
  }
  return {
    endless: false,
    fill: (read) => {
      const filled = { publish: publish(read), subscribe: subscribe(read), deny: deny(read), role: role?.(read) }
      if (filled.publish === undefined || filled.subscribe === undefined || filled.deny === undefined) return undefined
      if (role !== undefined && filled.role === undefined) return undefined
      const { publish: p, subscribe: s, deny: d } = filled
      return { ...rest, publish: p, subscribe: s, deny: d.map(({ before }) => before), role: filled.role }
    },
  }
}

/** A leafnode brings in all that is behind it, and a device speaks MQTT: both are said. */
const usualTypes: readonly ConnectionType[] = ['nats', 'websocket']
const toMs = (text: string): number => Number(text.slice(0, -1)) * (text.endsWith('m') ? 60_000 : 1000)
