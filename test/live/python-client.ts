// The Python client of the tests, nats-py. It owns where that comes from, and what the client is told.

import { execFile } from 'node:child_process'
import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)
const nats = 'nats-py==2.16.0'
/** Without a network it gives up at once. */
const pipOptions = ['--quiet', '--disable-pip-version-check', '--retries', '0', '--timeout', '15']
const folder = fileURLToPath(new URL('../../node_modules/.cache/usher/python', import.meta.url))
const program = fileURLToPath(new URL('python-client.py', import.meta.url))
const python = join(folder, 'bin', 'python')
const hasNats = () => run(python, ['-c', 'import nats'])

/** Its interpreter, or undefined where there is no Python or no package index: the Go client is the one that CI requires. */
export async function obtainPython(): Promise<string | undefined> {
  try {
    await access(python)
    await hasNats()
  } catch {
    try {
      await run('python3', ['-m', 'venv', folder])
      await run(python, ['-m', 'pip', 'install', ...pipOptions, nats])
      await hasNats()
    } catch (error) {
      console.warn(
        `\n!!! SKIPPED, NOT TESTED: suites with a Python client. missing: Python 3 and ${nats}\n  ${error}\n`,
      )
      return undefined
    }
  }
  return python
}

/** What python-client.py prints, an error too. @param env as it reads them */
export const runPython = (env: Readonly<Record<string, string>>): Promise<string> =>
  new Promise((resolve) => {
    execFile(python, [program], { env: { ...env, PYTHONUNBUFFERED: '1' } }, (error, stdout, stderr) =>
      resolve(stdout + (error === null ? '' : stderr)),
    )
  })
