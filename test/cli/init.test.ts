import { readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseEnv } from 'node:util'
import { describe, expect, it } from 'vitest'
import { init } from '../../src/cli/init.ts'
import { policyCheck } from '../../src/cli/policy-check.ts'
import { policyExplain } from '../../src/cli/policy-explain.ts'
import { parseConfig } from '../../src/config.ts'
import { openApiKeys } from '../../src/identity/api-key.ts'
import { checkCallers } from '../../src/identity/check.ts'
import { loadPolicy } from '../../src/policy/load.ts'
import { nats } from '../../src/providers/nats/index.ts'
import { natsTokenFault } from '../../src/providers/nats/static-token.ts'
import { entitlements } from '../../src/providers/registry.ts'
import type { Settings } from '../../src/settings.ts'
import { createFolder } from './folder.ts'
import { runCommand } from './io.ts'

const names = ['.env', 'nats-compose.conf', 'nats.conf', 'policy.yaml']
const natsModes = ['callout', 'static', 'jwt']

async function initialise(...flags: readonly string[]) {
  const folder = await createFolder()
  const outcome = await runCommand(init, ['--dir', folder, ...flags])
  const read = (name: string) => readFileSync(join(folder, name), 'utf8')
  return { ...outcome, folder, read, key: outcome.stdout.trim() }
}

describe('usher init', () => {
  it.each(natsModes)('writes its files for NATS mode %s, and those with secrets for nobody else', async (mode) => {
    const { exitCode, folder } = await initialise('--nats', mode)
    expect(exitCode).toBe(0)
    const secret = mode === 'jwt' ? ['nats-operator.keys', 'nats-system.creds'] : []
    expect(readdirSync(folder).sort()).toEqual([...names, ...secret].sort())
    for (const name of ['.env', ...secret]) expect(statSync(join(folder, name)).mode & 0o777).toBe(0o600)
    // A container reads it as nobody.
    expect(statSync(join(folder, 'nats.conf')).mode & 0o777).toBe(0o644)
  })

  it.each(natsModes)('writes a configuration that the service takes, of NATS mode %s', async (mode) => {
    const { read } = await initialise('--nats', mode)
    const env = parseEnv(read('.env'))
    const result = parseConfig(env, () => '')
    expect('faults' in result ? result.faults : []).toEqual([])
    expect(result).toMatchObject({
      config: {
        host: '127.0.0.1',
        port: 8082,
        policyFile: './policy.yaml',
        sandbox: false,
        revocations: { file: './revocations.jsonl' },
      },
    })
    expect(env['NATS_MODE']).toBe(mode)
    if (mode === 'static') expect(natsTokenFault(env['NATS_TOKEN'] ?? '')).toBeUndefined()
  })

  it('is of NATS mode callout unless told otherwise', async () => {
    const { read } = await initialise()
    expect(parseEnv(read('.env'))['NATS_MODE']).toBe('callout')
  })

  it('leaves what only a vendor can give, and says where that comes from', async () => {
    const { read } = await initialise()
    expect(read('.env')).toMatch(/^# .+\. Copy it from the Agora console\.\n#AGORA_APP_ID=/m)
    expect(read('.env')).toMatch(/^# .+\. Copy the key from the Ably dashboard\.\n#ABLY_API_KEY=/m)
  })

  it.each(natsModes)('writes a policy for NATS mode %s without a fault or a warning', async (mode) => {
    const { folder, read } = await initialise('--nats', mode)
    const { exitCode, stdout } = await runCommand(policyCheck, [join(folder, 'policy.yaml')])
    expect([exitCode, stdout]).toEqual([
      0,
      expect.stringMatching(/^ok: .*apiKeys 1.*agora 1, ably 1, nats 1, admin 1;/),
    ])
    // And as the service judges it, which knows the environment.
    const parsed = parseConfig(parseEnv(read('.env')), () => '')
    if ('faults' in parsed) throw new Error('faults')
    const settings = parsed.config.providers.get('nats') as Settings
    const { faults } = loadPolicy(read('policy.yaml'), () => '', {
      entitlements: [
        ...entitlements.filter(({ name }) => name !== 'nats'),
        nats.entitlementIn?.(settings) ?? nats.entitlement,
      ],
      checkCallers: (callers, report) => checkCallers(callers, report),
    })
    expect(faults).toEqual([])
  })

  it('prints the key of that policy once, and keeps it nowhere', async () => {
    const { key, read, stdout, stderr } = await initialise()
    expect(stdout).toBe(`${key}\n`)
    for (const text of [stderr, ...names.map(read)]) expect(text).not.toContain(key)
    const [, id = '', sha256 = ''] = /id: (\w+), .*sha256: (\w+)/.exec(read('policy.yaml')) ?? []
    const identify = openApiKeys([{ id, name: 'x', sha256, onBehalfOf: '[a-z]{1,9}' }], Date.now)
    expect(identify(key, 'alice')).toMatchObject({ kind: 'apiKey', source: id, subject: 'alice' })
  })

  it.each([
    ['callout', ['NATS_TOKEN_KEYS', 'NATS_CALLOUT_SEED', 'NATS_ISSUER_SEEDS', 'NATS_XKEY_SEEDS', 'NATS_SYSTEM_SEED']],
    ['static', ['NATS_TOKEN']],
    ['jwt', ['NATS_SIGNING_KEYS']],
  ])('prints no secret of NATS mode %s, and writes them into .env alone', async (mode, settings) => {
    const { read, stdout, stderr } = await initialise('--nats', mode)
    const env = parseEnv(read('.env'))
    for (const name of settings)
      for (const secret of (env[name] as string).match(/[\w-]{20,}(?!\w*:SA)/g) ?? [])
        if (!/^A[A-Z2-7]{55}$/.test(secret))
          for (const text of [stdout, stderr, read('policy.yaml'), read('nats.conf')])
            expect(text).not.toContain(secret)
  })

  it('makes other secrets each time', async () => {
    const [one, two] = [await initialise(), await initialise()]
    expect(one.key).not.toBe(two.key)
    expect(one.read('.env')).not.toBe(two.read('.env'))
  })

  it.each([
    ['agora', '{"channelName":"room-1","role":1}', { channel: 'room-1', account: 'alice' }],
    ['ably', '{"capability":{"chat:1":["publish"]}}', { clientId: 'alice', capability: '{"chat:1":["publish"]}' }],
    ['nats', '{}', { account: 'APP', publish: ['user.alice.out.>'], subscribe: ['user.alice.>'] }],
    ['nats', '{"publish":["chat.lobby"]}', { account: 'APP', publish: ['chat.lobby'], subscribe: ['user.alice.>'] }],
    ['nats', '{}', { shared: true }, 'static'],
  ])('grants its backend %s on behalf of a user: %s', async (provider, ask, rights, mode = 'callout') => {
    const { folder, read } = await initialise('--nats', mode)
    const id = /id: (\w+), name: backend/.exec(read('policy.yaml'))?.[1] as string
    const argv = [join(folder, 'policy.yaml'), '--provider', provider, '--ask', ask, '--client', id, '--json']
    const { exitCode, stdout } = await runCommand(policyExplain, [...argv, '--on-behalf-of', 'alice'])
    expect([exitCode, JSON.parse(stdout)]).toMatchObject([0, { rights }])
  })

  it.each(['{"publish":["user.bob.out.x"]}', '{"subscribe":["user.*.x"]}', '{"account":"SYS"}'])(
    'refuses what is not of that user: %s',
    async (ask) => {
      const { folder, read } = await initialise()
      const id = /id: (\w+), name: backend/.exec(read('policy.yaml'))?.[1] as string
      const argv = [join(folder, 'policy.yaml'), '--provider', 'nats', '--ask', ask, '--client', id, '--json']
      const { exitCode, stdout } = await runCommand(policyExplain, [...argv, '--on-behalf-of', 'alice'])
      expect([exitCode, JSON.parse(stdout)]).toMatchObject([1, { reason: 'beyond_grant' }])
    },
  )

  it('lets its backend revoke', async () => {
    const { read } = await initialise()
    const id = /id: (\w+), name: backend/.exec(read('policy.yaml'))?.[1] as string
    expect(read('policy.yaml')).toContain(`  - { id: ops, when: { client: ${id} }, admin: [revoke] }\n`)
  })

  it.each(natsModes)('says how to start it there, in NATS mode %s', async (mode) => {
    const { folder, stderr } = await initialise('--nats', mode)
    expect(stderr).toMatch(new RegExp(`^ {2}cd ${folder} && node --env-file=\\.env \\S+/dist/main\\.js$`, 'm'))
    if (mode !== 'static') expect(stderr).toContain(`\n  cd ${folder} && nats-server -c nats.conf\n`)
  })
})

describe('usher init refuses', () => {
  it('a NATS mode that is none, and writes nothing', async () => {
    const { exitCode, folder, stdout, stderr } = await initialise('--nats', 'jwks')
    expect([exitCode, stdout, readdirSync(folder)]).toEqual([64, '', []])
    expect(stderr).toContain('--nats is one of static, callout, jwt')
  })

  it.each(names)('to overwrite %s, and writes nothing', async (name) => {
    const folder = await createFolder({ [name]: 'mine' })
    const { exitCode, stdout, stderr } = await runCommand(init, ['--dir', folder])
    expect([exitCode, stdout]).toEqual([1, ''])
    expect(stderr).toContain(`${join(folder, name)} is there already, and nothing was written`)
    expect(readdirSync(folder)).toEqual([name])
    expect(readFileSync(join(folder, name), 'utf8')).toBe('mine')
  })

  it('to write through a link', async () => {
    const folder = await createFolder()
    const elsewhere = join(await createFolder(), 'elsewhere')
    symlinkSync(elsewhere, join(folder, '.env'))
    expect(await runCommand(init, ['--dir', folder])).toMatchObject({ exitCode: 1, stdout: '' })
    expect(() => statSync(elsewhere)).toThrow('ENOENT')
  })

  it('a folder that is none', async () => {
    const folder = await createFolder()
    writeFileSync(join(folder, 'file'), '')
    for (const dir of ['nowhere', 'file']) {
      const { exitCode, stdout, stderr } = await runCommand(init, ['--dir', join(folder, dir)])
      expect([exitCode, stdout]).toEqual([65, ''])
      expect(stderr).toMatch(/\.env cannot be written \((ENOENT|ENOTDIR)\)/)
    }
  })
})
