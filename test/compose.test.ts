// docker-compose.yml as a text: what it hardens, publishes, and feeds the containers with.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { initFiles } from '../src/cli/init-files.ts'
import { allSettings } from '../src/config.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const read = (name: string) => readFileSync(join(root, name), 'utf8')

describe('docker-compose.yml', () => {
  const { services } = parse(read('docker-compose.yml'), { merge: true })
  const files = initFiles({ id: 'x', sha256: 'x' }).map(({ name }) => `./${name}`)
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
      tmpfs: [expect.stringMatching(/^\/tmp:/)],
      mem_limit: expect.stringMatching(/^\d+m$/),
    })
    for (const key of ['privileged', 'cap_add', 'network_mode', 'pid']) expect(services[name]).not.toHaveProperty(key)
  })

  it.each(names)('publishes %s on loopback only', (name) => {
    for (const port of services[name].ports) expect(port).toMatch(/^127\.0\.0\.1:(\d+):\1$/)
  })

  it.each(names)('gives %s what init writes, for reading', (name) => {
    for (const volume of services[name].volumes)
      expect(volume).toMatchObject({ type: 'bind', read_only: true, bind: { create_host_path: false } })
    for (const { source } of services[name].volumes) expect(files).toContain(source)
  })

  it('gives Usher settings that there are, and no secret but those of .env', () => {
    const { environment, env_file } = services.usher
    expect(env_file).toBe('.env')
    const settings = new Map(allSettings.map((setting) => [setting.name, setting]))
    for (const name of Object.keys(environment)) expect(settings.get(name)).toMatchObject({ name })
    for (const name of Object.keys(environment)) expect(settings.get(name)).not.toHaveProperty('secret')
    expect(environment.USHER_POLICY).toBe(services.usher.volumes[0].target)
    expect(environment.NATS_URLS.split(',')).toContain('nats://nats:4222')
  })

  it('gives nats-server the token and nothing else of .env', () => {
    const { environment, command, volumes, healthcheck } = services.nats
    expect(services.nats).not.toHaveProperty('env_file')
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is compose that fills it in
    expect(environment).toEqual({ NATS_TOKEN: '${NATS_TOKEN:?run usher init first}' })
    expect(command).toEqual(['nats-server', '--config', volumes[0].target])
    expect(healthcheck.test[0]).toBe('CMD')
  })

  it('lets Usher drain', () => {
    expect(services.usher.stop_grace_period).toBe('20s')
  })
})
