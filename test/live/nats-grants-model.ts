// What a grant for NATS gives, in a second opinion: written from facts/nats.md 5 and docs/nats.md, with regular expressions and by
// trying subjects out, and without a line of src/. It owns what the endpoint should answer, and what nats-server should let pass.

import { createHash } from 'node:crypto'

/** A grant as it stands in the policy, its holder, and what he asks. */
export interface Case {
  readonly user: string
  readonly team: string
  readonly grant: {
    readonly publish?: readonly string[]
    readonly subscribe?: readonly string[]
    readonly deny?: readonly string[]
    readonly inbox?: false
    readonly responses?: { readonly max: number }
  }
  readonly ask: { readonly publish?: readonly string[]; readonly subscribe?: readonly string[] }
}
export type Side = 'publish' | 'subscribe'

/** What stands in place of {room}, which the ask chooses: its pattern in the policy. */
export const roomPattern = '[a-z]{1,2}'

/** Where his replies arrive, if anywhere: docs/nats.md says that it is a hash of the user, as nats-server shows him. */
export const inboxPrefixOf = ({ user }: Pick<Case, 'user'>): string =>
  `_INBOX_${createHash('sha256').update(`main/${user}`).digest('hex').slice(0, 30)}`

export const fill = (text: string, { user, team }: Pick<Case, 'user' | 'team'>): string =>
  text.replaceAll('{user}', user).replaceAll('{team}', team)
const isLeftToTheAsk = (text: string): boolean => text.includes('{room}')

/** As nats-server matches: `*` is one token, `>` is one or more; a subscription’s own `*` and `>` are words like others. */
function toRegExp(pattern: string): RegExp {
  const tokens = pattern.split('.').map((token) => {
    if (token === '*') return '[^.]+'
    if (token === '>') return '.+'
    const [before = '', after] = token.split('{room}').map((text) => text.replace(/[^a-z0-9_]/gi, '\\$&'))
    return after === undefined ? before : `${before}${roomPattern}${after}`
  })
  return new RegExp(`^${tokens.join('\\.')}$`)
}

const split = (entry: string) => entry.split(' ') as [subject: string, queue?: string]
const isServers = (subject: string): boolean => subject.startsWith('$SYS.')

/** Whether one entry of a list lets this pass. */
function allows(entry: string, subject: string, queue: string | undefined): boolean {
  const [pattern, ofQueue] = split(entry)
  if (!toRegExp(pattern).test(subject)) return false
  return ofQueue === undefined || (queue !== undefined && toRegExp(ofQueue).test(queue))
}

/** Literal subjects of a pattern, as many as tell it from another pattern of these tests: each wildcard with each word. */
export function samplesOf(pattern: string): readonly string[] {
  const words = ['a', 'b', 'x-a', 'strange0']
  let samples = ['']
  for (const token of pattern.split('.')) {
    const tails =
      token === '*' ? words : token === '>' ? words.flatMap((word) => [word, `${word}.a`, `${word}.a.b.a.b`]) : [token]
    samples = samples.flatMap((sample) => tails.map((tail) => (sample === '' ? tail : `${sample}.${tail}`)))
  }
  return samples
}

/** Whether everything of the asked entry is in the granted one. */
function isInside(asked: string, granted: string): boolean {
  const [subject, queue] = split(asked)
  return samplesOf(subject).every((sample) =>
    (queue === undefined ? [undefined] : samplesOf(queue)).every((of) =>
      !isServers(sample) ? allows(granted, sample, of) : granted === sample,
    ),
  )
}

/** Whoever may subscribe `a.*` can subscribe `a.>`. */
const reach = (side: Side, pattern: string): string =>
  side === 'subscribe' ? pattern.replace(/(^|\.)\*$/, '$1>') : pattern

export interface Expected {
  readonly status: 200 | 403
  mayPublish(subject: string): boolean
  maySubscribe(subject: string, queue?: string): boolean
  /** Whether a subscription that he has gets what is published there: what is denied does not come to a wildcard either. */
  receives(subscription: string, subject: string): boolean
}

export function expectedOf(given: Case): Expected {
  const { grant, ask } = given
  const denied = (grant.deny ?? []).map((text) => toRegExp(fill(text, given)))
  const granted = { publish: grant.publish ?? [], subscribe: grant.subscribe ?? [] }
  const effective: Record<Side, readonly string[]> = { publish: [], subscribe: [] }
  let isRefused = false
  for (const side of ['publish', 'subscribe'] as const) {
    const own = granted[side].map((text) => fill(text, given))
    const asked = ask[side]
    effective[side] = asked ?? own.filter((text) => !isLeftToTheAsk(text))
    for (const text of asked ?? [])
      isRefused ||=
        !own.some((entry) => isInside(text, entry)) ||
        denied.some((pattern) => samplesOf(reach(side, split(text)[0])).every((sample) => pattern.test(sample)))
  }
  const isNothing =
    ask.publish === undefined &&
    ask.subscribe === undefined &&
    [...effective.publish, ...effective.subscribe].length === 0
  const isDenied = (subject: string) => denied.some((pattern) => pattern.test(subject))
  const inbox = grant.inbox === false ? [] : [`${inboxPrefixOf(given)}.>`]
  const mayUse = (entries: readonly string[], subject: string, queue?: string) =>
    entries.some((entry) => allows(entry, subject, queue)) &&
    !isDenied(subject) &&
    (!isServers(subject) || entries.includes(subject))
  return {
    status: isRefused || isNothing ? 403 : 200,
    mayPublish: (subject) => mayUse(effective.publish, subject),
    maySubscribe: (subject, queue) => mayUse([...effective.subscribe, ...inbox], subject, queue),
    receives: (subscription, subject) => toRegExp(subscription).test(subject) && !isDenied(subject),
  }
}
