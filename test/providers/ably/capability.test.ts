import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  addOperations,
  type Capability,
  covers,
  operations,
  parseCapability,
  parseCapabilityText,
  parseResource,
  type Resource,
  toCanonical,
  toText,
} from '../../../src/providers/ably/capability.ts'
import { type Channel, names } from '../../oracles/ably.ts'
import { nameOfTrap, trapTexts, trapValues } from '../../trap-values.ts'

const resource = (text: string): Resource => {
  const parsed = parseResource(text)
  if (parsed === undefined) throw new Error(`no resource: ${text}`)
  return parsed
}
const isCovered = (granted: string, asked: string) => covers(resource(granted), resource(asked))
const parsed = (value: unknown): Capability => {
  const capability = parseCapability(value)
  if (typeof capability === 'string') throw new Error(capability)
  return capability
}

describe('a resource', () => {
  it.each<[string, string, string[]]>([
    ['a', '', ['a']],
    ['a:b:c', '', ['a', 'b', 'c']],
    ['*', '', ['*']],
    ['a:*', '', ['a', '*']],
    ['a:', '', ['a', '']],
    ['foo*', '', ['foo*']],
    ['[meta]log', 'meta', ['log']],
    ['[queue]q:1', 'queue', ['q', '1']],
    ['[*]*', '*', ['*']],
    ['a[b]', '', ['a[b]']],
    ['constructor', '', ['constructor']],
    ['a'.repeat(255), '', ['a'.repeat(255)]],
  ])('%s is read', (text, qualifier, segments) => {
    expect(parseResource(text)).toEqual({ qualifier, segments })
  })

  it.each([
    '',
    ':',
    ':a',
    '[',
    '[]',
    '[]a',
    '[meta]',
    '[meta]:a',
    '[meta][queue]a',
    '[Meta]a',
    '[meta ]a',
    '[foo]a',
    '[?rewind=1]a',
    '[meta?x=1]a',
    '[**]a',
    '[*',
    'a\n',
    'a\nb',
    '\na',
    'a\u0000',
    'a\tb',
    'é',
    'ａ',
    '＊',
    'a：b',
    '\ud800',
    '__proto__',
    '[meta]__proto__',
    'a'.repeat(256),
  ])('%j is none', (text) => {
    expect(parseResource(text)).toBeUndefined()
  })

  it.each(trapTexts.map((text) => [nameOfTrap(text), text]))('%s is printable ASCII or none', (_name, text) => {
    if (/[^ -~]/.test(text) || text === '') expect(parseResource(text)).toBeUndefined()
  })
})

describe('one resource covers another', () => {
  it.each([
    ['a', 'a'],
    ['a:b', 'a:b'],
    ['*', 'a'],
    ['*', 'a:b'],
    ['*', '*'],
    ['*', '*:*'],
    ['a:*', 'a:b'],
    ['a:*', 'a:b:c'],
    ['a:*', 'a:*'],
    ['a:*', 'a:*:b'],
    ['a:*', 'a:'],
    ['a:*:c', 'a:b:c'],
    ['a:*:c', 'a:*:c'],
    ['a:*:*', 'a:b:c'],
    ['a:*:*', 'a:b:*'],
    ['*:b', 'a:b'],
    ['[*]a', 'a'],
    ['[*]a', '[meta]a'],
    ['[*]*', '[*]*'],
    ['[meta]*', '[meta]a:b'],
  ])('%s covers %s', (granted, asked) => {
    expect(isCovered(granted, asked)).toBe(true)
  })

  it.each([
    ['a', 'b'],
    ['a', 'A'],
    ['a', 'a:b'],
    ['a:b', 'a'],
    ['a', '*'],
    ['a:b', 'a:*'],
    ['a:b', '*:b'],
    ['a:*', '*'],
    ['a:*', 'a'],
    ['a:*', 'ab'],
    ['a:*', 'b:a'],
    ['a:*', '*:*'],
    ['a:*:c', 'a:*'],
    ['a:*:c', 'a:b:*'],
    ['a:*:c', 'a:b:c:d'],
    ['a:*:c', '*:b:c'],
    ['a:*:*', 'a:*'],
    ['a:*:*', 'a:b'],
    ['*:b', '*'],
    ['*:*', '*'],
    ['*:*', 'a'],
    ['foo*', 'foobar'],
    ['a:foo*', 'a:foobar'],
    ['*', '[meta]a'],
    ['*', '[queue]a'],
    ['*', '[*]a'],
    ['a', '[meta]a'],
    ['[meta]a', 'a'],
    ['[meta]a', '[queue]a'],
    ['[meta]a', '[*]a'],
    ['[meta]*', '[*]*'],
  ])('%s does not cover %s', (granted, asked) => {
    expect(isCovered(granted, asked)).toBe(false)
  })

  it('only where every channel that the other names is its own: 30,000 pairs against all channels one by one', () => {
    const words = ['a', 'b', 'c', '']
    const channelNames = [1, 2, 3, 4].flatMap((length) =>
      Array.from({ length: words.length ** length }, (_, index) =>
        Array.from({ length }, (_, at) => words[Math.floor(index / words.length ** at) % words.length]).join(':'),
      ),
    )
    const channels = (['', 'meta', 'queue'] as const).flatMap((type) =>
      channelNames.filter((name) => name !== '' && !name.startsWith(':')).map((name): Channel => ({ type, name })),
    )
    const named = new Map<string, Set<number>>()
    const channelsOf = (text: string): Set<number> => {
      const known = named.get(text)
      if (known !== undefined) return known
      const found = new Set(channels.flatMap((channel, index) => (names(text, channel, 'one or more') ? [index] : [])))
      named.set(text, found)
      return found
    }
    const segment = fc.constantFrom('a', 'b', '*', '*')
    const anyResource = fc
      .tuple(fc.constantFrom('', '', '', '[meta]', '[queue]', '[*]'), fc.array(segment, { minLength: 1, maxLength: 3 }))
      .map(([qualifier, segments]) => `${qualifier}${segments.join(':')}`)
    const seen = { pairs: 0, yes: 0, falseNo: [] as string[] }
    fc.assert(
      fc.property(anyResource, anyResource, (granted, asked) => {
        const [mine, theirs] = [channelsOf(granted), channelsOf(asked)]
        const isSubset = [...theirs].every((channel) => mine.has(channel))
        const answer = isCovered(granted, asked)
        seen.pairs++
        if (answer) seen.yes++
        // A yes that is wrong is a right that nobody gave.
        expect(answer && !isSubset).toBe(false)
        if (isSubset && !answer) seen.falseNo.push(`${granted} ⊇ ${asked}`)
      }),
      { numRuns: 30_000 },
    )
    expect(seen.pairs).toBe(30_000)
    expect(seen.yes).toBeGreaterThan(1000)
    expect([...new Set(seen.falseNo)]).toEqual([])
  })
})

describe('a capability', () => {
  it.each<[string, unknown, string]>([
    ['in canonical order', { b: ['subscribe', 'publish'], a: ['*'] }, '{"a":["*"],"b":["publish","subscribe"]}'],
    [
      'of channels 9 and 10 in the order of their texts',
      { 9: ['subscribe'], 10: ['subscribe'] },
      '{"10":["subscribe"],"9":["subscribe"]}',
    ],
    ['with each operation once', { a: ['publish', 'publish'] }, '{"a":["publish"]}'],
    ['with quotes and backslashes', { 'a"b\\c': ['subscribe'] }, '{"a\\"b\\\\c":["subscribe"]}'],
    ['with the name of an object’s own property', { constructor: ['subscribe'] }, '{"constructor":["subscribe"]}'],
  ])('is written %s', (_what, value, text) => {
    expect(toText(parsed(value))).toBe(text)
    expect(JSON.parse(text)).toEqual(JSON.parse(toText(parsed(JSON.parse(text)))))
  })

  it.each<[string, unknown, string]>([
    ['that is empty, which is everything to Ably', {}, 'at least one resource'],
    ['of a resource without operations', { a: [] }, 'a list of operations that is not empty'],
    ['of a resource with null', { a: null }, 'a list of operations'],
    ['of a resource with a text', { a: 'subscribe' }, 'a list of operations'],
    ['of a resource with *, as text', { a: '*' }, 'a list of operations'],
    ['with * among others', { a: ['*', 'subscribe'] }, 'stands alone'],
    ['with an unknown operation', { a: ['root'] }, 'does not document'],
    ['with another case of an operation', { a: ['Subscribe'] }, 'does not document'],
    ['with an operation that is a list', { a: [['subscribe']] }, 'does not document'],
    ['with an operation of an object', { a: ['constructor'] }, 'does not document'],
    ['with null for an operation', { a: [null] }, 'does not document'],
    ['with an empty operation', { a: [''] }, 'does not document'],
    ['with one good resource and one bad', { a: ['subscribe'], 'b\n': ['subscribe'] }, 'no channel name'],
    ['of an empty resource', { '': ['subscribe'] }, 'no channel name'],
    ['of __proto__', JSON.parse('{"__proto__":["*"]}'), 'no channel name'],
    ['in a list', [['a']], 'must be an object'],
  ])('%s is refused', (_what, value, rule) => {
    expect(parseCapability(value)).toContain(rule)
  })

  it.each(trapValues.map((value) => [nameOfTrap(value), value]))('that is %s is refused', (_name, value) => {
    expect(parseCapability(value)).toBeTypeOf('string')
    expect(parseCapability({ a: value })).toBeTypeOf('string')
    expect(parseCapability({ a: [value] })).toBeTypeOf(value === '*' ? 'object' : 'string')
  })

  it.each(['', 'null', '"a"', '[]', '{', '{"a":["subscribe"]', '{"a":["subscribe"]}x', 'NaN', "{'a':['subscribe']}"])(
    'is not the text %j',
    (text) => {
      expect(parseCapabilityText(text)).toBeTypeOf('string')
    },
  )

  it('is what a text says last, where it says a resource twice, and that is what is written', () => {
    const capability = parseCapabilityText('{"a":["*"],"a":["subscribe"]}')
    expect(typeof capability === 'string' ? capability : toText(capability)).toBe('{"a":["subscribe"]}')
  })

  it('is the same text, in whatever order its parts come, and reads back as what it was', () => {
    const anyName = fc.oneof(
      fc.constantFrom('a', 'b:*', '9', '10', '[meta]x', '"', '\\', ' ', 'constructor'),
      fc.stringMatching(/^[a-z0-9"\\]{1,5}$/),
    )
    const anyOperations = fc.oneof(
      fc.constant(['*']),
      fc.subarray(
        operations.filter((it) => it !== '*'),
        { minLength: 1 },
      ),
    )
    fc.assert(
      fc.property(fc.dictionary(anyName, anyOperations, { minKeys: 1, maxKeys: 6, noNullPrototype: true }), (value) => {
        if (Object.hasOwn(value, '__proto__')) return
        const text = toText(parsed(value))
        const shuffled = Object.fromEntries(
          Object.entries(value)
            .reverse()
            .map(([name, list]) => [name, [...list].reverse()]),
        )
        expect(toText(parsed(shuffled))).toBe(text)
        expect(toText(parseCapabilityText(text) as Capability)).toBe(text)
        expect(JSON.parse(text)).toEqual(
          Object.fromEntries(Object.entries(value).map(([name, list]) => [name, [...list].sort()])),
        )
        const order = [...(parseCapabilityText(text) as Capability).keys()]
        expect(order).toEqual([...order].sort())
        expect(text).not.toMatch(/^\s|[{,:]\s|\[\]/)
      }),
      { numRuns: 5000 },
    )
  })
})

describe('operations that are added', () => {
  it('stand there once, and * swallows the others', () => {
    const capability = new Map<string, readonly string[]>()
    const add = (...added: string[]) => {
      addOperations(capability, 'a', added)
      return toText(toCanonical(capability))
    }
    expect(add('subscribe')).toBe('{"a":["subscribe"]}')
    expect(add('publish', 'subscribe')).toBe('{"a":["publish","subscribe"]}')
    expect(add('*')).toBe('{"a":["*"]}')
    expect(add('publish')).toBe('{"a":["*"]}')
  })
})
