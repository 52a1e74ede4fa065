// What an Ably capability is: its shape, its canonical text, and the intersection that Ably takes of two of them.
// Written apart from src/ and importing nothing from it, so that it can judge it.

/** Resource → operations. A Map, because a plain object moves integer-like channel names to the front. */
export type Capability = ReadonlyMap<string, ReadonlySet<string>>

// https://ably.com/docs/auth/capabilities#capability-operations
const operations = new Set([
  '*',
  'subscribe',
  'publish',
  'presence',
  'history',
  'object-subscribe',
  'object-publish',
  'annotation-subscribe',
  'annotation-publish',
  'message-update-own',
  'message-update-any',
  'message-delete-own',
  'message-delete-any',
  'stats',
  'push-subscribe',
  'push-admin',
  'channel-metadata',
  'privileged-headers',
])

const isOps = (ops: unknown): ops is string[] =>
  Array.isArray(ops) &&
  ops.length > 0 &&
  ops.every((op) => operations.has(op)) &&
  // ably-js test/rest/capability.test.js, invalid1: `*` beside another operation is refused.
  (!ops.includes('*') || ops.length === 1)

type Resource = { qualifier: string; segments: string[] }

// `[qualifier]name`. `[?rewind=1]name` has channel parameters and no qualifier: it is the plain channel.
// https://ably.com/docs/auth/capabilities#resource-names, https://ably.com/docs/channels/options
const toResource = (text: string): Resource | undefined => {
  const [, inside = '', name = ''] = /^(?:\[([^[\]]*)\])?([^[:\n][^\n]*)$/.exec(text) ?? []
  if (name === '') return undefined
  return { qualifier: inside.split(/[=?]/, 1)[0] ?? '', segments: name.split(':') }
}

const toText = ({ qualifier, segments }: Resource) => `${qualifier === '' ? '' : `[${qualifier}]`}${segments.join(':')}`

/** The capability in a JSON text, or undefined where Ably answers 400/40000. `{}` is well-formed and grants nothing. */
export const parseCapability = (text: string): Capability | undefined => {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  const capability = new Map<string, Set<string>>()
  for (const [resource, ops] of Object.entries(value)) {
    if (!isOps(ops) || !toResource(resource)) return undefined
    capability.set(resource, new Set(ops))
  }
  return capability
}

/** No white space, resources and operations in lexicographic order. https://ably.com/docs/api/token-request-spec */
export const toCanonical = (capability: Capability): string =>
  `{${[...capability.keys()]
    .sort()
    .map((resource) => `${JSON.stringify(resource)}:${JSON.stringify([...(capability.get(resource) ?? [])].sort())}`)
    .join(',')}}`

const intersectOps = (left: ReadonlySet<string>, right: ReadonlySet<string>): string[] => {
  if (left.has('*')) return [...right]
  if (right.has('*')) return [...left]
  return [...left].filter((op) => right.has(op))
}

const intersectQualifiers = (left: string, right: string): string | undefined => {
  if (left === '*') return right
  return right === '*' || left === right ? left : undefined
}

const intersectSegments = (left: string[], right: string[]): string[] | undefined => {
  if (left.length > right.length) return intersectSegments(right, left)
  if (left.length < right.length && left.at(-1) !== '*') return undefined
  const merged: string[] = []
  for (const [i, segment] of left.entries()) {
    const other = right[i] ?? ''
    if (segment === '*' && i === left.length - 1) return [...merged, ...right.slice(i)]
    if (segment === '*') merged.push(other)
    else if (other === '*' || other === segment) merged.push(segment)
    else return undefined
  }
  return merged
}

/** What both grant. Empty means that Ably refuses with 401/40160. https://ably.com/docs/auth/capabilities */
export const intersect = (left: Capability, right: Capability): Capability => {
  const out = new Map<string, Set<string>>()
  for (const [leftText, leftOps] of left) {
    for (const [rightText, rightOps] of right) {
      const [l, r] = [toResource(leftText), toResource(rightText)]
      if (!l || !r) continue
      const ops = intersectOps(leftOps, rightOps)
      const qualifier = intersectQualifiers(l.qualifier, r.qualifier)
      const segments = intersectSegments(l.segments, r.segments)
      if (ops.length === 0 || qualifier === undefined || segments === undefined) continue
      const resource = toText({ qualifier, segments })
      const merged = new Set([...(out.get(resource) ?? []), ...ops])
      // Two overlapping patterns can leave `*` beside other operations, which Ably would not take back as input.
      out.set(resource, merged.has('*') ? new Set(['*']) : merged)
    }
  }
  return out
}
