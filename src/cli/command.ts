// What a command of `usher` is. It owns what all of them share: their input and output, exit codes, and how flags are read.

import { type ParseArgsConfig, parseArgs } from 'node:util'
import type { Environment } from '../settings.ts'
import type { Terminal } from './nats-passwd.ts'

/** Results go to stdout, notes to stderr. */
export interface Io extends Terminal {
  readonly env: Environment
  /** Unix milliseconds. */
  readonly now: () => number
}

/** @param argv what follows the command's name; @returns the exit code */
export type Run = (argv: readonly string[], io: Io) => Promise<number>

/** 1 = refused, or faults found; the rest is sysexits.h. */
export const exit = { ok: 0, refused: 1, usage: 64, data: 65, software: 70, config: 78 } as const

/** Why a command ends early. */
export interface Stop {
  readonly exitCode: number
  readonly message: string
}

export const usage = (message: string): Stop => ({ exitCode: exit.usage, message })
export const badInput = (message: string): Stop => ({ exitCode: exit.data, message })

export const isStop = (value: unknown): value is Stop =>
  typeof value === 'object' && value !== null && 'exitCode' in value

export function stop({ exitCode, message }: Stop, { stderr }: Io): number {
  stderr.write(`usher: ${message}\n`)
  return exitCode
}

/** Flags and file names. Node's own message would quote the argument, and that may be a key. */
export function parseFlags<const Options extends NonNullable<ParseArgsConfig['options']>>(
  argv: readonly string[],
  { options, files = 0 }: { options: Options; files?: number },
) {
  try {
    const { values, positionals } = parseArgs({ args: [...argv], options, allowPositionals: true })
    return positionals.length === files
      ? { values, positionals }
      : usage(`${files === 1 ? 'name one file' : 'an argument is too much'}`)
  } catch {
    return usage('a flag is unknown or lacks its value')
  }
}
