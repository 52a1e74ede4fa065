// Rights → permissions of nats-server. It owns that neither side is ever left empty: the server reads that as everything.

import type { ConnectionType } from './ask.ts'
import type { UserRights } from './rights.ts'
import { type Entry, overlaps, parseEntry } from './subjects.ts'

export interface Permissions {
  readonly publish: { readonly allow: readonly string[]; readonly deny: readonly string[] }
  readonly subscribe: { readonly allow: readonly string[]; readonly deny: readonly string[] }
  readonly responses?: { readonly max: number; readonly ttlMs: number }
}

const everything = '>'
/** Inside a right that begins with a wildcard; it is the server's own. */
const serverSubjects = '$SYS.>'

/** @param inboxPrefix where his replies arrive, if he has an inbox */
export function toPermissions(
  { publish, subscribe, deny, responses, inbox }: Omit<UserRights, 'asked' | 'ttlSeconds'>,
  inboxPrefix: string,
): Permissions {
  return {
    publish: toSide(publish, deny),
    subscribe: toSide(forEveryQueue(inbox ? [...subscribe, `${inboxPrefix}.>`] : subscribe), deny),
    ...(responses === undefined ? {} : { responses }),
  }
}

function toSide(allow: readonly string[], deny: readonly string[]) {
  if (allow.length === 0) return { allow: [], deny: [everything] }
  const isOpen = allow.some((subject) => /^[*>]/.test(subject))
  return { allow, deny: isOpen ? [...deny, serverSubjects] : deny }
}

/**
 * Where an entry for one queue matches, nats-server asks none of the entries without a queue any more (client.go, canSubscribe): they
 * would hold for that queue alone. So they are said for every queue beside it.
 */
function forEveryQueue(allow: readonly string[]): readonly string[] {
  if (!allow.some((text) => text.includes(' '))) return allow
  const entries = allow.map((text) => parseEntry(text) as Entry)
  const ofQueues = entries.filter(({ queue }) => queue !== undefined)
  const hidden = allow.filter((_, index) => {
    const { subject, queue } = entries[index] as Entry
    return queue === undefined && ofQueues.some((other) => overlaps(subject, other.subject))
  })
  return [...allow, ...hidden.map((text) => `${text} ${everything}`)]
}

/** As the claims of a user JWT have them; a duration is in nanoseconds (nats-io/jwt, v2/types.go). */
export const toPermissionClaims = ({ publish, subscribe, responses }: Permissions) => ({
  pub: publish,
  sub: subscribe,
  ...(responses === undefined ? {} : { resp: { max: responses.max, ttl: responses.ttlMs * 1_000_000 } }),
  // Left out they would be 0: no subscription, no byte (facts/nats.md 6).
  subs: -1,
  data: -1,
  payload: -1,
})

/** nats-io/jwt, v2/user_claims.go, ConnectionType… */
const jwtTypes: Record<ConnectionType, readonly string[]> = {
  nats: ['STANDARD'],
  websocket: ['WEBSOCKET'],
  mqtt: ['MQTT', 'MQTT_WS'],
  leafnode: ['LEAFNODE', 'LEAFNODE_WS'],
}

export const toConnectionTypeClaims = (types: readonly ConnectionType[]) => ({
  allowed_connection_types: types.flatMap((type) => jwtTypes[type]),
})
