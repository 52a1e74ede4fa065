// npm run bench: with the Node version of the image, which it obtains if another one runs here. `npm run bench -- nats` runs that part
// of bench/ alone. Each part replaces its section of bench/report.md.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { build, install, root } from './prepare.mjs'

install()
build()
const [, major] = /ARG NODE_VERSION=(\d+)/.exec(readFileSync(`${root}Dockerfile`, 'utf8'))
if (!process.version.startsWith(`v${major}.`)) process.env.BENCH_NODE ??= obtainNode(major)
const parts = process.argv.length > 2 ? process.argv.slice(2) : ['routes', 'nats', 'revoke']
for (const part of parts) await import(`../bench/${part}.mjs`)
process.exit(0)

/** From npm, whose packages of that name carry the binaries. For the bench only: nothing depends on it. */
function obtainNode(version) {
  const folder = `${root}.cache/node-${version}`
  const name = `node-${process.platform}-${process.arch}`
  const binary = `${folder}/node_modules/${name}/bin/node`
  if (!existsSync(binary)) {
    const options = ['--prefix', folder, '--ignore-scripts', '--no-save', '--loglevel=error']
    spawnSync('npm', ['install', `${name}@${version}`, ...options], { stdio: 'inherit' })
  }
  return binary
}
