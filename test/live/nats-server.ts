// Real nats-server processes for the tests. It owns: where the binary comes from, and that no process outlives its suite.
// Where none can be had, a suite skips with a warning; in CI it fails.

import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll } from 'vitest'

const run = promisify(execFile)
const goModule = 'github.com/nats-io/nats-server/v2@v2.12.8'
const cache = fileURLToPath(new URL('../../node_modules/.cache/usher/bin', import.meta.url))

let obtained: Promise<string | undefined> | undefined

/** The path of a nats-server of 2.10 or later, or undefined where there is none. @throws in CI, where there must be one */
export const obtainNatsServer = (): Promise<string | undefined> => {
  obtained ??= findNatsServer()
  return obtained
}

async function findNatsServer(): Promise<string | undefined> {
  const named = process.env['NATS_SERVER_BIN']
  // A binary that was named is never replaced by another one.
  const sources = named ? [async () => resolve(named)] : [onPath, inCache, fromGo, fromDebian]
  const reasons: string[] = []
  for (const source of sources) {
    try {
      return await checkVersion(await source())
    } catch (error) {
      reasons.push(String(error))
    }
  }
  return missing('nats-server 2.10 or later (set NATS_SERVER_BIN, or install it or Go)', reasons)
}

const onPath = async () => 'nats-server'
const inCache = async () => join(cache, 'nats-server')
const fromGo = () => buildBinary('nats-server', 'go', ['install', goModule])
const fromDebian = () =>
  buildBinary('nats-server', 'sh', [
    '-c',
    'apt-get download nats-server && dpkg -x ./*.deb . && mv usr/*bin/nats-server .',
  ])

async function checkVersion(binary: string): Promise<string> {
  const { stdout } = await run(binary, ['--version'])
  const [, major = 0, minor = 0] = (/ v?(\d+)\.(\d+)\./.exec(stdout) ?? []).map(Number)
  // 2.10.0 brought the auth callout.
  if (major < 2 || (major === 2 && minor < 10)) throw new Error(`${binary} is too old: ${stdout.trim()}`)
  return binary
}

/** What a suite needs and this machine lacks: an error in CI, elsewhere a warning and a skipped suite. */
export function missing(what: string, reasons: readonly string[]): undefined {
  const message = [`missing: ${what}`, ...reasons].join('\n  ')
  if (process.env['CI']) throw new Error(message)
  console.warn(`\n!!! SKIPPED, NOT TESTED: suites that need a real server. ${message}\n`)
}

/**
 * Runs a command that leaves the binary `name` in its working folder, and keeps that in node_modules/.cache.
 * Two suites may build at once: each builds in a folder of its own, and the rename is atomic.
 */
export async function buildBinary(name: string, command: string, args: readonly string[]): Promise<string> {
  await mkdir(cache, { recursive: true })
  const folder = await mkdtemp(join(cache, 'build-'))
  try {
    await run(command, args, { cwd: folder, env: { ...process.env, GOBIN: folder, CGO_ENABLED: '0' } })
    await rename(join(folder, name), join(cache, name))
    return join(cache, name)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

export interface NatsServer {
  /** Without a token: `nats://127.0.0.1:<port>`. */
  readonly url: string
  /** Where the configuration has a `websocket` block. */
  readonly wsUrl?: string
  readonly process: ChildProcess
  logs(): string
  /** Resolves with the group of the pattern once a line of the log matches. @throws after a minute, with the log */
  logged(pattern: RegExp): Promise<string>
  /** SIGHUP, with another configuration where one is given. Resolves when it is in force. */
  reload(config?: string): Promise<void>
  stop(): Promise<void>
}

const running = new Set<NatsServer>()
afterAll(() => Promise.all([...running].map(({ stop }) => stop())))

/**
 * Resolves when the server accepts clients. It is stopped after the suite at the latest.
 * @param port a free one on loopback; given, for a server that comes back where it was
 */
export async function startNatsServer({
  config,
  env = {},
  port = '-1',
}: {
  config: string
  env?: Readonly<Record<string, string>>
  port?: string
}): Promise<NatsServer> {
  const binary = await requireBinary()
  const folder = await writeConfig(config)
  // The arguments win over `listen` in the file; the working folder takes what a relative path there creates.
  const child = spawn(binary, ['-c', 'nats.conf', '-a', '127.0.0.1', '-p', port], {
    cwd: folder,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let logs = ''
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()))
  const stop = async () => {
    child.kill()
    await closed
    await rm(folder, { recursive: true, force: true })
  }
  try {
    await new Promise<void>((resolve, reject) => {
      child.once('error', reject)
      child.once('close', (code) => reject(new Error(`nats-server ended with ${code}: ${logs}`)))
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        logs += text
        if (logs.includes('Server is ready')) resolve()
      })
    })
  } catch (error) {
    await stop()
    throw error
  }
  const address = /Listening for client connections on (\S+)/.exec(logs)?.[1]
  const wsUrl = /Listening for websocket clients on (\S+)/.exec(logs)?.[1]
  const logged = async (pattern: RegExp, from = 0) => {
    const signal = AbortSignal.timeout(60_000)
    for (;;) {
      const found = pattern.exec(logs.slice(from))
      if (found !== null) return found[1] ?? ''
      await once(child.stderr, 'data', { signal }).catch((error) => {
        throw new Error(`nats-server did not log ${pattern}: ${logs}`, { cause: error })
      })
    }
  }
  const reload = async (config?: string) => {
    if (config !== undefined) await writeFile(join(folder, 'nats.conf'), config)
    const from = logs.length
    child.kill('SIGHUP')
    await logged(/Reloaded server configuration/, from)
  }
  const url = `nats://${address}`
  const server = { url, ...(wsUrl && { wsUrl }), process: child, logs: () => logs, logged, reload, stop }
  running.add(server)
  return server
}

/** What `nats-server -t` says against a configuration; undefined where it accepts it. */
export async function checkNatsConfig(text: string): Promise<string | undefined> {
  const folder = await writeConfig(text)
  try {
    await run(await requireBinary(), ['-t', '-c', 'nats.conf'], { cwd: folder })
    return undefined
  } catch (error) {
    return (error as { stderr?: string }).stderr ?? String(error)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function requireBinary(): Promise<string> {
  const binary = await obtainNatsServer()
  if (binary === undefined) throw new Error('there is no nats-server here; skip by obtainNatsServer()')
  return binary
}

async function writeConfig(text: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'usher-nats-'))
  await writeFile(join(folder, 'nats.conf'), text)
  return folder
}
