// `usher key new`. It owns that a new key is shown once, on stdout, and what has to be written down of it elsewhere.

import { createApiKey } from '../identity/api-key.ts'
import { badInput, exit, type Io, isStop, parseFlags, stop } from './command.ts'

export async function keyNew(argv: readonly string[], io: Io): Promise<number> {
  const flags = parseFlags(argv, { options: { env: { type: 'string', default: 'live' } } })
  if (isStop(flags)) return stop(flags, io)
  const { env } = flags.values
  if (!/^[a-z]{1,8}$/.test(env))
    return stop(badInput('--env must be 1 to 8 lower-case letters, such as live or test'), io)
  const { key, id, sha256 } = createApiKey(env)
  io.stdout.write(`${key}\n`)
  io.stderr.write(
    [
      'The key is shown this once; only its digest can be stored. Under callers.apiKeys of the policy file:',
      '',
      `    - { id: ${id}, name: my-backend, sha256: ${sha256} }`,
      '',
      `Add onBehalfOf to let it act for users, and name it in grants: when: { client: ${id} }`,
      '',
    ].join('\n'),
  )
  return exit.ok
}
