// The built service as a process of its own. It owns: how it is started in an empty folder, and how its words are waited for.

import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

/** Builds where the build is missing or old, as `npm start` does. */
export function build(): void {
  const script = "import { build } from './scripts/prepare.mjs'; build()"
  execFileSync(process.execPath, ['--input-type=module', '-e', script], { cwd: root, stdio: 'pipe' })
}

export interface UsherProcess {
  readonly folder: string
  stdout(): string
  stderr(): string
  /** The first match in all that was or will be said; rejects where the process ends without it. */
  says(stream: 'stdout' | 'stderr', pattern: RegExp): Promise<RegExpExecArray>
  /** Addresses, once it listens. */
  listening(): Promise<{ base: string; ops: string }>
  signal(name: NodeJS.Signals): void
  /** As if whoever reads its audit had gone. */
  closeStdout(): void
  readonly exit: Promise<number | null>
  /** Ends it, however it stands, and removes its folder. */
  end(): Promise<void>
}

/** @param folder where it runs, a new one where none is given @param flags of node */
export function startUsher(
  env: Readonly<Record<string, string>>,
  { folder = mkdtempSync(join(tmpdir(), 'usher-process-')), flags = [] as readonly string[] } = {},
): UsherProcess {
  const child = spawn(process.execPath, [...flags, join(root, 'dist/main.js')], {
    cwd: folder,
    // Nothing of this machine's environment; free ports where the test does not say which.
    env: { PATH: process.env['PATH'], HOME: folder, TMPDIR: folder, PORT: '0', OPS_PORT: '0', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const said = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const)
    child[name].on('data', (chunk) => {
      said[name] += chunk
      child.emit('said')
    })
  const exit = once(child, 'close').then(([code]) => code as number | null)

  const says: UsherProcess['says'] = (stream, pattern) =>
    new Promise((resolve, reject) => {
      const look = () => {
        const found = pattern.exec(said[stream])
        if (found === null) return
        child.off('said', look)
        resolve(found)
      }
      child.on('said', look)
      void exit.then((code) =>
        reject(new Error(`ended with ${code} before it said ${pattern}:\n${said.stdout}${said.stderr}`)),
      )
      look()
    })
  return {
    folder,
    stdout: () => said.stdout,
    stderr: () => said.stderr,
    says,
    listening: async () => {
      const [line] = await says('stderr', /^.*"msg":"listening".*$/m)
      const { port, opsPort } = JSON.parse(line)
      return { base: `http://127.0.0.1:${port}`, ops: `http://127.0.0.1:${opsPort}` }
    },
    signal: (name) => child.kill(name),
    closeStdout: () => child.stdout.destroy(),
    exit,
    end: async () => {
      child.kill('SIGKILL')
      await exit
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
