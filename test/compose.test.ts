// docker-compose.yml as a text: what it hardens, publishes, and feeds the containers with.

import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseEnv } from 'node:util'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { initFiles } from '../src/cli/init-files.ts'
import { composeConf } from '../src/cli/nats-server-conf.ts'
import { allSettings, parseConfig } from '../src/config.ts'
import { natsModes } from '../src/providers/nats/ask.ts'
import { fillIn } from './compose.ts'
import { parseDockerfile, restsOf } from './dockerfile.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const read = (name: string) => readFileSync(join(root, name), 'utf8')

describe('docker-compose.yml', () => {
  const { services, volumes } = parse(read('docker-compose.yml'), { merge: true })
  const files = natsModes.map((nats) => initFiles({ id: 'x', sha256: 'x' }, { nats, nowMs: 0 }))
  type Volume = { type: string; source: string; target: string }
  const mounts = (name: string, type: string) =>
    (services[name].volumes as Volume[]).filter((volume) => volume.type === type)
  const names = Object.keys(services)

  it('is Usher and a nats-server, pinned to the version that the tests run', () => {
    expect(names).toEqual(['usher', 'nats'])
    expect(services.usher.build).toBe('.')
    const [, version] = /nats-server\/v2@v([\d.]+)'/.exec(read('test/live/nats-server.ts')) ?? []
    expect(services.nats.image).toBe(`nats:${version}-alpine`)
  })

  it.each(names)('hardens %s', (name) => {
    expect(services[name]).toMatchObject({
      user: '65532:65532',
      read_only: true,
      cap_drop: ['ALL'],
      security_opt: ['no-new-privileges:true'],
      mem_limit: expect.stringMatching(/^\d+m$/),
    })
    for (const mount of services[name].tmpfs) expect(mount).toMatch(/^\/\w+:size=\d+m,noexec,nosuid,nodev/)
    for (const key of ['privileged', 'cap_add', 'network_mode', 'pid']) expect(services[name]).not.toHaveProperty(key)
  })

  it.each(names)('publishes %s on loopback only', (name) => {
    for (const port of services[name].ports) expect(port).toMatch(/^127\.0\.0\.1:(\d+):\1$/)
  })

  it.each(names)('gives %s what init writes in every NATS mode, for reading, and no file with a secret', (name) => {
    for (const volume of mounts(name, 'bind')) {
      expect(volume).toMatchObject({ read_only: true, bind: { create_host_path: false } })
      for (const written of files) {
        const file = written.find((each) => `./${each.name}` === volume.source)
        // The containers run as nobody.
        expect(file?.mode).toBe(0o644)
      }
    }
  })

  it('keeps who is revoked on a volume, in the one folder that the image lets its user write', () => {
    const [volume, ...others] = mounts('usher', 'volume')
    expect(others).toEqual([])
    expect(Object.keys(volumes)).toEqual([volume?.source])
    const { REVOCATIONS_FILE: file } = services.usher.environment
    expect(dirname(file)).toBe(volume?.target)
    const final = parseDockerfile(read('Dockerfile')).stages[1]?.instructions ?? []
    expect(restsOf(final, 'COPY').filter((rest) => rest.endsWith(` ${volume?.target}`))).toEqual([
      expect.stringContaining('--chown=65532:65532'),
    ])
  })

  it('keeps streams in memory that the user of nats-server may write, within its limit', () => {
    expect(mounts('nats', 'volume')).toEqual([])
    const [, folder = ''] = /store_dir: "(.+)"/.exec(composeConf) ?? []
    const mount = (services.nats.tmpfs as string[]).find((each) => each.startsWith(`${folder}:`))
    expect(mount).toMatch(/uid=65532,gid=65532,mode=0700$/)
    const megabytes = (text: string | undefined, pattern: RegExp) => Number(pattern.exec(text ?? '')?.[1])
    const size = megabytes(mount, /size=(\d+)m/)
    expect(size).toBeGreaterThan(megabytes(composeConf, /max_file_store: (\d+)MB/))
    expect(megabytes(services.nats.mem_limit, /(\d+)m/)).toBeGreaterThan(
      size + megabytes(composeConf, /max_memory_store: (\d+)MB/),
    )
  })

  it('gives Usher settings that there are, and no secret but those of .env', () => {
    const { environment, env_file } = services.usher
    expect(env_file).toBe('.env')
    const settings = new Map(allSettings.map((setting) => [setting.name, setting]))
    for (const name of Object.keys(environment)) expect(settings.get(name)).toMatchObject({ name })
    for (const name of Object.keys(environment)) expect(settings.get(name)).not.toHaveProperty('secret')
    expect(environment.USHER_POLICY).toBe(services.usher.volumes[0].target)
    expect(environment.NATS_URLS.split(',')).toContain('nats://nats:4222')
    // Another mode has no use for it, and says so.
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is compose that fills it in
    expect(environment.NATS_SERVICE_URLS).toBe('${NATS_CALLOUT_SEED:+nats://nats:4222}')
  })

  it.each(natsModes)('gives Usher a configuration that it takes in NATS mode %s', (nats) => {
    const dotEnv = initFiles({ id: 'x', sha256: 'x' }, { nats, nowMs: 0 }).find(({ name }) => name === '.env')
    const values = parseEnv(dotEnv?.text ?? '') as Record<string, string>
    const result = parseConfig({ ...values, ...fillIn(services.usher.environment, values) }, () => '')
    expect('faults' in result ? result.faults : [...result.config.providers.keys()]).toEqual(['nats'])
  })

  it('gives nats-server the token of static mode and nothing else of .env', () => {
    const { environment, command, volumes, healthcheck } = services.nats
    expect(services.nats).not.toHaveProperty('env_file')
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is compose that fills it in
    expect(environment).toEqual({ NATS_TOKEN: '${NATS_TOKEN:-}' })
    expect(volumes.map(({ target }: Volume) => target)).toEqual(['/etc/nats/nats.conf', '/etc/nats/nats-compose.conf'])
    expect(command).toEqual(['nats-server', '--config', volumes[1].target])
    // By the name that stands in the second, beside it.
    expect(composeConf).toContain('include "nats.conf"\n')
    const [kind, , , , url] = healthcheck.test
    expect([kind, url]).toEqual(['CMD', `http://${/^http: "(.+)"$/m.exec(composeConf)?.[1]}/healthz`])
  })

  it('lets Usher drain', () => {
    expect(services.usher.stop_grace_period).toBe('20s')
  })
})
