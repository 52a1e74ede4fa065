// Real Redis processes for the tests. It owns: where the binary comes from, and that no process outlives its suite.

import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { createClient } from '@redis/client'
import { afterAll } from 'vitest'
import { missing } from './nats-server.ts'

const run = promisify(execFile)

let obtained: Promise<string | undefined> | undefined

/** The path of a redis-server or valkey-server of 7.0 or later, or undefined where there is none. @throws in CI, where there must be one */
export const obtainRedisServer = (): Promise<string | undefined> => {
  obtained ??= findRedisServer()
  return obtained
}

async function findRedisServer(): Promise<string | undefined> {
  const named = process.env['REDIS_SERVER_BIN']
  // A binary that was named is never replaced by another one.
  const sources = named
    ? [async () => resolve(named)]
    : [async () => 'redis-server', async () => 'valkey-server', fromDebian]
  const reasons: string[] = []
  for (const source of sources) {
    try {
      return await checkVersion(await source())
    } catch (error) {
      reasons.push(String(error))
    }
  }
  return missing('redis-server or valkey-server 7.0 or later (set REDIS_SERVER_BIN, or install one)', reasons)
}

async function fromDebian(): Promise<string> {
  if (process.getuid?.() !== 0) throw new Error('apt-get install redis-server: not root')
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  await run('apt-get', ['install', '-y', 'redis-server'], { env })
  return 'redis-server'
}

async function checkVersion(binary: string): Promise<string> {
  const { stdout } = await run(binary, ['--version'])
  const major = Number(/ v=(\d+)\./.exec(stdout)?.[1])
  // 7.0 counts what was ever added to a stream.
  if (!(major >= 7)) throw new Error(`${binary} is too old: ${stdout.trim()}`)
  return binary
}

export interface RedisServer {
  readonly port: number
  /** Of redis://, without a password. */
  readonly url: string
  /** One command, as somebody else than Usher sends it. */
  command(...args: readonly string[]): Promise<unknown>
  signal(name: 'SIGSTOP' | 'SIGCONT'): void
  /** kill -9; resolves when it is gone. */
  kill(): Promise<void>
  /** After a kill: on the same port, with what stands on the disk. */
  start(): Promise<void>
  /** Removes what stands on the disk. */
  stop(): Promise<void>
}

const running = new Set<RedisServer>()
let isOver = false
afterAll(() => {
  isOver = true
  return Promise.all([...running].map(({ stop }) => stop()))
})

/**
 * Resolves when the server accepts clients, on a free loopback port. It is stopped after the suite at the latest.
 * @param args as on the command line of redis-server; without any it keeps nothing on the disk
 */
export async function startRedisServer({
  args = [],
  password,
}: {
  args?: readonly string[]
  password?: string
} = {}): Promise<RedisServer> {
  const binary = await obtainRedisServer()
  if (binary === undefined) throw new Error('there is no redis-server here; skip by obtainRedisServer()')
  const folder = await mkdtemp(join(tmpdir(), 'usher-redis-'))
  const port = await freePort()
  let child: ChildProcess

  async function start(): Promise<void> {
    // Where a suite is given up at its first failure, the tests beside that one go on.
    if (isOver) throw new Error('the suite is over')
    const fixed = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--save', '', '--daemonize', 'no']
    const login = password === undefined ? [] : ['--requirepass', password]
    child = spawn(binary as string, [...fixed, ...login, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
    let said = ''
    await new Promise<void>((resolve, reject) => {
      child.once('error', reject)
      child.once('close', (code) => reject(new Error(`redis-server ended with ${code}: ${said}`)))
      child.stdout?.setEncoding('utf8').on('data', (text: string) => {
        said += text
        if (said.includes('Ready to accept connections')) resolve()
      })
    })
  }
  async function kill(): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return
    const closed = once(child, 'close')
    child.kill('SIGKILL')
    await closed
  }
  const server: RedisServer = {
    port,
    url: `redis://127.0.0.1:${port}`,
    command: async (...args) => {
      const client = createClient({ socket: { port, host: '127.0.0.1' }, ...(password !== undefined && { password }) })
      await client.connect()
      return client.sendCommand(args).finally(() => client.destroy())
    },
    signal: (name) => child.kill(name),
    kill,
    start,
    stop: async () => {
      await kill()
      running.delete(server)
      await rm(folder, { recursive: true, force: true })
    },
  }
  running.add(server)
  await start()
  return server
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}
