#!/usr/bin/env node
// The `usher` process. It owns the environment, the streams and the exit code.

import { exit } from './command.ts'
import { usher } from './commands.ts'

// `usher help | head -1`: the reader has left, and that is no fault.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
  process.exit(exit.ok)
})

const { stdin, stdout, stderr, env } = process
try {
  process.exitCode = await usher(process.argv.slice(2), {
    stdin,
    stdout,
    stderr,
    isTTY: stdin.isTTY === true,
    env,
    now: Date.now,
  })
} catch (error) {
  stderr.write(`usher: ${(error as Error).stack}\n`)
  process.exitCode = exit.software
}
