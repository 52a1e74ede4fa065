import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Pattern, parsePattern } from '../../src/policy/pattern.ts'

const parsed = (source: string): Pattern => {
  const pattern = parsePattern(source)
  if (typeof pattern === 'string') throw new Error(`${source}: ${pattern}`)
  return pattern
}

interface Atom {
  readonly chars: readonly string[]
  readonly min: number
  readonly max: number
}
/** A pattern as a list of alternatives, and its source; small enough to list every text that it matches. */
const atom = (max: number): fc.Arbitrary<Atom> =>
  fc.record({
    chars: fc.uniqueArray(fc.constantFrom('a', 'b', 'c', '*', '-'), { minLength: 1, maxLength: 3 }),
    min: fc.nat(2),
    max: fc.integer({ min: 1, max }),
  })
const sourceOfAtom = ({ chars, min, max }: Atom): string =>
  `[${chars.map((char) => `\\${char}`.replace(/\\([abc])/, '$1')).join('')}]{${Math.min(min, max)},${max}}`
const sourceOf = (alternatives: readonly (readonly Atom[])[]): string =>
  alternatives.map((atoms) => atoms.map(sourceOfAtom).join('')).join('|')

const everyText = (atoms: readonly Atom[]): Set<string> =>
  atoms.reduce(
    (heads, { chars, min, max }) => {
      const out = new Set<string>()
      for (const head of heads) {
        let layer = new Set([head])
        for (let count = 0; count <= max; count++) {
          if (count >= Math.min(min, max)) for (const text of layer) out.add(text)
          layer = new Set([...layer].flatMap((text) => chars.map((char) => text + char)))
        }
      }
      return out
    },
    new Set(['']),
  )

describe('any pattern that is accepted', () => {
  it('matches exactly the texts that its parts can be put together to', () => {
    const alternatives = fc.array(fc.array(atom(3), { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 2 })
    const probe = fc.string({ unit: fc.constantFrom('a', 'b', 'c', '*', '-', '\n', '\\'), maxLength: 6 })
    let acceptedCount = 0
    fc.assert(
      fc.property(alternatives, fc.array(probe, { minLength: 20, maxLength: 20 }), (given, probes) => {
        const pattern = parsePattern(sourceOf(given))
        if (typeof pattern === 'string') return
        acceptedCount++
        const model = new Set(given.flatMap((atoms) => [...everyText(atoms)]))
        expect([...model].filter((text) => !pattern.matches(text))).toEqual([])
        expect(probes.filter((text) => pattern.matches(text) !== model.has(text))).toEqual([])
        expect(pattern.maxLength).toBe(Math.max(...[...model].map((text) => text.length)))
        expect(new Set([...model].join(''))).toEqual(pattern.alphabet)
      }),
      { numRuns: 3000 },
    )
    expect(acceptedCount).toBeGreaterThan(300)
  })

  // Regular expressions that backtrack need seconds here, and minutes for one character more.
  const limitMs = 100
  const elapsedMs = (run: () => void) => {
    const from = performance.now()
    run()
    return performance.now() - from
  }
  /** The machine may pause at any moment: the quickest of a few runs counts. */
  const quickest = (run: () => void) => Math.min(...Array.from({ length: 3 }, () => elapsedMs(run)))

  it.each([
    '[A-Za-z0-9_-]{1,64}',
    '[a-z]{1,8}_[0-9]{1,4}',
    'a?b',
    'ab|cd',
    'a{0,2}b',
    '[a]{1,255}',
    '[a-z]{1,120}[0-9]{1,120}',
    'a{0,50}b{0,50}c{0,50}d{0,50}e',
  ])('%s says no to 64 KB of "a" at once', (source) => {
    const { matches } = parsed(source)
    const text = 'a'.repeat(65_536)
    expect(quickest(() => expect(matches(text)).toBe(false))).toBeLessThan(limitMs)
  })

  it('takes no longer for a text that was made to be hard', () => {
    const alternatives = fc.array(fc.array(atom(60), { minLength: 1, maxLength: 8 }), { minLength: 1, maxLength: 4 })
    let acceptedCount = 0
    fc.assert(
      fc.property(alternatives, fc.constantFrom('a', 'b', '*'), (given, last) => {
        const pattern = parsePattern(sourceOf(given))
        if (typeof pattern === 'string') return
        acceptedCount++
        // As much of each part as it can take, then what fits nowhere.
        const greedy = given.map((atoms) => atoms.map(({ chars, max }) => (chars[0] as string).repeat(max)).join(''))
        for (const text of [...greedy, greedy.join(''), last.repeat(5000)])
          expect(quickest(() => pattern.matches(`${text}\n`))).toBeLessThan(limitMs)
      }),
      { numRuns: 2000 },
    )
    expect(acceptedCount).toBeGreaterThan(50)
  })

  it('would see a pattern that backtracks', () => {
    const text = `${'a'.repeat(22)}!`
    expect(elapsedMs(() => /^(?:a{1,20}){1,20}$/.test(text))).toBeGreaterThan(limitMs)
  })
})
