// What a decision rests on. It owns what a token has to carry so that policy can decide about its holder again.

import { hash } from 'node:crypto'
import type { Caller } from '../identity/caller.ts'
import type { CompiledGrant, CompiledPolicy } from './compile.ts'
import type { ReadVar } from './template.ts'
import type { VarValue } from './vars.ts'

export interface Basis {
  readonly caller: Pick<Caller, 'kind' | 'source' | 'subject'>
  readonly grantIds: readonly string[]
  /** What the caller’s credential said, by var: only what these grants and the deny rules read. */
  readonly values: Readonly<Record<string, VarValue>>
  /** Fingerprint of who vouched for the caller, and of the claims that the values were read from. */
  readonly origin: string
}

/** Values are worth what stood behind them: under another issuer, key or claim they are somebody else’s. */
export function originOf(
  { callers: { jwt = [], apiKeys = [], gateway }, origins }: CompiledPolicy,
  { kind, source }: Pick<Caller, 'kind' | 'source'>,
  names: readonly string[],
): string {
  const issuer = kind === 'jwt' ? jwt.find(({ name }) => name === source) : undefined
  const key = kind === 'apiKey' ? apiKeys.find(({ id }) => id === source) : undefined
  const vouches = [
    issuer?.issuer,
    issuer?.jwksUri,
    issuer?.jwksFile,
    key?.sha256,
    key?.claims,
    kind === 'gateway' && gateway?.header,
  ]
  const claims = names.map((name) => [name, origins.get(name)])
  return hash('sha256', JSON.stringify([kind, source, vouches, claims]), 'base64url').slice(0, 8)
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
    origin: originOf(policy, caller, Object.keys(values)),
  }
}
