// What a capability lets one do on one concrete channel, and whether a TokenRequest is signed. Written from Ably's pages,
// importing nothing from src/: https://ably.com/docs/auth/capabilities, https://ably.com/docs/api/token-request-spec

import { createHmac } from 'node:crypto'

/** A channel as it exists: no wildcards. `type` is empty for an ordinary channel. */
export interface Channel {
  readonly type: '' | 'meta' | 'queue'
  readonly name: string
}

/** How many segments a final `*` stands for: the documents show one or more, a public server of Ably's says none, too. */
export type Reading = 'one or more' | 'none, too'

export type CapabilityObject = Readonly<Record<string, readonly string[]>>

/** The operations that a capability permits on one channel; `*` stands for all. */
export const operationsOn = (capability: CapabilityObject, channel: Channel, reading: Reading): readonly string[] =>
  Object.entries(capability).flatMap(([resource, operations]) => (names(resource, channel, reading) ? operations : []))

/** Whether the resource names the channel. By a regular expression: nothing that src/ does. */
export function names(resource: string, { type, name }: Channel, reading: Reading): boolean {
  const bracket = resource.startsWith('[') ? resource.slice(1, resource.indexOf(']')) : ''
  const pattern = resource.startsWith('[') ? resource.slice(resource.indexOf(']') + 1) : resource
  if (bracket !== '*' && bracket !== type) return false
  const segments = pattern.split(':')
  const last = segments.pop() as string
  const one = (segment: string) => (segment === '*' ? '[^:]*' : literally(segment))
  const head = segments.map((segment) => `${one(segment)}:`).join('')
  if (last !== '*') return new RegExp(`^${head}${literally(last)}$`, 's').test(name)
  if (reading === 'none, too' && head !== '' && new RegExp(`^${head.slice(0, -1)}$`, 's').test(name)) return true
  return new RegExp(`^${head}.*$`, 's').test(name)
}

const literally = (text: string) => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')

export interface TokenRequestFields {
  readonly keyName: string
  readonly ttl: number
  readonly capability: string
  readonly clientId?: string
  readonly timestamp: number
  readonly nonce: string
  readonly mac: string
}

/** The mac that Ably computes over the fields as they were sent; the secret is used as text. */
export const macOf = (
  { keyName, ttl, capability, clientId = '', timestamp, nonce }: TokenRequestFields,
  secret: string,
): string =>
  createHmac('sha256', secret)
    .update(`${keyName}\n${ttl}\n${capability}\n${clientId}\n${timestamp}\n${nonce}\n`)
    .digest('base64')
