// Random grants over a small alphabet, asks for part of them, and subjects to try. It owns what is tried: mostly subjects that just
// match, and such that just do not. A seed makes the same ones again.

import fc from 'fast-check'
import { type Case, fill, type Side } from './nats-grants-model.ts'

export interface Subscription {
  readonly subject: string
  readonly queue?: string
}
export interface Trial {
  readonly given: Case
  /** With `{inbox}` where his inbox prefix belongs. */
  readonly publish: readonly string[]
  readonly subscribe: readonly Subscription[]
  /** For one subject each, inside the grant or just beyond it. */
  readonly asks: readonly Case['ask'][]
}
const probesPerSide = 12
const asksPerGrant = 10

export const randomTrials = (count: number, seed: number, { canDeny = true } = {}): readonly Trial[] =>
  fc.sample(fc.gen(), { numRuns: count, seed }).map((generate, index) => {
    const chance = toChance((min, max) => generate(fc.integer, { min, max }))
    const made = makeCase(chance, `u${String(index).padStart(3, '0')}`)
    const { deny: _, ...grant } = made.grant
    const given = canDeny ? made : { ...made, grant }
    const [publish, subscribe] = [makePublishes(chance, given), makeSubscriptions(chance, given)]
    return { given, publish, subscribe, asks: listOf(asksPerGrant, () => makeAsk(chance, given)) }
  })

interface Chance {
  between(min: number, max: number): number
  oneOf<T>(items: readonly [T, ...T[]]): T
  isOnceIn(times: number): boolean
}
const toChance = (between: Chance['between']): Chance => ({
  between,
  oneOf: (items) => items[between(0, items.length - 1)] ?? items[0],
  isOnceIn: (times) => between(1, times) === 1,
})

const listOf = <T>(length: number, make: () => T): T[] => Array.from({ length }, make)

function makeCase(chance: Chance, user: string): Case {
  const { between, oneOf, isOnceIn } = chance
  const holder = { user, team: oneOf(['a', 'b', 'ab']) }
  const publish = listOf(between(0, 4), () => makePattern(chance, 'publish'))
  const subscribe = listOf(between(publish.length === 0 ? 1 : 0, 4), () => makeEntry(chance))
  // The linter refuses it beside a wildcard.
  if (isOnceIn(6) && !publish.some((text) => /^[*>]/.test(text))) publish.push('$SYS.REQ.USER.INFO')
  const granted = [...publish, ...subscribe.map(subjectOf)]
  const deny = listOf(isOnceIn(2) ? 0 : between(1, 3), () =>
    isOnceIn(2) ? makePattern(chance, 'deny') : narrow(chance, fill(oneOf(granted as [string]), holder)),
  )
  const grant = {
    ...(publish.length > 0 && { publish }),
    ...(subscribe.length > 0 && { subscribe }),
    ...(deny.length > 0 && { deny }),
    ...(isOnceIn(5) && { inbox: false as const }),
    ...(isOnceIn(4) && { responses: { max: between(1, 3) } }),
  }
  const askFor = (side: Side, entries: readonly string[]) => {
    if (isOnceIn(3) || entries.length === 0) return isOnceIn(6) ? { [side]: [] } : {}
    const asked = listOf(between(1, 3), () => {
      return narrow(chance, fill(oneOf(entries as [string]), holder))
    })
    return { [side]: asked }
  }
  const isLeftToTheAsk = granted.every((text) => text.includes('{room}'))
  const mayBeSilent = !isLeftToTheAsk || isOnceIn(5)
  return {
    ...holder,
    grant,
    ask: mayBeSilent && isOnceIn(2) ? {} : { ...askFor('publish', publish), ...askFor('subscribe', subscribe) },
  }
}

function makePattern({ between, oneOf, isOnceIn }: Chance, side: Side | 'deny'): string {
  const words = ['a', 'a', 'b', 'b', 'c', 'a*', '*', '*', '{user}', '{team}', 'x-{team}'] as const
  let mayAsk = side !== 'deny'
  const tokens = listOf(between(1, 4), () => {
    if (!mayAsk || !isOnceIn(9)) return oneOf(words) as string
    mayAsk = false
    return oneOf(['{room}', 'x-{room}'])
  })
  if (isOnceIn(4)) tokens[tokens.length - 1] = '>'
  // The linter refuses a right to subscribe that ends like this.
  if (side === 'subscribe' && tokens.at(-1) === '*') tokens[tokens.length - 1] = oneOf(['>', 'b'])
  return tokens.join('.')
}

function makeEntry(chance: Chance): string {
  const pattern = makePattern(chance, 'subscribe')
  return chance.isOnceIn(4) ? `${pattern} ${chance.oneOf(['q', 'q.*', 'q.>', '{team}'])}` : pattern
}

const subjectOf = (entry: string): string => entry.split(' ')[0] as string

/** The same or a part of it; of what is left to the ask, a choice. */
function narrow(chance: Chance, entry: string, { isLiteral = false } = {}): string {
  const { oneOf } = chance
  return entry
    .split(' ')
    .map((pattern) =>
      pattern
        .split('.')
        .map((token) => {
          if (token === '*') return oneOf(isLiteral ? ['a', 'b', 'u001', 'zz'] : ['*', '*', 'a', 'b'])
          if (token === '>')
            return oneOf(isLiteral ? ['a', 'b', 'a.b', 'b.a.b'] : ['>', '*.>', 'a', 'a.b', '*.b', 'a.*'])
          return token.replace('{room}', oneOf(['a', 'b', 'zz']))
        })
        .join('.'),
    )
    .join(' ')
}

function makeAsk(chance: Chance, given: Case): Case['ask'] {
  const { grant } = given
  const side =
    grant.publish === undefined || (grant.subscribe !== undefined && chance.isOnceIn(2)) ? 'subscribe' : 'publish'
  const entry = fill(chance.oneOf(grant[side] as unknown as [string]), given)
  return { [side]: [chance.isOnceIn(3) ? narrow(chance, entry) : makeNearMiss(chance, entry, side)] }
}

/** What is asked by somebody who tries: a little wider, longer, shorter or elsewhere than the entry. */
function makeNearMiss(chance: Chance, entry: string, side: Side): string {
  const { oneOf, between, isOnceIn } = chance
  if (/^[*>]/.test(entry) && isOnceIn(4)) return oneOf(['$SYS.REQ.ACCOUNT.PING.CONNZ', '$SYS.REQ.USER.INFO', '$SYS.>'])
  const wrongRoom = entry.replace('{room}', oneOf(['abc', 'x-a', 'a*', '*', 'A', '>x']))
  if (wrongRoom !== entry && isOnceIn(2)) return narrow(chance, wrongRoom)
  const [subject = '', queue] = narrow(chance, entry).split(' ')
  if (side === 'subscribe' && isOnceIn(3))
    return [subject, ...oneOf([[], ['q'], ['q.a'], ['q.a.b'], ['q.>'], ['*'], ['b']])].join(' ')
  const tokens = subject.split('.')
  const at = between(0, tokens.length - 1)
  const change = oneOf(['*', '>', 'other', 'more', 'less'] as const)
  if (change === '*') tokens[at] = '*'
  else if (change === '>') tokens.splice(at, tokens.length, '>')
  else if (change === 'other') tokens[at] = oneOf(['a', 'b', 'zz', 'x-a', 'u000'])
  else if (change === 'more') tokens.splice(at, 0, oneOf(['a', '*']))
  else if (tokens.length > 1) tokens.splice(at, 1)
  return [tokens.join('.'), ...(queue === undefined ? [] : [queue])].join(' ')
}

/** One token another one, gone or added. */
function mutate({ between, oneOf }: Chance, subject: string): string {
  const tokens = subject.split('.')
  const at = between(0, tokens.length - 1)
  const change = oneOf(['other', 'gone', 'more'] as const)
  const token = oneOf(['a', 'b', 'c', 'u000', 'x-a', 'x-zz', 'zzz', 'a*'])
  if (change === 'more') tokens.splice(at + 1, 0, token)
  else if (change === 'other' || tokens.length === 1) tokens[at] = token
  else tokens.splice(at, 1)
  return tokens.join('.')
}

const special = [
  '{inbox}.x',
  '{inbox}.x.1',
  '{inbox}',
  '_INBOX.x',
  '_INBOX_0123456789.x',
  '$SYS.REQ.USER.INFO',
  '$SYS.REQ.ACCOUNT.PING.CONNZ',
  '$JS.API.INFO',
] as const

/** Subjects near what he has on this side, by grant or by ask. */
function makeNear(chance: Chance, given: Case, side: Side): () => string {
  const { oneOf, isOnceIn } = chance
  const { grant, ask } = given
  const [granted = [], asked = granted] = [grant[side], ask[side]]
  const own = [...granted, ...asked, ...asked, ...asked]
  const denied = grant.deny ?? []
  const literal = (text: string) => narrow(chance, fill(subjectOf(text), given), { isLiteral: true })
  return () => {
    if (isOnceIn(10)) return oneOf(special)
    if (denied.length > 0 && isOnceIn(5)) return literal(oneOf(denied as [string]))
    const subject = own.length > 0 ? literal(oneOf(own as [string])) : literal(makePattern(chance, side))
    return isOnceIn(4) ? mutate(chance, subject) : subject
  }
}

function makePublishes(chance: Chance, given: Case): readonly string[] {
  const near = makeNear(chance, given, 'publish')
  return [...new Set(listOf(probesPerSide, near))]
}

function makeSubscriptions(chance: Chance, given: Case): readonly Subscription[] {
  const { oneOf, isOnceIn, between } = chance
  const near = makeNear(chance, given, 'subscribe')
  const entries = [...(given.grant.subscribe ?? []), ...(given.ask.subscribe ?? [])].map((text) => fill(text, given))
  const wild = () => {
    if (entries.length > 0 && isOnceIn(2)) return narrow(chance, subjectOf(oneOf(entries as [string])))
    const tokens = near().split('.')
    if (isOnceIn(6)) return oneOf(['>', '*', '*.>', '{inbox}.>', '_INBOX.>', '$SYS.>'])
    if (isOnceIn(2)) tokens[tokens.length - 1] = '>'
    else tokens[between(0, tokens.length - 1)] = '*'
    return tokens.join('.')
  }
  const made = listOf(probesPerSide, () => {
    const subject = isOnceIn(3) ? wild() : near()
    return isOnceIn(3) ? `${subject} ${oneOf(['q', 'q.a', 'q.a.b', 'other', given.team])}` : subject
  })
  return [...new Set(made)].map((text) => {
    const [subject = '', queue] = text.split(' ')
    return { subject, ...(queue !== undefined && { queue }) }
  })
}
