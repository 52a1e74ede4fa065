// The settings of NATS: which each mode needs, which it must not have, and what no value may be. No fault repeats a value.

import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { parseConfig } from '../../../src/config.ts'
import { createSeed, publicNkeyOf } from '../../../src/providers/nats/nkeys.ts'
import { generateToken } from '../../../src/providers/nats/static-token.ts'

const seeds = {
  NATS_CALLOUT_SEED: createSeed('user'),
  NATS_ISSUER_SEEDS: createSeed('account'),
  NATS_XKEY_SEEDS: createSeed('curve'),
}
const system = { NATS_SYSTEM_SEED: createSeed('user') }
const urls = { NATS_URLS: 'nats://127.0.0.1:4222' }
const modes = {
  static: { NATS_TOKEN: generateToken(), ...urls },
  callout: { NATS_MODE: 'callout', NATS_TOKEN_KEYS: `k1:${randomBytes(32).toString('base64url')}`, ...urls },
  jwt: {
    NATS_MODE: 'jwt',
    NATS_SIGNING_KEYS: `APP:${publicNkeyOf(createSeed('account'), 'account')}:${createSeed('account')}`,
    ...urls,
  },
}
type Env = Readonly<Record<string, string>>
const parse = (env: Env) =>
  parseConfig({ USHER_POLICY: 'policy.yaml', ...env }, () => {
    throw new Error('no files')
  })
const faultsIn = (env: Env) => {
  const parsed = parse(env)
  const faults = 'faults' in parsed ? parsed.faults : []
  for (const { rule, mend } of faults) expect([rule, mend].join()).toMatch(/^[A-Za-z].*,[A-Z].*/)
  return faults
}
const namesIn = (env: Env) => faultsIn(env).map(({ name }) => name)

describe('a mode', () => {
  it.each<[string, Env]>([
    ['static', modes.static],
    ['static, by its name', { ...modes.static, NATS_MODE: 'static' }],
    ['callout, on a replica that only issues', modes.callout],
    ['callout, on a replica that answers', { ...modes.callout, ...seeds }],
    [
      'callout, on a replica that ends connections too',
      { ...modes.callout, ...seeds, ...system, NATS_SOFT_EXPIRY_SECONDS: '5' },
    ],
    ['callout, on a replica that only ends connections', { ...modes.callout, ...system }],
    ['callout, at another address', { ...modes.callout, ...seeds, NATS_SERVICE_URLS: 'tls://nats.internal:4222' }],
    ['jwt', modes.jwt],
  ])('%s is on with what it needs', (_what, env) => {
    expect(namesIn(env)).toEqual([])
    const parsed = parse(env)
    expect('config' in parsed && parsed.config.providers.has('nats')).toBe(true)
  })

  it.each<[string, Env, string[]]>([
    ['callout alone', { NATS_MODE: 'callout' }, ['NATS_TOKEN_KEYS', 'NATS_URLS']],
    ['jwt alone', { NATS_MODE: 'jwt' }, ['NATS_SIGNING_KEYS', 'NATS_URLS']],
    ['callout without its keys', { NATS_MODE: 'callout', ...urls }, ['NATS_TOKEN_KEYS']],
    ['callout with the keys of jwt', { ...modes.jwt, NATS_MODE: 'callout' }, ['NATS_TOKEN_KEYS']],
    ['static without its token', urls, ['NATS_TOKEN']],
    [
      'callout of which the mode was forgotten',
      { NATS_TOKEN_KEYS: modes.callout.NATS_TOKEN_KEYS },
      ['NATS_TOKEN', 'NATS_URLS'],
    ],
    ['jwt of which the mode was forgotten', { ...modes.jwt, NATS_MODE: '' }, ['NATS_TOKEN']],
    ['callout with the shared token', { ...modes.callout, ...modes.static }, ['NATS_TOKEN']],
    ['callout with signing keys', { ...modes.jwt, ...modes.callout }, ['NATS_SIGNING_KEYS']],
    ['jwt with the shared token', { ...modes.static, ...modes.jwt }, ['NATS_TOKEN']],
    ['jwt with seeds of the callout', { ...modes.jwt, ...seeds }, Object.keys(seeds)],
    [
      'static with seeds of the callout',
      { ...modes.static, ...seeds, ...system },
      [...Object.keys(seeds), 'NATS_SYSTEM_SEED'],
    ],
    ['static with an address for itself', { ...modes.static, NATS_SERVICE_URLS: 'nats://x:1' }, ['NATS_SERVICE_URLS']],
    [
      'callout with soft expiry that nobody can carry out',
      { ...modes.callout, ...seeds, NATS_SOFT_EXPIRY_SECONDS: '5' },
      ['NATS_SOFT_EXPIRY_SECONDS'],
    ],
  ])('%s is refused', (_what, env, names) => {
    expect(namesIn(env).filter((name) => !name.includes(','))).toEqual(names)
  })

  it.each(Object.keys(seeds))('callout answers with all three seeds or with none: %s is missing', (name) => {
    const { [name]: _, ...others } = { ...modes.callout, ...seeds } as Record<string, string>
    expect(namesIn(others)).toEqual([name])
  })
})

describe('a value', () => {
  const seed = (kind: Parameters<typeof createSeed>[0]) => createSeed(kind)
  const four = (kind: 'account' | 'curve') => Array.from({ length: 4 }, () => seed(kind)).join()

  it.each<[string, string]>([
    ['NATS_ISSUER_SEEDS', four('account')],
    ['NATS_XKEY_SEEDS', four('curve')],
    ['NATS_ACCOUNTS', 'APP,OTHER, third_1'],
    ['NATS_SOFT_EXPIRY_SECONDS', '0'],
    ['NATS_URLS', 'nats://a:4222,tls://[::1]:4222/'],
  ])('of %s may be this', (name, value) => expect(namesIn({ ...modes.callout, ...seeds, [name]: value })).toEqual([]))

  it.each<[string, string]>([
    ['NATS_CALLOUT_SEED', seed('account')],
    ['NATS_CALLOUT_SEED', publicNkeyOf(seed('user'), 'user')],
    ['NATS_CALLOUT_SEED', `${seed('user')},${seed('user')}`],
    ['NATS_CALLOUT_SEED', ','],
    ['NATS_ISSUER_SEEDS', seed('user')],
    ['NATS_ISSUER_SEEDS', seed('operator')],
    ['NATS_ISSUER_SEEDS', `${four('account')},${seed('account')}`],
    ['NATS_ISSUER_SEEDS', `${seed('account')},${seed('curve')}`],
    ['NATS_XKEY_SEEDS', seed('account')],
    ['NATS_SYSTEM_SEED', seed('account')],
    ['NATS_ACCOUNTS', 'AUTH'],
    ['NATS_ACCOUNTS', 'APP,SYS'],
    ['NATS_ACCOUNTS', 'sys'],
    ['NATS_ACCOUNTS', 'APP,Auth'],
    ['NATS_ACCOUNTS', '$SYS'],
    ['NATS_ACCOUNTS', '$G'],
    ['NATS_ACCOUNTS', '*'],
    ['NATS_ACCOUNTS', ','],
    ['NATS_ACCOUNTS', 'A P'],
    ['NATS_SOFT_EXPIRY_SECONDS', '301'],
    ['NATS_SOFT_EXPIRY_SECONDS', '-1'],
    ['NATS_SOFT_EXPIRY_SECONDS', '5s'],
    ['NATS_SERVICE_URLS', 'nats://user:pass@nats:4222'],
    ['NATS_SERVICE_URLS', 'nats://token@nats:4222'],
    ['NATS_SERVICE_URLS', 'ws://nats:4223'],
    ['NATS_URLS', 'nats://token@nats:4222'],
    ['NATS_URLS', 'nats://nats:4222/?token=x'],
    ['NATS_URLS', 'nats:4222'],
    ['NATS_WS_URLS', 'http://nats:4223'],
  ])('of %s may not be %s', (name, value) => {
    const faults = faultsIn({ ...modes.callout, ...seeds, ...system, [name]: value })
    expect(faults.map((fault) => fault.name)).toEqual([name])
    if (value.length > 20) expect(JSON.stringify(faults)).not.toContain(value.slice(0, 20))
  })
})
