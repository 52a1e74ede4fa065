// Names in grants. It owns how `{tenant}:{room}` is read: claim values are filled in, at most one part is left to the ask,
// and the asked name is matched whole. A name is never put together from what a caller asks.

import type { Report } from './faults.ts'
import type { AskVar, CallerVar, Vars, VarValue } from './vars.ts'

/** Reads a caller’s value; undefined = missing, of another type, or outside its pattern. */
export type ReadVar = (variable: CallerVar) => VarValue | undefined

/** What a vendor allows in a name. */
export interface NameGrammar {
  /** With its article, such as `an Agora channel`. */
  readonly what: string
  /** Separators and wildcards: no var may be able to match one of them. */
  readonly reserved: string
  /** The rule that a sample of the name breaks; each var stands in it as the letter x. */
  faultIn(sample: string): string | undefined
}

/** A template with the caller’s values in it; `hole` is the part that the ask chooses. */
export interface Name {
  readonly before: string
  readonly hole?: AskVar
  readonly after: string
}

export interface NameTemplate {
  readonly source: string
  /** The var that the ask chooses, if there is one. */
  readonly hole: AskVar | undefined
  fill(read: ReadVar): Name | undefined
}

export const isName = (name: Name, asked: string): boolean => {
  if (name.hole === undefined) return asked === name.before
  const end = asked.length - name.after.length
  return (
    end > name.before.length &&
    asked.startsWith(name.before) &&
    asked.endsWith(name.after) &&
    name.hole.accepts(asked.slice(name.before.length, end))
  )
}

/** The one name that is meant, where nothing is left to the ask. */
export const wholeName = (name: Name): string | undefined => (name.hole === undefined ? name.before : undefined)

type Part = string | CallerVar | AskVar

/** Checks and compiles a template; a fault goes to the report. */
export function compileTemplate(
  source: string,
  path: string,
  { vars, grammar, report }: { vars: Vars; grammar: NameGrammar; report: Report },
): NameTemplate | undefined {
  const parts: Part[] = []
  for (const text of source.split(/(\{[^{}]*\})/)) {
    if (text === '') continue
    if (!text.startsWith('{') || !text.endsWith('}')) {
      if (/[{}]/.test(text))
        return report.fault(path, `has a brace that encloses no var in "${source}"`, 'Write {name}')
      parts.push(text)
      continue
    }
    const name = text.slice(1, -1)
    const variable = vars.get(name)
    if (variable === undefined)
      return vars.has(name)
        ? undefined
        : report.fault(path, `uses ${text}, which vars does not define`, 'Define it, or correct the name')
    if (variable.type === 'set')
      return report.fault(path, `uses the set ${text} in a name`, 'Only single values can stand in a name')
    parts.push(variable)
  }
  const used = parts.filter((part) => typeof part !== 'string')
  const holes = used.filter((variable) => variable.from === 'ask')
  if (holes.length > 1)
    return report.fault(
      path,
      `leaves ${holes.length} parts to the ask`,
      'At most one part of a name may come from the ask',
    )
  for (const variable of used) {
    const reserved = [...grammar.reserved].find((char) => variable.alphabet.has(char))
    if (reserved !== undefined)
      return report.fault(
        path,
        `uses {${variable.name}}, which can match "${reserved}"`,
        `Take "${reserved}" out of its match: it has a meaning in ${grammar.what}`,
      )
  }
  const collision = parts.findIndex((part, index) => typeof part !== 'string' && runsInto(part, parts[index + 1]))
  if (collision >= 0) {
    const next = parts[collision + 1] as Part
    return report.fault(
      path,
      `uses {${(parts[collision] as CallerVar).name}}, which can match what follows it (${typeof next === 'string' ? `"${next[0]}"` : `{${next.name}}`})`,
      'Otherwise two callers could get one name: put a separator there that the var cannot match',
    )
  }
  const rule = grammar.faultIn(parts.map((part) => (typeof part === 'string' ? part : 'x')).join(''))
  if (rule !== undefined) return report.fault(path, rule, `Write ${grammar.what}`)
  return { source, hole: holes[0], fill: filler(parts) }
}

const runsInto = (variable: CallerVar | AskVar, next: Part | undefined): boolean =>
  next !== undefined && (typeof next !== 'string' || variable.alphabet.has(next[0] as string))

function filler(parts: readonly Part[]): NameTemplate['fill'] {
  const at = parts.findIndex((part) => typeof part !== 'string' && part.from === 'ask')
  const before = joiner(at < 0 ? parts : parts.slice(0, at))
  if (at < 0) {
    return (read) => {
      const text = before(read)
      return text === undefined ? undefined : { before: text, after: '' }
    }
  }
  const hole = parts[at] as AskVar
  const after = joiner(parts.slice(at + 1))
  return (read) => {
    const head = before(read)
    const tail = after(read)
    return head === undefined || tail === undefined ? undefined : { before: head, hole, after: tail }
  }
}

/** Concatenates; String.replace would expand `$&` inside a value. */
function joiner(parts: readonly Part[]): (read: ReadVar) => string | undefined {
  if (parts.every((part) => typeof part === 'string')) {
    const text = parts.join('')
    return () => text
  }
  return (read) => {
    let text = ''
    for (const part of parts) {
      const value = typeof part === 'string' ? part : read(part as CallerVar)
      if (value === undefined) return undefined
      text += value
    }
    return text
  }
}
