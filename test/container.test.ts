// What the containers would run, run here: the files of the image alone, as nobody, in a folder that cannot be written;
// and a real nats-server with the nats.conf of `usher init`.

import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { chmodSync, cpSync, readdirSync, readFileSync, realpathSync, statSync, symlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseEnv, promisify } from 'node:util'
import { AuthorizationError, connect } from '@nats-io/transport-node'
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest'
import { parse } from 'yaml'
import { init } from '../src/cli/init.ts'
import { createFolder } from './cli/folder.ts'
import { runCommand } from './cli/io.ts'
import { copiesOf, parseDockerfile, restsOf } from './dockerfile.ts'
import { checkNatsConfig, obtainNatsServer, startNatsServer } from './live/nats-server.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const final = parseDockerfile(readFileSync(join(root, 'Dockerfile'), 'utf8')).stages[1]?.instructions ?? []
const compose = parse(readFileSync(join(root, 'docker-compose.yml'), 'utf8'), { merge: true })
const lastWords = (keyword: string): string[] =>
  JSON.parse(/\[.*\]$/.exec(restsOf(final, keyword)[0] ?? '')?.[0] ?? '[]')

const initialised = await createFolder()
const { stdout } = await runCommand(init, ['--dir', initialised])
const key = stdout.trim()
const dotEnv = parseEnv(readFileSync(join(initialised, '.env'), 'utf8')) as Record<string, string>
const natsConf = readFileSync(join(initialised, 'nats.conf'), 'utf8')

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
    for (const { sources, target } of copiesOf(final))
      for (const source of sources) {
        const path = source.replace('/app/', '')
        const copy = join(folder, target === './' ? path : target)
        // `npm ci --omit=dev` would take minutes; test/container-files.test.ts looks that nothing else is imported.
        if (path === 'node_modules') symlinkSync(join(root, path), copy)
        else cpSync(join(root, path), copy, { recursive: true })
      }
    chmodSync(initialised, 0o755)
    chmodSync(folder, 0o555)
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
      token: dotEnv['NATS_TOKEN'],
      urls: compose.services.usher.environment.NATS_URLS.split(','),
    })

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

/** .env, then what compose says over it, then what differs outside of a container. */
const containerEnv = (over: Record<string, string>) => ({
  ...dotEnv,
  ...compose.services.usher.environment,
  NODE_ENV: 'production',
  HOST: '127.0.0.1',
  OPS_PORT: '0',
  DRAIN_SECONDS: '0',
  USHER_POLICY: join(initialised, 'policy.yaml'),
  ...over,
})

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

describe.skipIf(!(await obtainNatsServer()))('nats-server, with the nats.conf of init', () => {
  afterEach(() => {
    vi.unstubAllEnvs()
  })

  it('takes the configuration with the token in its environment, and not without', async () => {
    expect(await checkNatsConfig(natsConf)).toContain('NATS_TOKEN')
    vi.stubEnv('NATS_TOKEN', dotEnv['NATS_TOKEN'])
    expect(await checkNatsConfig(natsConf)).toBeUndefined()
  })

  it('lets in who has the token of .env, and nobody else', async () => {
    const config = natsConf.replace(/:(4223|8222)"/g, ':-1"')
    const { url } = await startNatsServer({ config, env: { NATS_TOKEN: dotEnv['NATS_TOKEN'] as string } })
    const connection = await connect({ servers: url, token: dotEnv['NATS_TOKEN'] as string })
    await connection.flush()
    await connection.close()
    await expect(connect({ servers: url, token: 'another-token', reconnect: false })).rejects.toThrow(
      AuthorizationError,
    )
  })
})
