// `usher init`. It owns a first start: files that start at once, none overwritten, and an API key that is shown once.

import { closeSync, openSync, unlinkSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createApiKey } from '../identity/api-key.ts'
import { exit, type Io, isStop, parseFlags, type Stop, stop } from './command.ts'
import { type InitFile, initFiles } from './init-files.ts'

const packageRoot = fileURLToPath(new URL('../..', import.meta.url))

export async function init(argv: readonly string[], io: Io): Promise<number> {
  const flags = parseFlags(argv, { options: { dir: { type: 'string', default: '.' } } })
  if (isStop(flags)) return stop(flags, io)
  const folder = resolve(flags.values.dir)
  const { key, ...apiKey } = createApiKey()
  const files = initFiles(apiKey)
  const fault = writeAll(folder, files)
  if (fault !== undefined) return stop(fault, io)
  io.stdout.write(`${key}\n`)
  io.stderr.write(nextSteps(folder, files))
  return exit.ok
}

/** All of them or none; a file or a link that is there stays as it is. */
function writeAll(folder: string, files: readonly InitFile[]): Stop | undefined {
  const open: { path: string; fd: number }[] = []
  try {
    for (const { name, mode } of files) {
      const path = join(folder, name)
      // wx = O_EXCL: nobody can prepare a file or a link that the secrets would then go into.
      open.push({ path, fd: openSync(path, 'wx', mode) })
    }
    for (const [index, { text }] of files.entries()) writeFileSync((open[index] as { fd: number }).fd, text)
    return undefined
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === undefined) throw error
    for (const { path } of open) unlinkSync(path)
    const { name } = files[Math.min(open.length, files.length - 1)] as InitFile
    return code === 'EEXIST'
      ? {
          exitCode: exit.refused,
          message: `${join(folder, name)} is there already, and nothing was written. Move it away, or name another --dir`,
        }
      : { exitCode: exit.data, message: `${join(folder, name)} cannot be written (${code})` }
  } finally {
    for (const { fd } of open) closeSync(fd)
  }
}

const nextSteps = (folder: string, files: readonly InitFile[]): string => `\
Written to ${folder}: ${files.map(({ name }) => name).join(', ')}.
The line above is the API key of your backend. It is shown this once: keep it where the backend keeps its secrets.

Start the service:

  ${startCommand(folder)}

Then ask for the NATS token on behalf of alice, with the key in the variable USHER_KEY:

  curl -s http://127.0.0.1:8082/nats/token -H "Authorization: Bearer $USHER_KEY" -H 'Usher-On-Behalf-Of: alice'

docker compose up starts it together with a nats-server. For Agora and Ably put their keys into .env.
`

const startCommand = (folder: string): string =>
  resolve(packageRoot) === folder
    ? 'npm start'
    : `cd ${quote(folder)} && node --env-file=.env ${quote(join(packageRoot, 'dist/main.js'))}`

/** For a POSIX shell. */
const quote = (text: string): string => (/^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`)
