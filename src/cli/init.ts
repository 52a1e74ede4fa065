// `usher init`. It owns a first start: files that start at once, none overwritten, and an API key that is shown once.

import { resolve } from 'node:path'
import { createApiKey } from '../identity/api-key.ts'
import { natsModes } from '../providers/nats/ask.ts'
import { exit, type Io, isStop, parseFlags, stop, usage } from './command.ts'
import { initFiles } from './init-files.ts'
import { nextSteps } from './init-steps.ts'
import { isNatsMode } from './nats-setup.ts'
import { writeFiles } from './write-files.ts'

const options = {
  dir: { type: 'string', default: '.' },
  nats: { type: 'string', default: 'callout' },
} as const

export async function init(argv: readonly string[], io: Io): Promise<number> {
  const flags = parseFlags(argv, { options })
  if (isStop(flags)) return stop(flags, io)
  const { dir, nats } = flags.values
  if (!isNatsMode(nats)) return stop(usage(`--nats is one of ${natsModes.join(', ')}`), io)
  const folder = resolve(dir)
  const { key, ...apiKey } = createApiKey()
  const files = initFiles(apiKey, { nats, nowMs: io.now() })
  const fault = writeFiles(folder, files)
  if (fault !== undefined) return stop(fault, io)
  io.stdout.write(`${key}\n`)
  io.stderr.write(nextSteps({ folder, files: files.map(({ name }) => name), nats }))
  return exit.ok
}
