// Capabilities. It owns their grammar, when one covers another, and the canonical text. Pure.
// Rules: https://ably.com/docs/auth/capabilities; the open points are read the narrow way (an `a:*` does not cover `a`).

/** Operations by resource; resources and operations in ascending order, `*` alone. */
export type Capability = ReadonlyMap<string, readonly string[]>

/** https://ably.com/docs/auth/capabilities#capability-operations */
export const operations: readonly string[] = [
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
]

const known = new Set(operations)

/** `[meta]name`: channel parameters such as `[?rewind=1]` play no part in matching and are refused. Printable ASCII, 255 at most. */
const resourcePattern = /^(?:\[(\*|meta|queue)\])?([\x20-\x7e]{1,255})$/

export interface Resource {
  /** Empty for a channel. */
  readonly qualifier: string
  readonly segments: readonly string[]
}

/** Undefined where the text is not a resource. */
export function parseResource(text: string): Resource | undefined {
  const [, qualifier = '', name] = resourcePattern.exec(text) ?? []
  if (name === undefined || /^[[:]/.test(name) || name === '__proto__') return undefined
  return { qualifier, segments: name.split(':') }
}

/** Whether every channel that `asked` names is named by `granted`; `isSegment` compares one that is not a wildcard. */
export function covers(
  granted: Resource,
  asked: Resource,
  isSegment: (granted: string, asked: string) => boolean = (left, right) => left === right,
): boolean {
  if (granted.qualifier !== '*' && granted.qualifier !== asked.qualifier) return false
  for (const [index, segment] of granted.segments.entries()) {
    const other = asked.segments[index]
    const isLast = index === granted.segments.length - 1
    if (other === undefined) return false
    if (segment === '*' && isLast) return true
    // An asked `*` is every segment, or all that follow: only a granted one covers it.
    if (segment !== '*' && (other === '*' || !isSegment(segment, other))) return false
  }
  return granted.segments.length === asked.segments.length
}

export const allows = (granted: readonly string[], operation: string): boolean =>
  granted.includes('*') || granted.includes(operation)

/** Reads a capability in the form of Ably’s documents, as an object; a string is the rule that it breaks. */
export function parseCapability(value: unknown): Capability | string {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return 'must be an object such as {"room:1":["subscribe"]}'
  const entries = Object.entries(value)
  // An empty capability is "all that the key can do" to Ably.
  if (entries.length === 0) return 'must name at least one resource'
  const capability = new Map<string, readonly string[]>()
  for (const [resource, given] of entries) {
    if (parseResource(resource) === undefined)
      return 'names a resource that is no channel name (printable ASCII, not starting with ":", optionally after [meta] or [queue], without parameters)'
    if (!Array.isArray(given) || given.length === 0)
      return 'must give each resource a list of operations that is not empty'
    if (!given.every((operation) => known.has(operation)))
      return `holds an operation that Ably does not document; the operations are ${operations.join(', ')}`
    if (given.includes('*') && given.length > 1) return 'mixes "*" with other operations; "*" stands alone'
    capability.set(resource, [...new Set(given as string[])])
  }
  return toCanonical(capability)
}

/** The same from JSON text, as SDKs send it. */
export function parseCapabilityText(text: string): Capability | string {
  try {
    return parseCapability(JSON.parse(text))
  } catch {
    return 'must be JSON text such as {"room:1":["subscribe"]}'
  }
}

/** Adds operations, each given once, to a resource; `*` swallows the others. */
export function addOperations(
  capability: Map<string, readonly string[]>,
  resource: string,
  added: readonly string[],
): void {
  const before = capability.get(resource)
  const all = before === undefined ? added : [...new Set([...before, ...added])]
  capability.set(resource, all.length > 1 && all.includes('*') ? ['*'] : all)
}

export const toCanonical = (capability: Capability): Capability =>
  new Map(
    [...capability]
      .sort(([left], [right]) => (left < right ? -1 : 1))
      .map(([resource, given]) => [resource, [...given].sort()]),
  )

/** The canonical text. Built by hand: an object would put the channels "9" and "10" in numeric order. */
export const toText = (capability: Capability): string =>
  `{${[...capability].map(([resource, given]) => `${JSON.stringify(resource)}:${JSON.stringify(given)}`).join(',')}}`
