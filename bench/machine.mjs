// What the parts of the bench share: processes that end with it, their CPU, and medians. Needs Linux (taskset, /proc).
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('..', import.meta.url))
/** The Node version that is measured. */
export const node = process.env.BENCH_NODE ?? process.execPath
export const nodeVersion = execFileSync(node, ['--version'], { encoding: 'utf8' }).trim()
export const folder = mkdtempSync(join(tmpdir(), 'usher-bench-'))

const running = new Set()
process.on('exit', () => {
  for (const child of running) child.kill()
  rmSync(folder, { recursive: true, force: true })
})

/** Starts a process that ends with the bench at the latest. */
export function start(command, args, options) {
  const child = spawn(command, args, options)
  running.add(child)
  child.once('exit', () => running.delete(child))
  return child
}

/** Ends them one after another: who needs another one goes first. */
export async function stop(...started) {
  for (const { child } of started) {
    child.kill()
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  }
}

/** @returns its path, in a folder that goes with the bench */
export function write(name, text) {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

/** As in production: the audit goes to a file. Resolves once it answers, or, in callout mode, has proven itself. */
export async function startUsher(name, env, { core = '', flags = [] } = {}) {
  const port = await freePort()
  const command = [...(core === '' ? [] : ['taskset', '-c', core]), node, ...flags, join(root, 'dist/main.js')]
  const child = start(command[0], command.slice(1), {
    cwd: folder,
    env: { PATH: process.env.PATH, LOG_LEVEL: 'warn', PORT: String(port), OPS_PORT: '0', DRAIN_SECONDS: '0', ...env },
    stdio: ['ignore', openSync(join(folder, `${name}.log`), 'w'), 'inherit'],
  })
  const base = `http://127.0.0.1:${port}`
  await untilAnswered(`${base}/readyz`)
  return { name, base, pid: child.pid, child }
}

export async function untilAnswered(url) {
  for (let attempt = 0; attempt < 200; attempt++) {
    const isUp = await fetch(url).then(
      ({ status }) => status < 500,
      () => false,
    )
    if (isUp) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`${url} does not answer`)
}

export const freePort = () =>
  new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })

const ticks = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }))
/** What a process has used of a CPU until now, its children not included. */
export function cpuSeconds(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ')
  return (Number(fields[11]) + Number(fields[12])) / ticks
}

export const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]
/** With what it lay between. */
export const spread = (values, digits = 0) => {
  const text = (value) => value.toFixed(digits)
  return `${text(median(values))} (${text(Math.min(...values))}–${text(Math.max(...values))})`
}
