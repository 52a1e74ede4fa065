// Variables of a policy. It owns: where a value comes from, its type, and that a value of the wrong type is a missing one.

import type { Caller } from '../identity/caller.ts'
import type { Report } from './faults.ts'
import { type Pattern, parsePattern } from './pattern.ts'
import type { VarDocument } from './schema.ts'

export type VarValue = string | number | readonly string[]

interface VarBase {
  readonly name: string
  /** Characters that its text in a template can have. */
  readonly alphabet: ReadonlySet<string>
}

/** A value that the caller’s credential carries. */
export interface CallerVar extends VarBase {
  readonly from: 'caller'
  readonly type: 'string' | 'set' | 'uint32'
  /** The claim that it is read from, and for a set which of its members are. */
  readonly origin: string
  /** The value, or undefined where it is missing, of another type or outside the pattern; never a default. */
  read(caller: Caller): VarValue | undefined
  /** The same of a value that was read before, and may come from under an older policy. */
  parse(value: unknown): VarValue | undefined
  /** Whether the value can be this one; of a set, whether it can have this member. */
  accepts(value: unknown): boolean
}

/** The part of an asked name that the caller chooses. */
export interface AskVar extends VarBase {
  readonly from: 'ask'
  readonly type: 'string' | 'uint32'
  accepts(text: string): boolean
}

export type Var = CallerVar | AskVar
/** Undefined where a var has a fault of its own: whoever uses it says nothing more. */
export type Vars = ReadonlyMap<string, Var | undefined>

const digits: ReadonlySet<string> = new Set('0123456789')
const isUint32 = (value: unknown): value is number =>
  Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 0xffff_ffff

/** Checks and compiles `vars:`. */
export function compileVars(documents: Readonly<Record<string, VarDocument>>, report: Report): Vars {
  return new Map(Object.entries(documents).map(([name, document]) => [name, compileVar(name, document, report)]))
}

function compileVar(name: string, document: VarDocument, report: Report): Var | undefined {
  const path = `vars.${name}`
  const type = document.type ?? 'string'
  if (!/^[a-z][A-Za-z0-9_]{0,31}$/.test(name))
    return report.fault(path, 'is not a name', 'Use a lower-case letter, then letters, digits or _, 32 at most')
  if (['caller', 'issuer', 'client'].includes(name))
    return report.fault(path, 'is a word that `when` uses itself', 'Choose another name')
  const pattern = type === 'uint32' ? undefined : patternOf(path, document, report)
  if (type !== 'uint32' && pattern === undefined && (type === 'string' || document.match !== undefined))
    return undefined
  if (type === 'uint32' && (document.match !== undefined || document.values !== undefined))
    return report.fault(path, 'has match or values, which a uint32 does not take', 'Use min and max')
  if (type !== 'uint32' && (document.min !== undefined || document.max !== undefined))
    return report.fault(path, 'has min or max, which only a uint32 takes', 'Remove them, or set type: uint32')
  if (type !== 'set' && document.values !== undefined)
    return report.fault(path, 'has values, which only a set takes', 'Use match, or set type: set')
  const min = document.min ?? 1
  const max = document.max ?? 0xffff_ffff
  if (type === 'uint32' && (min < 1 || max < min))
    return report.fault(
      path,
      'has bounds outside 1 to 4294967295',
      'Note that vendors read 0 as "any": a grant has to say that in a word of its own',
    )
  const inBounds = (value: unknown): value is number => isUint32(value) && value >= min && value <= max
  if (document.from === 'ask') {
    if (type === 'set')
      return report.fault(path, 'is a set from the ask', 'An asked name is one value; use type string or uint32')
    return {
      name,
      from: 'ask',
      type,
      alphabet: pattern?.alphabet ?? digits,
      accepts: pattern?.matches ?? ((text) => /^[1-9][0-9]{0,9}$/.test(text) && inBounds(Number(text))),
    }
  }
  const claim = claimPath(document.from)
  if (claim === undefined)
    return report.fault(
      `${path}.from`,
      'is not a source',
      'Write sub, ask, claims.<name>, or a list such as [claims, "https://example.com/tenant"]',
    )
  const values = document.values === undefined ? undefined : new Set(document.values)
  const isMember = (item: unknown): item is string =>
    typeof item === 'string' && (values?.has(item) ?? true) && (pattern?.matches(item) ?? isPlain(item))
  const accepts = {
    string: (value: unknown): value is string => typeof value === 'string' && pattern?.matches(value) === true,
    set: isMember,
    uint32: inBounds,
  }[type]
  const parse = (value: unknown): VarValue | undefined => {
    if (type !== 'set') return accepts(value) ? value : undefined
    // A string is never read as a set: "ghost".includes("host") is true. Unknown members are dropped: no condition can ask for one.
    return Array.isArray(value) ? value.filter(isMember) : undefined
  }
  return {
    name,
    from: 'caller',
    type,
    alphabet: pattern?.alphabet ?? digits,
    accepts,
    // Of a set only the members are kept that it knew: one that knows others would have kept others.
    origin: JSON.stringify(type === 'set' ? [claim, document.match, document.values] : claim),
    parse,
    read: claim.length === 0 ? (caller) => parse(caller.subject) : (caller) => parse(claimAt(caller.claims, claim)),
  }
}

const isPlain = (text: string): boolean => /^[\x21-\x7e]{1,255}$/.test(text)

function patternOf(path: string, { match, type }: VarDocument, report: Report): Pattern | undefined {
  if (match === undefined) {
    if (type === 'set') return undefined
    return report.fault(path, 'has no match', 'Say which values are allowed, such as match: "[A-Za-z0-9_-]{1,64}"')
  }
  const pattern = parsePattern(match)
  if (typeof pattern === 'string') return report.fault(`${path}.match`, pattern, 'See "Patterns" in README.md')
  return pattern
}

/** The path below `claims`; empty for `sub`. */
function claimPath(from: string | readonly string[]): readonly string[] | undefined {
  if (from === 'sub') return []
  const [head, ...rest] = typeof from === 'string' ? from.split('.') : from
  return head === 'claims' && rest.length > 0 && rest.every((part) => part !== '') ? rest : undefined
}

function claimAt(claims: Readonly<Record<string, unknown>>, path: readonly string[]): unknown {
  let value: unknown = claims
  for (const part of path) {
    if (typeof value !== 'object' || value === null || Array.isArray(value) || !Object.hasOwn(value, part))
      return undefined
    value = (value as Record<string, unknown>)[part]
  }
  return value
}
