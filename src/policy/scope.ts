// What a grant sees while it is compiled. It owns the door through which a provider's grant compiler reaches the policy file.

import type { Report } from './faults.ts'
import { compileTemplate, type NameGrammar, type NameTemplate, type ReadVar } from './template.ts'
import type { AskVar, CallerVar, Vars } from './vars.ts'

export type { ReadVar }

export interface GrantScope {
  /** Whether the grant has `ttl:`. */
  readonly hasTtl: boolean
  /** Whether the grant has conditions. */
  readonly hasWhen: boolean
  /** Whether the operator wrote `iKnow: full-access`. */
  readonly fullAccess: boolean
  name(source: string, path: string, grammar: NameGrammar): NameTemplate | undefined
  /** `{uid}` alone: a var by itself, for values that are not text. */
  variable(source: string, path: string): CallerVar | AskVar | undefined
  fault(path: string, rule: string, mend: string): undefined
  warning(path: string, rule: string, mend: string): undefined
}

/** @param used collects the vars that the grant uses */
export function createScope(
  path: string,
  {
    vars,
    report,
    used,
    hasTtl,
    hasWhen,
    fullAccess,
  }: { vars: Vars; report: Report; used: Set<string>; hasTtl: boolean; hasWhen: boolean; fullAccess: boolean },
): GrantScope {
  const below = (part: string) => (part === '' ? path : `${path}.${part}`)
  return {
    hasTtl,
    hasWhen,
    fullAccess,
    name: (source, part, grammar) => {
      for (const [, name = ''] of source.matchAll(/\{([^{}]*)\}/g)) used.add(name)
      return compileTemplate(source, below(part), { vars, grammar, report })
    },
    variable: (source, part) => {
      const name = /^\{([^{}]*)\}$/.exec(source)?.[1] ?? ''
      used.add(name)
      return vars.has(name)
        ? vars.get(name)
        : report.fault(below(part), `"${source}" is not a var`, 'Write {name} of a var that vars defines')
    },
    fault: (part, rule, mend) => report.fault(below(part), rule, mend),
    warning: (part, rule, mend) => report.warning(below(part), rule, mend),
  }
}
