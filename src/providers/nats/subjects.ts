// Subjects. It owns what nats-server takes for a subject, and when one pattern is inside another (nats-server, server/sublist.go;
// facts/nats.md 5). Pure. A pattern is a list of tokens.

export type Tokens = readonly string[]

/** `subject`, or `subject queue`: the second is for members of that queue alone. */
export interface Entry {
  readonly subject: Tokens
  readonly queue?: Tokens
}

/**
 * Narrower than IsValidSubject, which knows five kinds of white space: client.go, splitSubjectQueue, cuts entries at every one of
 * Unicode. It makes `a.b` for the queue `c.d` of `a.b\u0085c.d`, and an entry of nothing else makes it panic with the client locked,
 * so that `/connz` never answers again (v2.12.8). Control characters go with them, and U+FFFD, which Go reads for half a surrogate
 * pair.
 */
const noSubject = /[\s\p{Cc}\p{Cs}\ufffd]/u

/** sublist.go, IsValidSubject: no empty token, `>` only as the last one. `*` and `>` inside a word are letters: `foo*`. */
export function isSubject(text: string): boolean {
  if (noSubject.test(text)) return false
  const tokens = text.split('.')
  return tokens.every((token, index) => token !== '' && (token !== '>' || index === tokens.length - 1))
}

/** Without wildcards, as a publisher names it. */
export const isLiteralSubject = (text: string): boolean =>
  isSubject(text) && text.split('.').every((token) => token !== '*' && token !== '>')

/** Undefined where either part is not a subject. */
export function parseEntry(text: string): Entry | undefined {
  const [subject = '', queue, ...more] = text.split(' ')
  if (!isSubject(subject) || more.length > 0 || (queue !== undefined && !isSubject(queue))) return undefined
  return { subject: subject.split('.'), ...(queue === undefined ? {} : { queue: queue.split('.') }) }
}

type IsToken = (granted: string, asked: string) => boolean
const isSame: IsToken = (granted, asked) => granted === asked

/**
 * Whether everything that `asked` matches is matched by `granted` too.
 * @param isToken compares a literal token of the grant with one of the ask
 */
export function covers(granted: Tokens, asked: Tokens, isToken = isSame): boolean {
  for (const [index, token] of granted.entries()) {
    if (token === '>') return asked.length > index
    const other = asked[index]
    if (other === undefined || other === '>') return false
    if (token === '*') continue
    if (other === '*' || !isToken(token, other)) return false
  }
  return granted.length === asked.length
}

/** Whether some subject is matched by both. */
export function overlaps(a: Tokens, b: Tokens): boolean {
  for (let index = 0; ; index++) {
    const [one, other] = [a[index], b[index]]
    if (one === undefined || other === undefined) return one === other
    if (one === '>' || other === '>') return true
    if (one !== '*' && other !== '*' && one !== other) return false
  }
}

/** What a subscriber can really get: nats-server lets whoever may subscribe `foo.*` subscribe `foo.>`. */
export const reach = (pattern: Tokens): Tokens => (pattern.at(-1) === '*' ? [...pattern.slice(0, -1), '>'] : pattern)

/** nats-server's own check of a subscription: its tokens are taken as words, wildcards too (client.go, canSubscribe). */
export function canSubscribe(allow: Tokens, subscription: Tokens): boolean {
  for (const [index, token] of allow.entries()) {
    if (token === '>') return subscription.length > index
    const other = subscription[index]
    if (other === undefined || (token !== '*' && token !== other)) return false
  }
  return allow.length === subscription.length
}

/** Whether a pattern matches a literal subject. */
export const matches = (pattern: Tokens, literal: Tokens): boolean => canSubscribe(pattern, literal)

/** Queues are compared as subjects; a right without one holds for every queue, and not the other way round. */
export function entryCovers(granted: Entry, asked: Entry, isToken = isSame): boolean {
  if (!covers(granted.subject, asked.subject, isToken)) return false
  return granted.queue === undefined || (asked.queue !== undefined && covers(granted.queue, asked.queue, isToken))
}
