// `usher policy check`. It owns what is said of a policy file: every fault with its line and mend, or what the file holds.

import { faultText } from '../policy/faults.ts'
import type { LoadedPolicy } from '../policy/load.ts'
import { exit, type Io, isStop, parseFlags, stop } from './command.ts'
import { readPolicy } from './read-policy.ts'

export async function policyCheck(argv: readonly string[], io: Io): Promise<number> {
  const flags = parseFlags(argv, { options: {}, files: 1 })
  if (isStop(flags)) return stop(flags, io)
  const result = readPolicy(flags.positionals[0] as string, io.now)
  if (isStop(result)) return stop(result, io)
  for (const fault of result.faults) io.stdout.write(`${faultText(fault)}\n`)
  if (result.loaded === undefined) return exit.refused
  io.stdout.write(`${toSummary(result.loaded)}\n`)
  return exit.ok
}

function toSummary({ compiled: { callers, grants, deny }, digest }: LoadedPolicy): string {
  const sources = {
    jwt: callers.jwt?.length ?? 0,
    apiKeys: callers.apiKeys?.length ?? 0,
    gateway: callers.gateway ? 1 : 0,
  }
  const grantsOf = [...grants].map(([provider, { length }]) => [provider, length] as const)
  return `ok: callers ${toCounts(Object.entries(sources))}; grants ${toCounts(grantsOf)}; deny rules ${deny.length}; digest ${digest}`
}

const toCounts = (counts: readonly (readonly [name: string, count: number])[]): string =>
  counts.map(([name, count]) => `${name} ${count}`).join(', ')
