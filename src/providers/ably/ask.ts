// What is asked of Ably. It owns the parameters that Ably's SDKs send to an authUrl. All of them are hints.

import { isRefusal, type Refusal } from '../../errors.ts'
import { badField, isFields, isLifetime, lifetimeRule } from '../fields.ts'
import type { AskBase } from '../provider.ts'
import { type Capability, parseCapability, parseCapabilityText } from './capability.ts'

export const modes = ['request', 'token'] as const
/** `request` = a signed TokenRequest, `token` = a token that we fetch from Ably. */
export type Mode = (typeof modes)[number]

export interface AblyAsk extends AskBase {
  readonly clientId?: string
  readonly capability?: Capability
  readonly mode: Mode
}

/** Printable ASCII without `*`, which would let the client be anybody; a newline would shift the fields that are signed. */
export const isClientId = (value: unknown): value is string =>
  typeof value === 'string' && /^[\x20-\x29\x2b-\x7e]{1,255}$/.test(value)

/** Each is held against each of the grants’: more would let one request keep the process busy. */
const maxResources = 100

/** What SDKs send where the app gave none: Node an empty text, browsers the word. */
const absent: ReadonlySet<unknown> = new Set([undefined, null, '', 'null', 'undefined'])

/** Unknown keys (`rnd`, `format`, `timestamp`, …) are ignored, as the SDKs need. */
export function parseAblyAsk(input: unknown): AblyAsk | Refusal {
  if (!isFields(input)) return badField('body', 'must be a form or a JSON object')
  const twice = ['clientId', 'client_id', 'capability', 'ttl', 'mode'].find((key) => Array.isArray(input[key]))
  if (twice !== undefined) return badField(twice, 'is given more than once; send it once')
  // ably-python spells it client_id.
  const given = [input['clientId'], input['client_id']].filter((value) => !absent.has(value))
  if (given.length > 1 && given[0] !== given[1]) return badField('clientId', 'contradicts client_id; send one')
  const clientId = given[0]
  if (clientId !== undefined && !isClientId(clientId))
    return badField('clientId', 'must be 1 to 255 printable ASCII characters without "*"')
  const ttlMs = toTtl(input['ttl'])
  if (isRefusal(ttlMs)) return ttlMs
  const capability = toCapability(input['capability'])
  if (isRefusal(capability)) return capability
  const mode = input['mode'] ?? 'request'
  if (!isMode(mode)) return badField('mode', `must be one of ${modes.join(', ')}`)
  return {
    mode,
    ...(clientId === undefined ? {} : { clientId }),
    ...(capability === undefined ? {} : { capability }),
    ...(ttlMs === undefined ? {} : { ttlMs }),
  }
}

const isMode = (value: unknown): value is Mode => modes.includes(value as Mode)

function toTtl(value: unknown): number | undefined | Refusal {
  if (absent.has(value)) return undefined
  const ttlMs = typeof value === 'string' && /^\d{1,9}$/.test(value) ? Number(value) : value
  return isLifetime(ttlMs, 1) ? ttlMs : badField('ttl', lifetimeRule(1))
}

function toCapability(value: unknown): Capability | undefined | Refusal {
  if (absent.has(value)) return undefined
  const capability = typeof value === 'string' ? parseCapabilityText(value) : parseCapability(value)
  if (typeof capability === 'string') return badField('capability', capability)
  return capability.size <= maxResources
    ? capability
    : badField('capability', `names more than ${maxResources} resources; use a wildcard, or ask more than once`)
}
