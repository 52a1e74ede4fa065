// Who may have which capability and clientId. It owns what a grant for Ably is, and when an ask is inside it.

import Type, { type Static } from 'typebox'
import { isRefusal, type Refusal, refusal } from '../../errors.ts'
import type { GrantScope } from '../../policy/scope.ts'
import { isName, type Name, type NameGrammar, type NameTemplate, wholeName } from '../../policy/template.ts'
import type { CompiledOffer, Entitlement, Offered } from '../provider.ts'
import { type AblyAsk, isClientId, type Mode, modes, parseAblyAsk } from './ask.ts'
import {
  addOperations,
  allows,
  type Capability,
  covers,
  operations,
  parseResource,
  type Resource,
  toCanonical,
  toText,
} from './capability.ts'

export interface AblyRights {
  /** Absent = an anonymous client; never empty, never `*`. */
  readonly clientId?: string
  /** Canonical JSON text, never empty. */
  readonly capability: string
  readonly mode: Mode
  readonly ttlMs: number
}

interface GrantedResource {
  readonly name: Name
  readonly operations: readonly string[]
}
export interface AblyOffer {
  readonly clientId: Name | undefined
  readonly capability: readonly GrantedResource[]
  readonly modes: readonly Mode[]
}

const grantSchema = Type.Object(
  {
    clientId: Type.Optional(
      Type.String({ minLength: 1, maxLength: 255, description: 'a clientId, such as "{tenant}.{user}"' }),
    ),
    capability: Type.Record(Type.String(), Type.Array(Type.Enum([...operations]), { minItems: 1 }), {
      minProperties: 1,
      description: 'operations by channel, such as "{tenant}:{room}": [subscribe]',
    }),
    modes: Type.Optional(Type.Array(Type.Enum([...modes]), { minItems: 1 })),
  },
  { additionalProperties: false },
)

const clientIdGrammar: NameGrammar = {
  what: 'an Ably clientId',
  reserved: '*',
  faultIn: (sample) =>
    isClientId(sample) ? undefined : `"${sample}" is not printable ASCII, or holds "*", which is "any client" to Ably`,
}

const resourceGrammar: NameGrammar = {
  what: 'an Ably channel, where "*" is a whole segment between colons',
  reserved: ':*[]',
  faultIn: (sample) => {
    const resource = parseResource(sample)
    if (resource === undefined) return `"${sample}" is not a channel name, with [meta] or [queue] at most before it`
    return resource.segments.some((segment) => segment !== '*' && segment.includes('*'))
      ? `"${sample}" has a "*" that is not a whole segment, which Ably takes for the letter "*"`
      : undefined
  },
}

export const ablyEntitlement: Entitlement<AblyAsk, AblyOffer, AblyRights> = {
  name: 'ably',
  grantSchema,
  maxTtlMs: 86_400_000,
  parseAsk: parseAblyAsk,
  compileGrant,
  select: (ask, offers) => {
    const inMode = offers.filter(({ offer }) => offer.modes.includes(ask.mode))
    if (inMode.length === 0)
      return refusal('beyond_grant', `mode: "${ask.mode}" is not what any of the caller's grants allows`)
    const clientId = chooseClientId(ask, inMode)
    if (isRefusal(clientId)) return clientId
    const used = inMode.filter(({ offer }) => isClientIdOf(offer, clientId))
    const capability = chooseCapability(ask, used)
    if (isRefusal(capability)) return capability
    const rights = { ...(clientId === undefined ? {} : { clientId }), capability: toText(capability), mode: ask.mode }
    return { used, rights: (ttlMs) => ({ ...rights, ttlMs: ttlMs as number }) }
  },
}

function compileGrant(spec: unknown, scope: GrantScope): CompiledOffer<AblyOffer> | undefined {
  const given = spec as Static<typeof grantSchema> & { modes?: Mode[] }
  const clientId = given.clientId === undefined ? undefined : scope.name(given.clientId, 'clientId', clientIdGrammar)
  const resources = Object.entries(given.capability).map(([source, operations]) => {
    const path = `capability.${source}`
    if (operations.includes('*') && operations.length > 1)
      scope.fault(path, 'mixes "*" with other operations', 'Let "*" stand alone')
    const template = scope.name(source, path, resourceGrammar)
    if (template !== undefined && isBoundless(template) && !scope.fullAccess)
      scope.fault(
        path,
        'is a right to channels without bound',
        'Begin it with a namespace, such as "chat:*", or add iKnow: full-access to the grant',
      )
    return { template, operations: [...new Set(operations)] }
  })
  return {
    endless: false,
    fill: (read) => {
      const client = clientId?.fill(read)
      if (clientId !== undefined && client === undefined) return undefined
      const capability: GrantedResource[] = []
      for (const { template, operations } of resources) {
        const name = template?.fill(read)
        if (name === undefined) return undefined
        capability.push({ name, operations })
      }
      return { clientId: client, capability, modes: given.modes ?? ['request'] }
    },
  }
}

/** Metachannels and queues besides channels; any first segment; or a namespace of the caller’s choice, whole. */
function isBoundless({ source, hole: chosen }: NameTemplate): boolean {
  const [first = '', ...more] = source.split(':')
  const isChosen = chosen !== undefined && first === `{${chosen.name}}`
  return source.startsWith('[*]') || first.endsWith('*') || (isChosen && more.at(-1) === '*')
}

/** The asked clientId if a grant has it; else that of the first grant which does not leave it to the ask. */
function chooseClientId({ clientId }: AblyAsk, offers: readonly Offered<AblyOffer>[]): string | undefined | Refusal {
  if (clientId !== undefined)
    return offers.some(({ offer }) => isClientIdOf(offer, clientId)) ? clientId : refusal('client_id_mismatch')
  const first = offers.find(({ offer }) => offer.clientId?.hole === undefined)
  if (first === undefined)
    return refusal('beyond_grant', "clientId: the caller's grants leave it to the request; send one")
  return first.offer.clientId === undefined ? undefined : wholeName(first.offer.clientId)
}

const isClientIdOf = ({ clientId: own }: AblyOffer, clientId: string | undefined): boolean =>
  own === undefined || clientId === undefined ? own === clientId : isName(own, clientId)

function chooseCapability({ capability }: AblyAsk, offers: readonly Offered<AblyOffer>[]): Capability | Refusal {
  const granted = offers.flatMap(({ offer }) => offer.capability)
  if (capability !== undefined) {
    const tests = granted.map(({ name, operations }) => ({ covers: coverTest(name), operations }))
    for (const [text, asked] of capability) {
      const resource = parseResource(text) as Resource
      const covering = tests.filter((test) => test.covers(resource))
      const beyond = asked.find((operation) => !covering.some(({ operations }) => allows(operations, operation)))
      if (beyond !== undefined)
        return refusal(
          'beyond_grant',
          `capability: "${beyond}" on one of the asked channels is beyond the caller's grants`,
        )
    }
    return capability
  }
  const whole = new Map<string, readonly string[]>()
  for (const { name, operations } of granted) {
    const resource = wholeName(name)
    if (resource !== undefined) addOperations(whole, resource, operations)
  }
  if (whole.size === 0)
    return refusal('beyond_grant', "capability: the caller's grants leave the channel to the request; name it")
  return toCanonical(whole)
}

/** Stands for the part of a granted name that the ask chooses; no name can hold it. */
const hole = '\0'

/** Whether a granted name covers an asked resource. */
function coverTest({ before, hole: variable, after }: Name): (asked: Resource) => boolean {
  if (variable === undefined) {
    const granted = parseResource(before)
    return (asked) => granted !== undefined && covers(granted, asked)
  }
  const [, qualifier = '', rest = ''] = /^(?:\[([^\]]*)\])?(.*)$/s.exec(before + hole + after) ?? []
  const granted = { qualifier, segments: rest.split(':') }
  const isSegment = (segment: string, other: string) => {
    const [head = '', tail] = segment.split(hole)
    return tail === undefined ? segment === other : isName({ before: head, hole: variable, after: tail }, other)
  }
  return (asked) => covers(granted, asked, isSegment)
}
