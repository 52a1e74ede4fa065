import { readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseEnv } from 'node:util'
import { describe, expect, it } from 'vitest'
import { init } from '../../src/cli/init.ts'
import { policyCheck } from '../../src/cli/policy-check.ts'
import { policyExplain } from '../../src/cli/policy-explain.ts'
import { parseConfig } from '../../src/config.ts'
import { openApiKeys } from '../../src/identity/api-key.ts'
import { natsTokenFault } from '../../src/providers/nats/static-token.ts'
import { createFolder } from './folder.ts'
import { runCommand } from './io.ts'

const names = ['.env', 'nats.conf', 'policy.yaml']

async function initialise() {
  const folder = await createFolder()
  const outcome = await runCommand(init, ['--dir', folder])
  const read = (name: string) => readFileSync(join(folder, name), 'utf8')
  return { ...outcome, folder, read, key: outcome.stdout.trim() }
}

describe('usher init', () => {
  it('writes three files, and .env for nobody else', async () => {
    const { exitCode, folder } = await initialise()
    expect(exitCode).toBe(0)
    expect(readdirSync(folder).sort()).toEqual(names)
    expect(statSync(join(folder, '.env')).mode & 0o777).toBe(0o600)
  })

  it('writes a configuration that the service takes', async () => {
    const { read } = await initialise()
    const env = parseEnv(read('.env'))
    const result = parseConfig(env, () => '')
    expect('faults' in result ? result.faults : []).toEqual([])
    expect(result).toMatchObject({
      config: { host: '127.0.0.1', port: 8082, policyFile: './policy.yaml', sandbox: false },
    })
    expect(natsTokenFault(env['NATS_TOKEN'] ?? '')).toBeUndefined()
  })

  it('leaves what only a vendor can give, and says where that comes from', async () => {
    const { read } = await initialise()
    expect(read('.env')).toMatch(/^# .+\. Copy it from the Agora console\.\n#AGORA_APP_ID=/m)
    expect(read('.env')).toMatch(/^# .+\. Copy the key from the Ably dashboard\.\n#ABLY_API_KEY=/m)
  })

  it('writes a policy without a fault or a warning', async () => {
    const { folder } = await initialise()
    const { exitCode, stdout } = await runCommand(policyCheck, [join(folder, 'policy.yaml')])
    expect([exitCode, stdout]).toEqual([0, expect.stringMatching(/^ok: .*apiKeys 1.*agora 1, ably 1, nats 1;/)])
  })

  it('prints the key of that policy once, and keeps it nowhere', async () => {
    const { key, read, stdout, stderr } = await initialise()
    expect(stdout).toBe(`${key}\n`)
    for (const text of [stderr, ...names.map(read)]) expect(text).not.toContain(key)
    const [, id = '', sha256 = ''] = /id: (\w+), .*sha256: (\w+)/.exec(read('policy.yaml')) ?? []
    const identify = openApiKeys([{ id, name: 'x', sha256, onBehalfOf: '[a-z]{1,9}' }], Date.now)
    expect(identify(key, 'alice')).toMatchObject({ kind: 'apiKey', source: id, subject: 'alice' })
  })

  it('prints no NATS token, and writes it into .env alone', async () => {
    const { read, stdout, stderr } = await initialise()
    const token = parseEnv(read('.env'))['NATS_TOKEN'] as string
    for (const text of [stdout, stderr, read('policy.yaml'), read('nats.conf')]) expect(text).not.toContain(token)
  })

  it('makes other secrets each time', async () => {
    const [one, two] = [await initialise(), await initialise()]
    expect(one.key).not.toBe(two.key)
    expect(one.read('.env')).not.toBe(two.read('.env'))
  })

  it.each([
    ['agora', '{"channelName":"room-1","role":1}', { channel: 'room-1', account: 'alice' }],
    ['ably', '{"capability":{"chat:1":["publish"]}}', { clientId: 'alice', capability: '{"chat:1":["publish"]}' }],
    ['nats', '{}', { shared: true }],
  ])('grants its backend %s on behalf of a user', async (provider, ask, rights) => {
    const { folder, read } = await initialise()
    const id = /id: (\w+), name: backend/.exec(read('policy.yaml'))?.[1] as string
    const argv = [join(folder, 'policy.yaml'), '--provider', provider, '--ask', ask, '--client', id, '--json']
    const { exitCode, stdout } = await runCommand(policyExplain, [...argv, '--on-behalf-of', 'alice'])
    expect([exitCode, JSON.parse(stdout)]).toMatchObject([0, { rights }])
  })

  it('says how to start it there', async () => {
    const { folder, stderr } = await initialise()
    expect(stderr).toMatch(new RegExp(`^ {2}cd ${folder} && node --env-file=\\.env \\S+/dist/main\\.js$`, 'm'))
  })
})

describe('usher init refuses', () => {
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
