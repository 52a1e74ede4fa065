import { describe, expect, it } from 'vitest'
import { type Pattern, parsePattern } from '../../src/policy/pattern.ts'
import { trapTexts } from '../trap-values.ts'

const parsed = (source: string): Pattern => {
  const pattern = parsePattern(source)
  if (typeof pattern === 'string') throw new Error(`${source}: ${pattern}`)
  return pattern
}

const accepted = [
  'a',
  'abc',
  'a-b',
  'a b',
  '/',
  '[a-z]',
  '[abc]',
  '[a-c-e]',
  '[-a]',
  '[a-]',
  '[+--]',
  '[\\w-]',
  '[\\d]',
  '[\\]\\\\^]',
  '[a^]',
  '[$&]',
  '[.]',
  '[|]',
  '[{}]',
  '[()]',
  '[*+?]',
  '[ -~]{1,10}',
  '\\d',
  '\\w{1,64}',
  '\\d{3}',
  '\\.',
  '\\*',
  '\\ ',
  '\\-',
  'a?b',
  'a{0,2}b',
  'a{2}',
  'a{1,3}',
  'ab|cd',
  'a{1,2}|b{1,2}',
  'team-[a-z]{1,8}',
  '[a-z]{1,8}_[0-9]{1,4}',
  '[A-Za-z0-9_-]{1,64}',
  '[a-z0-9]{1,8}@[a-z]{1,8}\\.[a-z]{2,3}',
]

describe('a pattern', () => {
  it.each(accepted)('%s means what it means in JavaScript, the whole text', (source) => {
    const { matches, alphabet, maxLength } = parsed(source)
    const model = new RegExp(`^(?:${source})$`)
    const ascii = Array.from({ length: 128 }, (_, code) => String.fromCharCode(code))
    const words = [
      '',
      'a',
      'ab',
      'abc',
      'cd',
      'aab',
      'a-b',
      'a b',
      'team-x',
      'ab_12',
      'x@y.de',
      '12',
      '123',
      '-',
      ']',
      '\\',
    ]
    const texts = [...ascii, ...words, ...words.map((word) => `${word}\n`), ...trapTexts, 'é', 'ａ', '\u{1f600}']
    const wrong = texts.filter((text) => matches(text) !== model.test(text))
    expect(wrong).toEqual([])
    const matching = texts.filter(matches)
    expect(matching.filter((text) => text.length > maxLength || [...text].some((char) => !alphabet.has(char)))).toEqual(
      [],
    )
  })

  it.each([
    ['an unbounded star', '[a-z]*', 'unbounded "*"'],
    ['an unbounded plus', 'a+', 'unbounded "+"'],
    ['a dot', 'a.b', 'has "." at 1'],
    ['anchors, because the whole value is always matched', '^a$', 'has "^" at 0'],
    ['a dollar', 'a$', 'has "$" at 1'],
    ['groups', '(a|b)c', 'has "(" at 0'],
    ['look-ahead', '(?=a)a', 'has "(" at 0'],
    ['back-references', 'a\\1', 'unknown escape "\\1"'],
    ['negated classes', '[^*]', 'negated class'],
    ['an empty class', '[]', 'empty class'],
    ['a class that is not closed', '[a', 'not closed'],
    ['a class inside another', '[[a]]', 'one inside another'],
    ['a closing bracket alone', 'a]', 'has "]" at 1'],
    ['a lone backslash', 'a\\', 'unknown escape'],
    ['\\n', 'a\\n', 'unknown escape "\\n"'],
    ['\\s', '\\s{1,3}', 'unknown escape "\\s"'],
    ['\\W', '\\W', 'unknown escape "\\W"'],
    ['\\u', '\\u0041', 'unknown escape "\\u"'],
    ['\\p', '\\p{L}', 'unknown escape "\\p"'],
    ['\\b', 'a\\b', 'unknown escape "\\b"'],
    ['letters outside ASCII', 'é', 'printable ASCII'],
    ['a full-width star', '[a-z＊]', 'class'],
    ['a line break', 'a\nb', 'printable ASCII'],
    ['an emoji', '\u{1f600}', 'printable ASCII'],
    ['a range the wrong way round', '[z-a]', 'the wrong way round'],
    ['a range that ends in a class', '[!-\\d]', 'range'],
    ['a range that begins with a class', '[\\d--/]', 'range'],
    ['the empty pattern', '', 'empty alternative'],
    ['an empty alternative', 'a|', 'empty alternative'],
    ['an empty alternative in front', '|a', 'empty alternative'],
    ['the empty text', 'a{0,3}', 'matches the empty text'],
    ['the empty text by one alternative', 'abc|a?b?', 'matches the empty text'],
    ['a bound that cannot be met', 'a{2,1}', 'cannot be met'],
    ['a bound of nothing', 'a{0}', 'cannot be met'],
    ['an open bound', 'a{2,}', 'not {n} or {n,m}'],
    ['a bound without a number', 'a{,2}', 'not {n} or {n,m}'],
    ['a bound that is not closed', 'a{2', 'not {n} or {n,m}'],
    ['a bound of a bound', 'a{1,2}{3}', 'has "{" at 6'],
    ['a lazy bound', 'a{1,2}?', 'has "?" at 6'],
    ['a bound of nothing before it', '{1,2}', 'has "{" at 0'],
    ['more than 255 characters', '[a-z]{256}', 'may match 256'],
    ['more than 255 characters in all', '[a-z]{200}-[a-z]{200}', 'may match 401'],
    ['a repeat whose characters begin what follows', 'a{1,9}a', 'separate the two'],
    ['the same across optional parts', 'a{1,9}b?c{0,4}a', 'separate the two'],
    ['two repeats of one class', '[a-z]{1,9}[a-z]{1,9}', 'separate the two'],
  ])('refuses %s', (_what, source, rule) => {
    const result = parsePattern(source)
    expect(result).toBeTypeOf('string')
    expect(result).toContain(rule)
  })

  it.each(accepted)('%s never matches an empty text, a trailing line break or a full-width twin', (source) => {
    const { matches } = parsed(source)
    const wide = (text: string) => text.replace(/[!-~]/g, (char) => String.fromCharCode(char.charCodeAt(0) + 0xfee0))
    expect(matches('')).toBe(false)
    for (const text of ['a', 'ab', 'abc', '1', '-', '*', '.', 'a-b', 'team-x']) {
      expect(matches(`${text}\n`)).toBe(false)
      expect(matches(`${text}\u2028`)).toBe(false)
      expect(matches(wide(text))).toBe(false)
    }
  })

  it('matches the letters that fold to one another only as themselves', () => {
    const { matches } = parsed('[a-z]{1,9}')
    expect(['K', 'k', 'K', 'ſ', 's'].map(matches)).toEqual([false, true, false, false, true])
  })

  it('knows every character that can stand in a matching text', () => {
    expect([...parsed('ab|[0-2]{1,2}\\.').alphabet].sort().join('')).toBe('.012ab')
    expect(parsed('ab|[0-2]{1,2}\\.').maxLength).toBe(3)
  })
})
