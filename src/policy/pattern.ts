// Patterns of vars. It owns the small regular language that `match:` may use: bounded, anchored, ASCII, linear to match.
// JavaScript’s own syntax would let an operator write a pattern that hangs the process or matches a vendor’s wildcard.

export interface Pattern {
  readonly source: string
  /** Whether the whole text matches. */
  matches(text: string): boolean
  /** Every character that can stand anywhere in a matching text. */
  readonly alphabet: ReadonlySet<string>
  readonly maxLength: number
}

interface Atom {
  readonly chars: ReadonlySet<string>
  readonly min: number
  readonly max: number
}

const maxPatternLength = 255
const meta = new Set('\\^$.()[]{}*+?|')
const named: Record<string, string> = { d: '0-9', w: 'A-Za-z0-9_' }
const isPrintable = (char: string | undefined): char is string => char !== undefined && /^[\x20-\x7e]$/.test(char)

/** Parses `match:`; a string is the rule that was broken, with the mend. */
export function parsePattern(source: string): Pattern | string {
  const alternatives: Atom[][] = []
  let at = 0
  try {
    do alternatives.push(sequence())
    while (source[at++] === '|')
  } catch (error) {
    if (error instanceof SyntaxError) return error.message
    throw error
  }
  const lengths = alternatives.map((atoms) => atoms.reduce((sum, atom) => sum + atom.max, 0))
  const maxLength = Math.max(...lengths)
  if (maxLength > maxPatternLength) return `may match ${maxLength} characters; bound it to ${maxPatternLength} or fewer`
  if (alternatives.some((atoms) => atoms.every((atom) => atom.min === 0)))
    return 'matches the empty text, which vendors read as "everything"; require one character, such as {1,64}'
  const ambiguous = alternatives.some((atoms) => atoms.some((atom, index) => isAmbiguous(atom, atoms.slice(index + 1))))
  if (ambiguous)
    return 'has a repeated part whose characters can also begin what follows it; separate the two, or merge them into one class'
  const regExp = new RegExp(`^(?:${alternatives.map((atoms) => atoms.map(toSource).join('')).join('|')})$`)
  return {
    source,
    matches: (text) => regExp.test(text),
    alphabet: new Set(alternatives.flat().flatMap((atom) => [...atom.chars])),
    maxLength,
  }

  function sequence(): Atom[] {
    const atoms: Atom[] = []
    while (at < source.length && source[at] !== '|') {
      const chars = charactersOf()
      atoms.push({ chars, ...bounds() })
    }
    if (atoms.length === 0) throw new SyntaxError('has an empty alternative; write at least one character in each')
    return atoms
  }

  function charactersOf(): Set<string> {
    const char = source[at++]
    if (char === '[') return charClass()
    if (char === '\\') return escaped()
    if (!isPrintable(char) || meta.has(char))
      throw new SyntaxError(
        `has "${char}" at ${at - 1}; only printable ASCII, classes such as [a-z0-9_-], and bounds such as {1,64} are understood, and the whole value is always matched`,
      )
    return new Set(char)
  }

  function escaped(): Set<string> {
    const char = source[at++]
    if (char !== undefined && Object.hasOwn(named, char)) return range(named[char] as string)
    if (!isPrintable(char) || /[A-Za-z0-9]/.test(char)) throw new SyntaxError(`has an unknown escape "\\${char ?? ''}"`)
    return new Set(char)
  }

  function charClass(): Set<string> {
    const chars = new Set<string>()
    if (source[at] === '^') throw new SyntaxError('has a negated class; list what is allowed instead')
    while (source[at] !== ']') {
      const from = classItem()
      const isRange = source[at] === '-' && source[at + 1] !== ']'
      if (isRange) at++
      for (const char of isRange ? between(from, classItem()) : from) chars.add(char)
    }
    at++
    if (chars.size === 0) throw new SyntaxError('has an empty class')
    return chars
  }

  function classItem(): Set<string> {
    const char = source[at++]
    if (char === '\\') return escaped()
    if (!isPrintable(char) || char === '[')
      throw new SyntaxError('has a class that is not closed, or one inside another')
    return new Set(char)
  }

  function bounds(): { min: number; max: number } {
    if (source[at] === '?') {
      at++
      return { min: 0, max: 1 }
    }
    if (source[at] === '*' || source[at] === '+')
      throw new SyntaxError(`has an unbounded "${source[at]}"; write a bound, such as {1,64}`)
    if (source[at] !== '{') return { min: 1, max: 1 }
    const [text, least, most] = /^\{(\d{1,3})(?:,(\d{1,3}))?\}/.exec(source.slice(at)) ?? []
    if (text === undefined) throw new SyntaxError('has a bound that is not {n} or {n,m}')
    at += text.length
    const min = Number(least)
    const max = Number(most ?? least)
    if (max < min || max === 0) throw new SyntaxError(`has the bound ${text}, which cannot be met`)
    return { min, max }
  }
}

function between(from: ReadonlySet<string>, to: ReadonlySet<string>): Set<string> {
  if (from.size > 1 || to.size > 1)
    throw new SyntaxError('has a range that begins or ends with a class such as \\d; put the - at the end')
  return range([...from, '-', ...to].join(''))
}

function range(text: string): Set<string> {
  const chars = new Set<string>()
  for (const [, from, to, single] of text.matchAll(/(.)-(.)|(.)/g)) {
    if (single !== undefined) chars.add(single)
    else if (from !== undefined && to !== undefined) {
      if (from > to) throw new SyntaxError(`has the range ${from}-${to} the wrong way round`)
      for (let code = from.charCodeAt(0); code <= to.charCodeAt(0); code++) chars.add(String.fromCharCode(code))
    }
  }
  return chars
}

/** Whether a repeated atom could hand its last character to what follows: that is where backtracking starts. */
function isAmbiguous(atom: Atom, rest: readonly Atom[]): boolean {
  if (atom.min === atom.max) return false
  for (const next of rest) {
    if ([...next.chars].some((char) => atom.chars.has(char))) return true
    if (next.min > 0) return false
  }
  return false
}

const toSource = ({ chars, min, max }: Atom): string =>
  `[${[...chars].map((char) => `\\x${char.charCodeAt(0).toString(16)}`).join('')}]{${min},${max}}`
