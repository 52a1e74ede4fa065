// The configuration: what is refused, with the name of every fault and no value of a secret; and .env.example, held against it.

import { readFileSync } from 'node:fs'
import { parseEnv } from 'node:util'
import { describe, expect, it } from 'vitest'
import { allSettings, parseConfig } from '../src/config.ts'
import type { Environment } from '../src/settings.ts'
import { settings as good, secrets } from './app/test-app.ts'

const noFiles = () => {
  throw Object.assign(new Error('no such file'), { code: 'ENOENT' })
}
const parse = (env: Environment, readFile: (path: string) => string = noFiles) => parseConfig(env, readFile)
const faultsOf = (env: Environment, readFile?: (path: string) => string) => {
  const parsed = parse(env, readFile)
  return 'faults' in parsed ? parsed.faults : []
}
const namesOf = (env: Environment) => faultsOf(env).map(({ name }) => name)
const configOf = (env: Environment, readFile?: (path: string) => string) => {
  const parsed = parse(env, readFile)
  if ('faults' in parsed) throw new Error(JSON.stringify(parsed.faults))
  return parsed.config
}
const policy = { USHER_POLICY: 'policy.yaml' }

describe('the sandbox', () => {
  it('is what a bare start gives, with credentials made anew', () => {
    const [one, two] = [configOf({}), configOf({})]
    expect(one).toMatchObject({ sandbox: true, host: '127.0.0.1', port: 8082, docs: true, policyFile: undefined })
    expect([...one.providers.keys()]).toEqual(['agora', 'ably', 'nats'])
    const secretOf = ({ providers }: typeof one) => providers.get('nats')?.secret('NATS_TOKEN').reveal()
    expect(secretOf(one)).not.toBe(secretOf(two))
  })

  it('takes real credentials where it is asked for by name', () => {
    const { sandbox, providers } = configOf({ ...good, SANDBOX: 'true' })
    expect(sandbox).toBe(true)
    expect(providers.get('agora')?.secret('AGORA_APP_CERTIFICATE').reveal()).toBe(secrets.certificate)
  })

  it.each<[string, Environment, string[]]>([
    ['beside a policy', { SANDBOX: 'true', ...policy }, ['SANDBOX']],
    ['on an address of the network', { SANDBOX: 'true', HOST: '0.0.0.0' }, ['SANDBOX']],
    ['on every IPv6 address', { SANDBOX: 'on', HOST: '::' }, ['SANDBOX']],
    ['on an address that starts like loopback', { SANDBOX: 'true', HOST: '127.0.0.1.evil.com' }, ['SANDBOX']],
    ['bare, but on the network', { HOST: '0.0.0.0' }, ['USHER_POLICY', 'AGORA_APP_ID, ABLY_API_KEY, NATS_TOKEN']],
    ['bare, but switched off', { SANDBOX: 'false' }, ['USHER_POLICY', 'AGORA_APP_ID, ABLY_API_KEY, NATS_TOKEN']],
    ['bare, but with another fault', { PORT: 'x' }, ['PORT', 'USHER_POLICY', 'AGORA_APP_ID, ABLY_API_KEY, NATS_TOKEN']],
    ['by credentials alone', good, ['USHER_POLICY']],
  ])('is no accident: not %s', (_what, env, names) => expect(namesOf(env)).toEqual(names))
})

describe('a value', () => {
  it.each<[string, Environment]>([
    ['PORT', { PORT: '65536' }],
    ['PORT', { PORT: '-1' }],
    ['PORT', { PORT: '80 ' }],
    ['PORT', { PORT: '0x50' }],
    ['OPS_PORT', { OPS_PORT: '1e3' }],
    ['DRAIN_SECONDS', { DRAIN_SECONDS: '301' }],
    ['MAX_IN_FLIGHT', { MAX_IN_FLIGHT: '0' }],
    ['LOG_LEVEL', { LOG_LEVEL: 'trace' }],
    ['DOCS', { DOCS: 'yes' }],
    ['SANDBOX', { SANDBOX: '1' }],
    ['CORS_ORIGINS', { CORS_ORIGINS: '*' }],
    ['CORS_ORIGINS', { CORS_ORIGINS: 'https://*.example.com' }],
    ['CORS_ORIGINS', { CORS_ORIGINS: 'https://app.example.com/' }],
    ['CORS_ORIGINS', { CORS_ORIGINS: 'https://APP.example.com' }],
    ['CORS_ORIGINS', { CORS_ORIGINS: 'null' }],
    ['CORS_ORIGINS', { CORS_ORIGINS: 'app.example.com' }],
    ['TRUSTED_PROXIES', { TRUSTED_PROXIES: '0.0.0.0/0' }],
    ['TRUSTED_PROXIES', { TRUSTED_PROXIES: '::/0' }],
    ['TRUSTED_PROXIES', { TRUSTED_PROXIES: 'true' }],
    ['TRUSTED_PROXIES', { TRUSTED_PROXIES: '10.0.0.7' }],
    ['GATEWAY_SECRET', { GATEWAY_SECRET: 'short' }],
    ['GATEWAY_SECRET', { GATEWAY_SECRET: 'a'.repeat(64) }],
    ['GATEWAY_SECRET', { GATEWAY_SECRET: `${secrets.gatewaySecret},short` }],
    ['AGORA_APP_CERTIFICATE', { AGORA_APP_CERTIFICATE: `${secrets.certificate}0` }],
    ['AGORA_APP_CERTIFICATE', { AGORA_APP_CERTIFICATE: '0'.repeat(32) }],
    ['AGORA_APP_CERTIFICATE', { AGORA_APP_CERTIFICATE: '5CFd2fd1755d40ecb72977518be15d3b' }],
    ['AGORA_APP_ID', { AGORA_APP_ID: '' }],
    ['ABLY_API_KEY', { ABLY_API_KEY: 'app.key' }],
    ['ABLY_API_KEY', { ABLY_API_KEY: 'app.key:short' }],
    ['ABLY_HOSTS', { ABLY_HOSTS: 'http://ably.example.com' }],
    ['ABLY_HOSTS', { ABLY_HOSTS: 'http://127.0.0.1.evil.com' }],
    ['ABLY_HOSTS', { ABLY_HOSTS: 'https://a.test,https://b.test,https://c.test' }],
    ['NATS_TOKEN', { NATS_TOKEN: 'changeme-changeme' }],
    ['NATS_TOKEN', { NATS_TOKEN: '$2a$11$abcdefghijklmnopqrstuv' }],
    ['NATS_URLS', { NATS_URLS: 'nats://token@nats.example.com:4222' }],
    ['NATS_URLS', { NATS_URLS: 'http://nats.example.com' }],
    ['NATS_WS_URLS', { NATS_WS_URLS: 'ws://user:pass@nats.example.com' }],
    ['NATS_MODE', { NATS_MODE: 'tokens' }],
    ['NATS_MODE', { NATS_MODE: 'Static' }],
    ['NATS_TOKEN_KEYS', { NATS_MODE: 'callout' }],
    ['NATS_SIGNING_KEYS', { NATS_MODE: 'jwt' }],
    ['REVOCATIONS_OUTAGE', { REVOCATIONS_OUTAGE: 'ignore' }],
    ['NODE_TLS_REJECT_UNAUTHORIZED', { NODE_TLS_REJECT_UNAUTHORIZED: '0' }],
  ])('of %s is refused, and only it: %o', (name, env) => {
    expect(namesOf({ ...good, ...policy, ...env })).toEqual([name])
  })

  it('that is good starts the service: the table above means something', () => {
    expect(configOf({ ...good, ...policy })).toMatchObject({ sandbox: false, docs: false, policyFile: 'policy.yaml' })
  })

  it('that is half a provider is a fault, not a provider that is off', () => {
    for (const name of ['AGORA_APP_ID', 'AGORA_APP_CERTIFICATE', 'NATS_TOKEN', 'NATS_URLS'])
      expect(namesOf({ ...good, ...policy, [name]: undefined })).toEqual([name])
    expect([...configOf({ ...good, ...policy, ABLY_API_KEY: undefined }).providers.keys()]).toEqual(['agora', 'nats'])
  })
})

describe('the faults', () => {
  const bad = {
    PORT: 'x',
    LOG_LEVEL: 'loud',
    CORS_ORIGINS: '*',
    AGORA_APP_ID: 'canary-app-id',
    AGORA_APP_CERTIFICATE: 'canary-certificate',
    ABLY_API_KEY: 'canary-ably',
    NATS_TOKEN: 'canary nats',
    NATS_URLS: 'nats://canary@x',
    GATEWAY_SECRET: 'canary-gateway',
  }
  it('come all at once, each with its mend', () => {
    const faults = faultsOf(bad)
    expect(faults.map(({ name }) => name).sort()).toEqual([...Object.keys(bad), 'USHER_POLICY'].sort())
    for (const { rule, mend } of faults)
      expect([rule, mend]).toEqual([expect.stringMatching(/\w/), expect.stringMatching(/\w/)])
  })

  it('repeat no value', () => expect(JSON.stringify(faultsOf(bad))).not.toContain('canary'))
})

describe('a file', () => {
  const files = (content: Record<string, string>) => (path: string) => content[path] ?? noFiles()

  it('holds a value in place of the variable, without its last line break', () => {
    for (const end of ['', '\n', '\r\n']) {
      const read = files({ '/run/token': `${secrets.natsToken}${end}` })
      const { providers } = configOf({ ...good, ...policy, NATS_TOKEN: undefined, NATS_TOKEN_FILE: '/run/token' }, read)
      expect(providers.get('nats')?.secret('NATS_TOKEN').reveal()).toBe(secrets.natsToken)
    }
  })

  it.each<[string, Environment, string]>([
    ['beside the variable', { NATS_TOKEN_FILE: '/run/token' }, 'NATS_TOKEN_FILE too'],
    ['that is not there', { NATS_TOKEN: undefined, NATS_TOKEN_FILE: '/gone' }, 'ENOENT'],
    ['that is empty', { NATS_TOKEN: undefined, NATS_TOKEN_FILE: '/empty' }, 'shorter'],
    ['with two lines', { NATS_TOKEN: undefined, NATS_TOKEN_FILE: '/two' }, 'line break'],
  ])('%s is a fault of its setting, which names no value', (_what, env, rule) => {
    const read = files({ '/run/token': secrets.natsToken, '/empty': '\n', '/two': `${secrets.natsToken}\nx\n` })
    const faults = faultsOf({ ...good, ...policy, ...env }, read)
    expect(faults).toMatchObject([{ name: 'NATS_TOKEN', rule: expect.stringContaining(rule) }])
    expect(JSON.stringify(faults)).not.toContain(secrets.natsToken)
  })
})

describe('.env.example', () => {
  const text = readFileSync(new URL('../.env.example', import.meta.url), 'utf8')
  /** As if every line were switched on. */
  const values = parseEnv(text.replaceAll(/^#(?=[A-Z0-9_]+=)/gm, ''))

  it('has every setting with its example, and no other', () => {
    expect(values).toEqual(Object.fromEntries(allSettings.map(({ name, example }) => [name, example])))
  })

  it('says of every setting what it is about', () => {
    for (const { about } of allSettings) expect(text).toContain(`# ${about}`)
  })

  it('starts nothing as it is: each of its secrets is refused', () => {
    expect(namesOf(values)).toEqual(
      expect.arrayContaining(allSettings.filter(({ secret }) => secret).map(({ name }) => name)),
    )
    for (const { name, example, secret } of allSettings)
      if (secret) expect(namesOf({ ...good, ...policy, [name]: example })).toEqual([name])
  })

  it('has examples that are good values, where they are no secrets', () => {
    const callout = { ...good, NATS_TOKEN: '', NATS_MODE: 'callout', NATS_TOKEN_KEYS: `k1:${secrets.tokenKey}` }
    for (const { name, example, secret } of allSettings) {
      if (secret || name === 'AGORA_APP_ID') continue
      const env = /^NATS_(MODE|SERVICE_URLS)$/.test(name) ? callout : good
      expect(namesOf({ ...env, ...policy, [name]: example })).toEqual([])
    }
  })
})
