// npm run dev: builds on every change of src, and restarts.
import { spawn } from 'node:child_process'
import { build, install, loadEnv, root } from './prepare.mjs'

install()
build()
loadEnv()
const options = { cwd: root, stdio: 'inherit' }
const compiler = spawn(
  process.execPath,
  [`${root}node_modules/typescript/bin/tsc`, '-p', 'tsconfig.build.json', '--watch', '--preserveWatchOutput'],
  options,
)
const server = spawn(process.execPath, ['--watch', '--watch-preserve-output', 'dist/main.js'], options)
for (const signal of ['SIGINT', 'SIGTERM'])
  process.on(signal, () => {
    compiler.kill(signal)
    server.kill(signal)
  })
server.on('exit', () => compiler.kill())
