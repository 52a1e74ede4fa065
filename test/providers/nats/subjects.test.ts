import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  canSubscribe,
  covers,
  type Entry,
  entryCovers,
  isLiteralSubject,
  isSubject,
  matches,
  overlaps,
  parseEntry,
  reach,
} from '../../../src/providers/nats/subjects.ts'
import { trapTexts } from '../../trap-values.ts'

/** Every list of up to `most` of these words. */
const listsOf = (words: readonly string[], most: number): string[][] =>
  most === 0
    ? []
    : listsOf(words, most - 1)
        .flatMap((list) => words.map((word) => [...list, word]))
        .concat(words.map((word) => [word]))

const patterns = listsOf(['a', 'b', '*', '>'], 3).filter((tokens) => !tokens.slice(0, -1).includes('>'))
const literals = listsOf(['a', 'b', 'c'], 4)
const pairs = patterns.flatMap((left) => patterns.map((right) => [left, right] as const))
const name = (tokens: readonly string[]): string => tokens.join('.')
/** What a pattern means, by the regular expression that says the same. */
const model = (pattern: readonly string[]): RegExp => {
  const parts = pattern.map((token) =>
    token === '*' ? '[^.]+' : token === '>' ? '.+' : token.replace(/[^A-Za-z0-9]/g, '\\$&'),
  )
  return new RegExp(`^${parts.join('\\.')}$`)
}
const literalsOf = new Map(
  patterns.map((pattern) => [
    name(pattern),
    new Set(literals.map(name).filter((literal) => model(pattern).test(literal))),
  ]),
)
const setOf = (pattern: readonly string[]): Set<string> => literalsOf.get(name(pattern)) as Set<string>

describe(`all ${pairs.length} pairs of patterns of up to 3 tokens, against all ${literals.length} subjects one by one`, () => {
  const wrong = (isRight: (left: string[], right: string[]) => boolean): string[] =>
    pairs.filter(([left, right]) => !isRight(left, right)).map(([left, right]) => `${name(left)} ${name(right)}`)

  it('are those', () => {
    expect([patterns.length, pairs.length, literals.length]).toEqual([52, 2704, 120])
  })

  it('a pattern matches what it means', () => {
    const bad = patterns.flatMap((pattern) =>
      literals.filter((literal) => matches(pattern, literal) !== setOf(pattern).has(name(literal))),
    )
    expect(bad).toEqual([])
  })

  it('one covers another exactly where it matches all that the other matches', () => {
    const isSubset = (left: string[], right: string[]) => [...setOf(right)].every((it) => setOf(left).has(it))
    expect(wrong((left, right) => covers(left, right) === isSubset(left, right))).toEqual([])
    expect(pairs.filter(([left, right]) => covers(left, right)).length).toBeGreaterThan(200)
  })

  it('they overlap exactly where some subject is matched by both', () => {
    const meet = (left: string[], right: string[]) => [...setOf(right)].some((it) => setOf(left).has(it))
    expect(wrong((left, right) => overlaps(left, right) === meet(left, right))).toEqual([])
  })

  it('one allows another to be subscribed exactly where its tokens, taken as words, are matched', () => {
    const asWord = (token: string) => ({ '*': 'star', '>': 'greater' })[token] ?? token
    const isAllowed = (left: string[], right: string[]) => model(left).test(name(right.map(asWord)))
    expect(wrong((left, right) => canSubscribe(left, right) === isAllowed(left, right))).toEqual([])
  })

  it('a pattern reaches exactly what the subscriptions that it allows match', () => {
    const sorted = (subjects: Iterable<string>) => [...new Set(subjects)].sort()
    for (const pattern of patterns) {
      const allowed = patterns.filter((other) => canSubscribe(pattern, other))
      const got = allowed.flatMap((other) => [...setOf(other)])
      expect(sorted(got), name(pattern)).toEqual(sorted(setOf(reach(pattern))))
    }
  })

  it('one that covers another reaches all that the other reaches', () => {
    expect(wrong((left, right) => !covers(left, right) || covers(reach(left), reach(right)))).toEqual([])
  })
})

describe('a subscriber', () => {
  it.each([
    ['foo.*', 'foo.>'],
    ['*', '>'],
    ['foo.*.*', 'foo.*.>'],
    ['foo.*.bar', 'foo.*.bar'],
    ['foo.>', 'foo.>'],
    ['foo', 'foo'],
    ['foo*', 'foo*'],
  ])('who may subscribe %s reaches %s', (pattern, reached) => {
    expect(name(reach(pattern.split('.')))).toBe(reached)
  })
})

describe('patterns of any length', () => {
  const token = fc.constantFrom('a', 'b', 'foo*', '>>', '*', '*')
  const anyPattern = fc
    .tuple(fc.array(token, { minLength: 1, maxLength: 12 }), fc.boolean())
    .map(([tokens, isOpen]) => (isOpen ? [...tokens, '>'] : tokens))
  /** Subjects that a pattern matches; where another does not match all of its subjects, it does not match one of these. */
  const witnessesOf = (pattern: readonly string[]): string[][] =>
    Array.from({ length: 15 }, (_, extra) =>
      pattern.flatMap((token, index) =>
        token === '*' ? [`new${index}`] : token === '>' ? Array.from({ length: extra + 1 }, () => 'new') : [token],
      ),
    )

  it('cover one another exactly where they match the subjects that tell', () => {
    let coveredCount = 0
    const alike = anyPattern.chain((pattern) =>
      fc.tuple(
        fc.constant(pattern),
        fc.oneof(
          anyPattern,
          fc
            .tuple(...pattern.map((token) => fc.constantFrom(token, token, token, 'a', '*')))
            .map((it) => it as string[]),
        ),
      ),
    )
    fc.assert(
      fc.property(alike, fc.boolean(), (pair, isTurned) => {
        const [granted, asked] = isTurned ? [pair[1], pair[0]] : pair
        if (asked.slice(0, -1).includes('>') || granted.slice(0, -1).includes('>')) return
        const answer = covers(granted, asked)
        if (answer) coveredCount++
        const witnesses = witnessesOf(asked)
        const meaning = model(granted)
        const isMatched = (literal: string[]) => meaning.test(name(literal))
        expect(answer).toBe(witnesses.every(isMatched))
        if (answer) expect(overlaps(granted, asked)).toBe(true)
        expect(overlaps(granted, asked)).toBe(overlaps(asked, granted))
        expect(witnesses.filter((literal) => matches(granted, literal))).toEqual(witnesses.filter(isMatched))
      }),
      { numRuns: 2000 },
    )
    expect(coveredCount).toBeGreaterThan(200)
  })

  it('cover and overlap themselves', () => {
    fc.assert(
      fc.property(anyPattern, (pattern) => {
        expect(covers(pattern, pattern)).toBe(true)
        expect(overlaps(pattern, pattern)).toBe(true)
        expect(canSubscribe(pattern, reach(pattern))).toBe(true)
      }),
    )
  })
})

describe('the comparison of words', () => {
  it('is the caller’s where both are words, and is asked about no wildcard', () => {
    const questions: string[] = []
    const isToken = (granted: string, asked: string) => {
      questions.push(granted, asked)
      return granted === `{${asked}}` || granted === asked
    }
    expect(covers(['x', '{a}', '*', '>'], ['x', 'a', '*', 'b', '>'], isToken)).toBe(true)
    expect(covers(['x', '{a}'], ['x', 'b'], isToken)).toBe(false)
    for (const [granted, asked] of pairs) covers(granted, asked, isToken)
    expect(questions.filter((token) => token === '*' || token === '>')).toEqual([])
  })

  it('never makes a wildcard of what is asked a word', () => {
    const anything = () => true
    expect(covers(['a'], ['*'], anything)).toBe(false)
    expect(covers(['a'], ['>'], anything)).toBe(false)
    expect(covers(['a', 'b'], ['a', '>'], anything)).toBe(false)
    expect(entryCovers({ subject: ['a'], queue: ['q'] }, { subject: ['a'], queue: ['*'] }, anything)).toBe(false)
    expect(entryCovers({ subject: ['a'], queue: ['q'] }, { subject: ['b'], queue: ['r'] }, anything)).toBe(true)
  })

  it('is by every letter otherwise', () => {
    expect(covers(['a'], ['A'])).toBe(false)
    expect(covers(['é'], ['e\u0301'])).toBe(false)
  })
})

describe('a subject', () => {
  it.each([
    'a',
    'a.b',
    '*',
    '>',
    'a.*',
    '*.*',
    'a.>',
    '*.>',
    'a.*.b',
    'foo*',
    '*foo',
    'a>',
    '>>',
    '**',
    '$SYS.REQ',
    'é.ß',
    '-',
  ])('is %j', (text) => {
    expect(isSubject(text)).toBe(true)
    expect(parseEntry(text)).toEqual({ subject: text.split('.') })
  })

  it.each([
    '',
    '.',
    'a.',
    '.a',
    'a..b',
    '>.a',
    'a.>.b',
    '>.>',
    '>.',
    'a b',
    ' a',
    'a ',
    'a\tb',
    'a\n',
    '\n',
    ' ',
    '\0',
    'a\0',
  ])('is not %j', (text) => {
    expect(isSubject(text)).toBe(false)
  })

  it.each([
    ['a', true],
    ['a.b.c', true],
    ['foo*.b>', true],
    ['*', false],
    ['>', false],
    ['a.*', false],
    ['*.a', false],
    ['a.*.b', false],
    ['a.>', false],
    ['', false],
    ['a..b', false],
    ['a b', false],
  ])('%j is literal: %s', (text, expected) => {
    expect(isLiteralSubject(text)).toBe(expected)
  })

  /** Go’s strings.Fields cuts at these (unicode.IsSpace), and nats-server reads entries by it (client.go, splitSubjectQueue). */
  const goSpaces = /[\t\n\v\f\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/
  /** server/sublist.go, isValidSubject, v2.12.8, line by line. */
  const isValidSubject = (subject: string): boolean => {
    if (subject === '') return false
    let isClosed = false
    for (const token of subject.split('.')) {
      if (token.length === 0 || isClosed) return false
      if (token.length > 1) {
        if (/[\t\n\f\r ]/.test(token)) return false
        continue
      }
      if (token === '>') isClosed = true
      else if (/[ \t\n\r\f]/.test(token)) return false
    }
    return true
  }
  const isTokenOfGo = (text: string) => isValidSubject(text) && !goSpaces.test(text)

  it('holds no character at which Go would cut it, or that Go reads as another', () => {
    const codes = Array.from({ length: 0x10000 }, (_, code) => code)
    const isTaken = (code: number) => isSubject(`a${String.fromCharCode(code)}b`)
    const taken = codes.filter(isTaken)
    const refused = codes.filter((code) => !isTaken(code))
    const isControl = (code: number) => code < 0x20 || (code >= 0x7f && code < 0xa0)
    const isSurrogate = (code: number) => code >= 0xd800 && code < 0xe000
    expect(taken.filter((code) => goSpaces.test(String.fromCharCode(code)))).toEqual([])
    const others = refused.filter(
      (code) => !goSpaces.test(String.fromCharCode(code)) && !isControl(code) && !isSurrogate(code),
    )
    expect(others.map((code) => code.toString(16))).toEqual(['feff', 'fffd'])
    expect(refused.filter(isControl)).toHaveLength(0x20 + 0x21)
    expect(refused.filter(isSurrogate)).toHaveLength(0x800)
    expect(isSubject('a.😀')).toBe(true)
  })

  it('is one to nats-server too, and each of its subjects in visible ASCII is one', () => {
    const anyText = fc.oneof(
      fc.string({ unit: fc.constantFrom('a', '.', '*', '>', ' ', '\t', '\u0085', '\u00a0', '\0', '\ud800') }),
      fc.string({ unit: fc.nat(0xffff).map((code) => String.fromCharCode(code)) }),
      fc.string({ unit: fc.constantFrom('a', '.', '*', '>', '$', '_'), maxLength: 8 }),
    )
    const seen = { yes: 0, no: 0 }
    fc.assert(
      fc.property(anyText, (text) => {
        const answer = isSubject(text)
        answer ? seen.yes++ : seen.no++
        if (answer) expect(isTokenOfGo(text)).toBe(true)
        if (/^[!-~]*$/.test(text)) expect(answer).toBe(isValidSubject(text))
        if (isLiteralSubject(text)) expect(answer && matches(['>'], text.split('.'))).toBe(true)
      }),
      { numRuns: 5000, examples: trapTexts.map((text) => [text]) },
    )
    expect(Math.min(seen.yes, seen.no)).toBeGreaterThan(500)
  })
})

describe('an entry', () => {
  it.each<[string, Entry]>([
    ['a.*', { subject: ['a', '*'] }],
    ['a.> q', { subject: ['a', '>'], queue: ['q'] }],
    ['a q.*', { subject: ['a'], queue: ['q', '*'] }],
    ['> >', { subject: ['>'], queue: ['>'] }],
  ])('is %j', (text, entry) => {
    expect(parseEntry(text)).toEqual(entry)
  })

  it.each([
    '',
    ' ',
    'a ',
    ' a',
    'a  q',
    'a q ',
    'a q r',
    'a\tq',
    'a\nq',
    'a\u00a0q',
    'a\u0085q',
    'a..b q',
    'a q..r',
    'a >.q',
    '>.a q',
    'a q\0',
    'a.b\u0085c.d',
    '\u0085',
    '\u3000',
  ])('is not %j', (text) => {
    expect(parseEntry(text)).toBeUndefined()
  })

  it('covers another exactly where all that the other permits, it permits: each subject, alone and in each queue', () => {
    const subjects = ['a', 'a.b', 'a.*', 'a.>', '*', '>', '*.b']
    const queues = ['', ' q', ' r', ' *', ' >', ' q.*', ' q.r', ' q.>']
    const entries = subjects.flatMap((subject) => queues.map((queue) => parseEntry(`${subject}${queue}`) as Entry))
    const uses = listsOf(['a', 'b', 'c'], 3).flatMap((literal) =>
      [undefined, ...listsOf(['q', 'r', 's'], 3).filter((queue) => queue.length < 3 || name(queue) === 'q.r.s')].map(
        (queue) => ({ literal, queue }),
      ),
    )
    const permitted = entries.map(
      ({ subject, queue }) =>
        new Set(
          uses.filter(
            (use) =>
              model(subject).test(name(use.literal)) &&
              (queue === undefined || (use.queue !== undefined && model(queue).test(name(use.queue)))),
          ),
        ),
    )
    const bad = entries.flatMap((granted, left) =>
      entries.filter((asked, right) => {
        const isSubset = [...(permitted[right] ?? [])].every((use) => permitted[left]?.has(use))
        return entryCovers(granted, asked) !== isSubset
      }),
    )
    expect(entries).toHaveLength(56)
    expect(bad).toEqual([])
  })

  it.each([
    ['a', 'a q', true],
    ['a q', 'a', false],
    ['a q', 'a q', true],
    ['a q', 'a r', false],
    ['a >', 'a', false],
    ['a.* q', 'a.b q', true],
    ['a.b q', 'a.* q', false],
  ])('%j covers %j: %s', (granted, asked, expected) => {
    expect(entryCovers(parseEntry(granted) as Entry, parseEntry(asked) as Entry)).toBe(expected)
  })
})
