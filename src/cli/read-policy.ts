// A policy file, as the commands read it. It owns that they judge a file exactly as the service does, but for the environment.

import { readFileSync } from 'node:fs'
import { checkIdentity } from '../identity/open.ts'
import { type LoadResult, loadPolicy } from '../policy/load.ts'
import { readBeside } from '../policy-file.ts'
import { entitlements } from '../providers/registry.ts'
import { createSecret } from '../secret.ts'
import { badInput, type Stop } from './command.ts'

/** The file, or why it cannot be read. Nothing is fetched. */
export function readPolicy(path: string, now: () => number): LoadResult | Stop {
  const text = readFile(path)
  if (typeof text !== 'string') return text
  // Whether GATEWAY_SECRET is set is the service's matter; here the file is judged.
  const deps = { gatewaySecrets: [createSecret('not the real one')], now }
  return loadPolicy(text, readBeside(path), {
    entitlements,
    checkCallers: (callers, report, readText) => checkIdentity(callers, report, deps, readText),
  })
}

export function readFile(path: string): string | Stop {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    return badInput(`${path} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'error'})`)
  }
}
