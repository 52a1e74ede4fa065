// What the containers would run, run here: the files of the image alone, as nobody, in a folder that cannot be written beside a
// volume that can; and a real nats-server with the configuration that compose gives it.

import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { chmodSync, chownSync, cpSync, readdirSync, readFileSync, realpathSync, statSync, symlinkSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseEnv, promisify } from 'node:util'
import { AuthorizationError, connect } from '@nats-io/transport-node'
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest'
import { parse } from 'yaml'
import { init } from '../src/cli/init.ts'
import { createFolder } from './cli/folder.ts'
import { runCommand } from './cli/io.ts'
import { fillIn } from './compose.ts'
import { copiesOf, parseDockerfile, restsOf } from './dockerfile.ts'
import { checkNatsConfig, obtainNatsServer, startNatsServer } from './live/nats-server.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const final = parseDockerfile(readFileSync(join(root, 'Dockerfile'), 'utf8')).stages[1]?.instructions ?? []
const compose = parse(readFileSync(join(root, 'docker-compose.yml'), 'utf8'), { merge: true })
const volume = compose.services.usher.volumes.find(({ type }: { type: string }) => type === 'volume').target
const lastWords = (keyword: string): string[] =>
  JSON.parse(/\[.*\]$/.exec(restsOf(final, keyword)[0] ?? '')?.[0] ?? '[]')

const initialised = await createFolder()
const { stdout } = await runCommand(init, ['--dir', initialised])
const key = stdout.trim()
const dotEnv = parseEnv(readFileSync(join(initialised, '.env'), 'utf8')) as Record<string, string>

const started: ChildProcess[] = []
afterAll(() => {
  for (const child of started) child.kill('SIGKILL')
})

/** Root writes everywhere: then the service runs as the image's user, where that one can read this repository at all. */
const isOpenToAll = (path: string): boolean =>
  (statSync(path).mode & 0o1) !== 0 && (path === '/' || isOpenToAll(dirname(path)))
const isRoot = process.getuid?.() === 0
const nobody =
  isRoot && [join(root, 'node_modules'), realpathSync(process.execPath)].every(isOpenToAll)
    ? { uid: 65532, gid: 65532 }
    : {}

describe('the image', () => {
  it('starts from the files that it copies, answers, and writes nothing', async () => {
    const folder = await createFolder()
    const copies = copiesOf(final).filter(({ target }) => target !== volume)
    for (const { sources, target } of copies)
      for (const source of sources) {
        const path = source.replace('/app/', '')
        const copy = join(folder, target === './' ? path : target)
        // `npm ci --omit=dev` would take minutes; test/container-files.test.ts looks that nothing else is imported.
        if (path === 'node_modules') symlinkSync(join(root, path), copy)
        else cpSync(join(root, path), copy, { recursive: true })
      }
    const state = await createFolder()
    if (nobody.uid !== undefined) chownSync(state, nobody.uid, nobody.gid)
    chmodSync(initialised, 0o755)
    chmodSync(folder, 0o555)
    const containerEnv = envOf(state)
    const before = listOf(folder)

    const service = spawn(process.execPath, lastWords('CMD'), {
      cwd: folder,
      env: containerEnv({ PORT: '0' }),
      ...nobody,
    })
    started.push(service)
    const port = await portOf(service)
    const env = containerEnv({ PORT: String(port) })
    const [, ...healthcheck] = lastWords('HEALTHCHECK')
    await promisify(execFile)(process.execPath, healthcheck, { cwd: folder, env, ...nobody })
    const headers = { authorization: `Bearer ${key}`, 'usher-on-behalf-of': 'alice' }
    const answer = await fetch(`http://127.0.0.1:${port}/nats/token`, { headers })
    expect(await answer.json()).toMatchObject({
      mode: 'callout',
      token: expect.stringMatching(/^ntk_k1\./),
      urls: compose.services.usher.environment.NATS_URLS.split(','),
    })
    const revoked = await fetch(`http://127.0.0.1:${port}/revoke`, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json' },
      body: JSON.stringify({ source: key.split('_')[2], subject: 'mallory' }),
    })
    expect(revoked.status).toBe(200)
    expect(readFileSync(join(state, basename(compose.services.usher.environment.REVOCATIONS_FILE)), 'utf8')).toContain(
      'mallory',
    )

    const exited = new Promise((resolve) => service.once('exit', resolve))
    service.kill('SIGTERM')
    expect(await exited).toBe(0)
    await expect(promisify(execFile)(process.execPath, healthcheck, { cwd: folder, env })).rejects.toMatchObject({
      code: 1,
    })
    expect(listOf(folder)).toEqual(before)
    expect(before).toContain('dist/main.js')
    chmodSync(folder, 0o755)
  })
})

/** .env, then what compose says over it, then what differs outside of a container. @param state stands for the volume */
const envOf = (state: string) => (over: Record<string, string>) => {
  const environment = fillIn(compose.services.usher.environment, dotEnv)
  return {
    ...dotEnv,
    ...environment,
    NODE_ENV: 'production',
    HOST: '127.0.0.1',
    OPS_PORT: '0',
    DRAIN_SECONDS: '0',
    USHER_POLICY: join(initialised, 'policy.yaml'),
    REVOCATIONS_FILE: (environment['REVOCATIONS_FILE'] as string).replace(volume, state),
    // Nobody is there: test/live has one that is.
    NATS_SERVICE_URLS: 'nats://127.0.0.1:1',
    ...over,
  }
}

const listOf = (folder: string): string[] =>
  (readdirSync(folder, { recursive: true }) as string[]).filter((path) => !path.startsWith('node_modules/')).sort()

const portOf = (child: ChildProcess) =>
  new Promise<number>((resolve, reject) => {
    let log = ''
    child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
      log += chunk
      const [, port] = /"port":(\d+).*"listening"/.exec(log) ?? []
      if (port !== undefined) resolve(Number(port))
    })
    child.once('exit', (code) => reject(new Error(`ended with ${code}: ${log}`)))
  })

describe.skipIf(!(await obtainNatsServer()))('nats-server, as compose runs it', () => {
  afterEach(() => {
    vi.unstubAllEnvs()
  })

  /** What compose mounts, beside each other; the container has a /data of its own. */
  async function configuration(mode: string) {
    const folder = await createFolder()
    const { exitCode } = await runCommand(init, ['--dir', folder, '--nats', mode])
    expect(exitCode).toBe(0)
    const read = (name: string) => readFileSync(join(folder, name), 'utf8')
    const [first, second] = compose.services.nats.volumes.map(({ source }: { source: string }) => read(source))
    const config = second.replace(/include ".*"/, () => first).replace('"/data"', '"./data"')
    return { config, env: parseEnv(read('.env')) as Record<string, string> }
  }

  it.each(['callout', 'jwt'])('takes the configuration of NATS mode %s', async (mode) => {
    const { config } = await configuration(mode)
    expect(await checkNatsConfig(config)).toBeUndefined()
  })

  it('takes that of static mode with the token in its environment, and not without', async () => {
    const { config, env } = await configuration('static')
    expect(await checkNatsConfig(config)).toContain('NATS_TOKEN')
    vi.stubEnv('NATS_TOKEN', env['NATS_TOKEN'])
    expect(await checkNatsConfig(config)).toBeUndefined()
  })

  it.each(['callout', 'jwt', 'static'])(
    'runs it in NATS mode %s beyond loopback, with JetStream and WebSocket',
    async (mode) => {
      const { config, env } = await configuration(mode)
      const server = await startNatsServer({
        config: config.replace(/:(4223|8222)"/g, ':-1"'),
        env: { NATS_TOKEN: env['NATS_TOKEN'] ?? '' },
      })
      expect(server.wsUrl).toMatch(/^ws:\/\/0\.0\.0\.0:\d+$/)
      expect(server.logs()).toMatch(/Max Storage: +96\.00 MB/)
      expect(server.logs()).toMatch(/Store Directory: +"data\/jetstream"/)
      expect(server.logs()).toMatch(/Starting http monitor on 127\.0\.0\.1:/)
      expect(server.logs()).not.toMatch(/\[(ERR|FTL)\]/)
    },
  )

  it('lets in who has the token of static mode, and nobody else', async () => {
    const { config, env } = await configuration('static')
    const token = env['NATS_TOKEN'] as string
    const { url } = await startNatsServer({
      config: config.replace(/:(4223|8222)"/g, ':-1"'),
      env: { NATS_TOKEN: token },
    })
    const connection = await connect({ servers: url, token })
    await connection.flush()
    await connection.close()
    await expect(connect({ servers: url, token: 'another-token', reconnect: false })).rejects.toThrow(
      AuthorizationError,
    )
  })
})
