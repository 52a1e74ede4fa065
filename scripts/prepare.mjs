// Installs and builds where that is needed, with nothing but Node and npm. Every script begins here.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('..', import.meta.url))

function run(command, args) {
  const { status } = spawnSync(command, args, {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    shell: process.platform === 'win32',
  })
  if (status !== 0) process.exit(status ?? 1)
}

const modified = (path) => (existsSync(`${root}${path}`) ? statSync(`${root}${path}`).mtimeMs : 0)
const newest = (folder) =>
  Math.max(...readdirSync(`${root}${folder}`, { recursive: true }).map((path) => modified(`${folder}/${path}`)))

/** npm writes this file last: it is there, and newer than the lock file, only after a whole install. */
export function install() {
  if (modified('node_modules/.package-lock.json') >= modified('package-lock.json')) return
  process.stderr.write('Installing…\n')
  run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'])
}

export function build({ force = false } = {}) {
  if (!force && modified('dist/main.js') > Math.max(newest('src'), modified('tsconfig.build.json'))) return
  process.stderr.write('Building…\n')
  run(process.execPath, [`${root}node_modules/typescript/bin/tsc`, '-p', 'tsconfig.build.json'])
}

/** Reads .env of the working folder, which `usher init` writes; a variable that is set wins. */
export function loadEnv() {
  if (existsSync('.env')) process.loadEnvFile('.env')
}
