// Conditions. It owns the closed list of what `when` may ask: caller, issuer, client, and vars. There is no `not`: a negation
// over a missing claim is the classic hole.

import { type Caller, callerKinds } from '../identity/caller.ts'
import type { Report } from './faults.ts'
import type { CallersDocument } from './schema.ts'
import type { ReadVar } from './template.ts'
import type { CallerVar, Vars, VarValue } from './vars.ts'

interface SourceTest {
  readonly text: string
  holds(caller: Caller): boolean
}
interface VarTest {
  readonly text: string
  readonly variable: CallerVar
  holds(value: VarValue): boolean
}

export interface When {
  /** Who vouches for the caller. */
  readonly sources: readonly SourceTest[]
  readonly values: readonly VarTest[]
  readonly kinds: ReadonlySet<string> | undefined
  /** Whether it names the very source of its callers, so that subjects of two sources cannot be mixed up. */
  readonly namesSource: boolean
}

export interface WhenContext {
  readonly vars: Vars
  readonly callers: CallersDocument
  /** Lines of a file that `inFile` names; undefined where it is empty; throws where it cannot be read. */
  readList(path: string): ReadonlySet<string> | undefined
  readonly report: Report
}

/** The first condition that does not hold, in words; undefined where all do. A missing value is a condition that does not hold. */
export function firstUnmet(when: When, caller: Caller, read: ReadVar): string | undefined {
  for (const test of when.sources) if (!test.holds(caller)) return test.text
  for (const test of when.values) {
    const value = read(test.variable)
    if (value === undefined) return `${test.text}: the caller has no valid "${test.variable.name}"`
    if (!test.holds(value)) return test.text
  }
  return undefined
}

/** A deny rule concerns a caller of its sources, and then a missing value denies too. */
export function isDenied(when: When, caller: Caller, read: ReadVar): boolean {
  if (!when.sources.every((test) => test.holds(caller))) return false
  const values = when.values.map(({ variable }) => read(variable))
  return values.includes(undefined) || when.values.every((test, index) => test.holds(values[index] as VarValue))
}

export function compileWhen(document: Readonly<Record<string, unknown>>, path: string, context: WhenContext): When {
  const sources: SourceTest[] = []
  const values: VarTest[] = []
  let kinds: ReadonlySet<string> | undefined
  let namesSource = false
  for (const [key, condition] of Object.entries(document)) {
    const at = `${path}.${key}`
    const known = knownSources(context.callers).get(key)
    if (known === undefined) {
      const test = compileVarTest(key, condition, at, context)
      if (test !== undefined) values.push(test)
      continue
    }
    const allowed = toTexts(condition)
    if (allowed === undefined) {
      context.report.fault(
        at,
        'is neither a text nor {in: [...]}',
        `Write one of: ${known.join(', ') || '(none is configured)'}`,
      )
      continue
    }
    const unknown = allowed.find((text) => !known.includes(text))
    if (unknown !== undefined) {
      context.report.fault(
        at,
        `names "${unknown}", which callers does not configure`,
        `Write one of: ${known.join(', ') || '(none is configured)'}`,
      )
      continue
    }
    const set = new Set(allowed)
    sources.push({ text: `${key}: ${allowed.join(' or ')}`, holds: sourceTests[key as SourceKey](set) })
    if (key === 'caller') kinds = set
    namesSource ||= key !== 'caller' || (allowed.length === 1 && isSingleSource(allowed[0] as string, context.callers))
  }
  return { sources, values, kinds, namesSource }
}

type SourceKey = 'caller' | 'issuer' | 'client'
const sourceTests: Record<SourceKey, (allowed: ReadonlySet<string>) => SourceTest['holds']> = {
  caller: (allowed) => (caller) => allowed.has(caller.kind),
  issuer: (allowed) => (caller) => caller.kind === 'jwt' && allowed.has(caller.source),
  client: (allowed) => (caller) => caller.kind === 'apiKey' && allowed.has(caller.source),
}

const knownSources = (callers: CallersDocument): ReadonlyMap<string, readonly string[]> =>
  new Map<string, readonly string[]>([
    ['caller', callerKinds],
    ['issuer', callers.jwt?.map(({ name }) => name) ?? []],
    ['client', callers.apiKeys?.map(({ id }) => id) ?? []],
  ])

export const countSources = (callers: CallersDocument): number =>
  (callers.jwt?.length ?? 0) + (callers.apiKeys?.length ?? 0) + (callers.gateway === undefined ? 0 : 1)

const isSingleSource = (kind: string, callers: CallersDocument): boolean =>
  (kind !== 'jwt' || (callers.jwt?.length ?? 0) <= 1) && (kind !== 'apiKey' || (callers.apiKeys?.length ?? 0) <= 1)

function compileVarTest(
  key: string,
  condition: unknown,
  path: string,
  { vars, readList, report }: WhenContext,
): VarTest | undefined {
  const variable = vars.get(key)
  if (variable === undefined)
    return vars.has(key)
      ? undefined
      : report.fault(path, 'is neither caller, issuer, client nor a var', 'Define the var, or correct the name')
  if (variable.from === 'ask')
    return report.fault(path, 'depends on the ask', 'A condition is about the caller; use the var in a name instead')
  const [operator, operand] = operatorOf(condition)
  const text = `${key} ${operator} ${JSON.stringify(operand)}`
  // A condition that cannot hold is a grant that nobody gets, and a deny rule that denies nobody.
  const impossible = (value: unknown) =>
    report.fault(path, `asks for ${JSON.stringify(value)}, which "${key}" can never be`, 'Correct it, or widen the var')
  const fits = (value: unknown): value is string | number =>
    typeof value === (variable.type === 'uint32' ? 'number' : 'string')
  if (variable.type === 'set') {
    if (operator !== 'has' || !fits(operand))
      return report.fault(path, 'asks a set for something else than {has: text}', 'Write {has: member}')
    if (!variable.accepts(operand)) return impossible(operand)
    return { text, variable, holds: (value) => (value as readonly string[]).includes(operand as string) }
  }
  if (operator === 'inFile' && typeof operand === 'string') {
    try {
      const list = readList(operand)
      if (list === undefined)
        return report.fault(
          path,
          `names ${operand}, which is empty`,
          'Where nobody is meant, write a line that begins with #',
        )
      const toValue = variable.type === 'uint32' ? Number : String
      const isLine = (line: string) => variable.accepts(toValue(line)) && String(toValue(line)) === line
      const alien = [...list].filter((line) => !isLine(line)).length
      if (alien > 0)
        report.warning(
          path,
          `names a file with ${alien} line(s) that "${key}" can never be`,
          'Write one value a line, and each comment on a line of its own',
        )
      return { text, variable, holds: (value) => list.has(String(value)) }
    } catch (error) {
      return report.fault(
        path,
        `cannot read ${operand} (${(error as NodeJS.ErrnoException).code ?? 'error'})`,
        'Create the file; its path is relative to the policy file',
      )
    }
  }
  const allowed = operator === 'is' ? [operand] : operator === 'in' && Array.isArray(operand) ? operand : undefined
  if (allowed === undefined || allowed.length === 0 || !allowed.every(fits))
    return report.fault(
      path,
      `is not a condition for a ${variable.type}`,
      'Write a value, {in: [values]} or {inFile: path}',
    )
  const never = allowed.find((value) => !variable.accepts(value))
  if (never !== undefined) return impossible(never)
  const set = new Set<VarValue>(allowed)
  return { text, variable, holds: (value) => set.has(value) }
}

function operatorOf(condition: unknown): readonly [operator: string, operand: unknown] {
  if (typeof condition !== 'object' || condition === null) return ['is', condition]
  const entries = Object.entries(condition)
  return entries.length === 1 && !Array.isArray(condition) ? (entries[0] as [string, unknown]) : ['unknown', condition]
}

function toTexts(condition: unknown): readonly string[] | undefined {
  const [operator, operand] = operatorOf(condition)
  const texts = operator === 'is' ? [operand] : operator === 'in' ? operand : undefined
  return Array.isArray(texts) && texts.length > 0 && texts.every((text) => typeof text === 'string') ? texts : undefined
}
