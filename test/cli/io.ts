// A command run in memory: its arguments go in, what it wrote and its exit code come out.

import { PassThrough, Readable } from 'node:stream'
import type { Io, Run } from '../../src/cli/command.ts'

export interface Outcome {
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
}

export async function runCommand(
  run: Run,
  argv: readonly string[],
  { env = {}, now = Date.now }: Partial<Pick<Io, 'env' | 'now'>> = {},
): Promise<Outcome> {
  const [stdout, stderr] = [new PassThrough({ encoding: 'utf8' }), new PassThrough({ encoding: 'utf8' })]
  const exitCode = await run(argv, { stdin: Readable.from([]), stdout, stderr, isTTY: false, env, now })
  return { exitCode, stdout: stdout.read() ?? '', stderr: stderr.read() ?? '' }
}
