// nats-server's judgement of permissions, written from facts/nats.md 5 and shared with nothing of Usher: what the holder of a user
// JWT can publish and receive. An empty or missing allow list is everything, as it is to the server.

export interface Side {
  readonly allow?: readonly string[]
  readonly deny?: readonly string[]
}

const escaped = (text: string) => text.replace(/[^A-Za-z0-9]/g, '\\$&')
const matched = new Map<string, RegExp>()

/** Whether a subject, whose tokens are taken as words, is matched by a pattern. */
function isMatch(pattern: string, subject: string): boolean {
  let rule = matched.get(pattern)
  if (rule === undefined) {
    const tokens = pattern.split('.').map((token) => (token === '*' ? '[^.]+' : token === '>' ? '.+' : escaped(token)))
    rule = new RegExp(`^${tokens.join('\\.')}$`)
    if (matched.size > 50_000) matched.clear()
    matched.set(pattern, rule)
  }
  return rule.test(subject)
}

const isOpen = ({ allow = [] }: Side) => allow.length === 0

export const mayPublish = (side: Side, literal: string): boolean =>
  (isOpen(side) || (side.allow ?? []).some((pattern) => isMatch(pattern, literal))) &&
  !(side.deny ?? []).some((pattern) => isMatch(pattern, literal))

/**
 * Whether some subscription that the server accepts delivers this literal subject. It accepts one whose tokens, taken as words,
 * the entry matches: so `foo.>` is inside `foo.*`, and a last `*` is `>`. receivesByTrying() tries them all.
 * @param queue undefined = a plain subscription
 */
export function mayReceive({ allow = [], deny = [] }: Side, literal: string, queue?: string): boolean {
  if (deny.some((pattern) => isMatch(pattern, literal))) return false
  if (allow.length === 0) return true
  return allow.some((entry) => {
    const [pattern = '', group] = entry.split(' ')
    const isMember = group === undefined || (queue !== undefined && isMatch(group, queue))
    return isMember && isMatch(pattern.replace(/(^|\.)\*$/, '$1>'), literal)
  })
}

/** The same by every subscription that there is to a subject; slower, and with nothing to understand. */
export function receivesByTrying({ allow = [], deny = [] }: Side, literal: string): boolean {
  const isAllowed = (subscription: string) =>
    (allow.length === 0 || allow.some((pattern) => isMatch(pattern, subscription))) &&
    !deny.some((pattern) => isMatch(pattern, subscription))
  return !deny.some((pattern) => isMatch(pattern, literal)) && subscriptionsTo(literal).some(isAllowed)
}

/** Every subscription that a literal subject is delivered to: each token as it is or `*`, and `>` from any token on. */
function subscriptionsTo(literal: string): string[] {
  const tokens = literal.split('.')
  let heads: string[] = ['']
  const whole: string[] = []
  for (const [index, token] of tokens.entries()) {
    const join = (head: string, next: string) => (index === 0 ? next : `${head}.${next}`)
    whole.push(...heads.map((head) => join(head, '>')))
    heads = heads.flatMap((head) => [join(head, token), join(head, '*')])
  }
  return [...whole, ...heads]
}
