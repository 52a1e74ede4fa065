// What a decision rests on. It owns what a token has to carry so that policy can decide about its holder again.

import type { Caller } from '../identity/caller.ts'
import type { CompiledGrant, CompiledPolicy } from './compile.ts'
import type { ReadVar } from './template.ts'
import type { VarValue } from './vars.ts'

export interface Basis {
  readonly caller: Pick<Caller, 'kind' | 'source' | 'subject'>
  readonly grantIds: readonly string[]
  /** What the caller’s credential said, by var: only what these grants and the deny rules read. */
  readonly values: Readonly<Record<string, VarValue>>
}

export function basisOf(
  grants: readonly CompiledGrant[],
  { policy, caller, read }: { policy: CompiledPolicy; caller: Caller; read: ReadVar },
): Basis {
  const values: Record<string, VarValue> = {}
  for (const variable of [...policy.denyVars, ...grants.flatMap(({ vars }) => vars)]) {
    const value = read(variable)
    if (value !== undefined) values[variable.name] = value
  }
  const { kind, source, subject } = caller
  return {
    caller: { kind, source, ...(subject === undefined ? {} : { subject }) },
    grantIds: grants.map(({ id }) => id),
    values,
  }
}
