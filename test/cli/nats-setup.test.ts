import { readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseEnv } from 'node:util'
import { decode, parseCreds } from '@nats-io/jwt'
import { fromPublic, fromSeed } from '@nats-io/nkeys'
import { describe, expect, it } from 'vitest'
import { natsSetup } from '../../src/cli/nats-setup.ts'
import { parseConfig } from '../../src/config.ts'
import { createFolder } from './folder.ts'
import { runCommand } from './io.ts'

const modes = ['callout', 'static', 'jwt'] as const
type Mode = (typeof modes)[number]
const namesOf: Record<Mode, readonly string[]> = {
  callout: ['nats.conf', 'nats.env'],
  static: ['nats.conf', 'nats.env'],
  jwt: ['nats-operator.keys', 'nats-system.creds', 'nats.conf', 'nats.env'],
}
/** All that may open something: seeds, and what stands for a token. */
const secretsIn = (text: string): readonly string[] => [
  ...(text.match(/\bS[AUXOC][A-Z2-7]{56}\b/g) ?? []),
  ...[...text.matchAll(/^(?:NATS_TOKEN=|NATS_TOKEN_KEYS=\w+:)(.+)$/gm)].map(([, secret]) => secret as string),
]

async function setUp(mode: Mode, ...flags: readonly string[]) {
  const folder = await createFolder()
  const outcome = await runCommand(natsSetup, ['--mode', mode, '--dir', folder, ...flags])
  const read = (name: string) => readFileSync(join(folder, name), 'utf8')
  const env = () => parseEnv(read('nats.env')) as Record<string, string>
  return { ...outcome, folder, read, env }
}

describe('usher nats setup', () => {
  it.each(modes)('writes the files of mode %s, names them, and keeps what is secret to their owner', async (mode) => {
    const { exitCode, folder, stdout } = await setUp(mode)
    expect([exitCode, readdirSync(folder).sort()]).toEqual([0, namesOf[mode]])
    expect(stdout.trim().split('\n').sort()).toEqual(namesOf[mode].map((name) => join(folder, name)))
    const modeOf = (name: string) => statSync(join(folder, name)).mode & 0o777
    // That of static mode holds the token.
    expect(modeOf('nats.conf')).toBe(mode === 'static' ? 0o600 : 0o644)
    for (const name of namesOf[mode]) if (name !== 'nats.conf') expect(modeOf(name)).toBe(0o600)
  })

  it.each(modes)('writes settings for mode %s that the service takes', async (mode) => {
    const { env } = await setUp(mode)
    const result = parseConfig({ ...env(), USHER_POLICY: 'policy.yaml' }, () => '')
    expect('faults' in result ? result.faults : [...result.config.providers.keys()]).toEqual(['nats'])
    expect(env()).toMatchObject({
      NATS_MODE: mode,
      NATS_URLS: 'nats://127.0.0.1:4222',
      NATS_WS_URLS: 'ws://127.0.0.1:4223',
    })
  })

  it('defaults to callout mode', async () => {
    const folder = await createFolder()
    await runCommand(natsSetup, ['--dir', folder])
    expect(readFileSync(join(folder, 'nats.env'), 'utf8')).toContain('NATS_MODE=callout\n')
  })

  it.each(modes)('says no secret of mode %s, and makes others each time', async (mode) => {
    const [one, two] = [await setUp(mode), await setUp(mode)]
    const secrets = secretsIn(one.read('nats.env'))
    expect(secrets.length).toBeGreaterThan(0)
    for (const secret of secrets) {
      expect(one.stdout + one.stderr).not.toContain(secret)
      expect(two.read('nats.env')).not.toContain(secret)
    }
  })

  it.each(['callout', 'jwt'] as const)('writes no secret into nats.conf of mode %s', async (mode) => {
    const { read, env } = await setUp(mode)
    expect(secretsIn(read('nats.conf'))).toEqual([])
    for (const secret of secretsIn(read('nats.env'))) expect(read('nats.conf')).not.toContain(secret)
    expect(secretsIn(`${read('nats.env')}\n`).length).toBe(mode === 'callout' ? 5 : 2)
    expect(Object.keys(env())).not.toContain('NATS_TOKEN')
  })

  it('writes the public keys of the seeds into nats.conf of callout mode, each where it belongs', async () => {
    const { read, env } = await setUp('callout')
    const conf = read('nats.conf')
    const publicOf = (name: string) => fromSeed(new TextEncoder().encode(env()[name])).getPublicKey()
    const [login, system] = [publicOf('NATS_CALLOUT_SEED'), publicOf('NATS_SYSTEM_SEED')]
    expect(conf).toMatch(new RegExp(`AUTH \\{\\s+users: \\[\\s+\\{ nkey: ${login}$`, 'm'))
    expect(conf).toMatch(new RegExp(`SYS \\{\\s+users: \\[\\s+\\{ nkey: ${system}$`, 'm'))
    expect(conf).toContain(`auth_users: [${login}, ${system}]`)
    expect(conf).toContain(`issuer: ${publicOf('NATS_ISSUER_SEEDS')}`)
    expect(conf).toMatch(/^ {4}xkey: X[A-Z2-7]{55}$/m)
    expect(conf).toContain('timeout: 10\n')
    expect(new Set(secretsIn(read('nats.env'))).size).toBe(5)
  })

  it('writes the token of static mode into nats.conf', async () => {
    const { read, env } = await setUp('static')
    expect(read('nats.conf')).toContain(`authorization { token: "${env()['NATS_TOKEN']}" }`)
  })

  it('leaves the identity keys of jwt mode to the operator: Usher gets signing keys alone', async () => {
    const { read, env, stderr } = await setUp('jwt')
    const identities = secretsIn(read('nats-operator.keys'))
    expect(identities.map((seed) => seed.slice(0, 2))).toEqual(['SO', 'SA', 'SA'])
    const others = ['nats.env', 'nats.conf', 'nats-system.creds'].map(read)
    for (const text of [...others, stderr]) for (const seed of identities) expect(text).not.toContain(seed)
    expect(read('nats-operator.keys')).toMatch(/^# .*\n# Keep this file offline/)
    expect(stderr).toContain('keep it offline')
    expect(Object.keys(env()).sort()).toEqual(['NATS_MODE', 'NATS_SIGNING_KEYS', 'NATS_URLS', 'NATS_WS_URLS'])
  })

  // @nats-io/jwt reads and verifies them.
  it('writes JWTs that the library of NATS verifies', async () => {
    const { read, env } = await setUp('jwt', '--accounts', 'APP,SHOP')
    const [operator, ...accounts] = (read('nats.conf').match(/eyJ[\w.-]+/g) ?? []).map((jwt) => decode(jwt))
    const keys = read('nats-operator.keys')
    expect(operator).toMatchObject({ iss: operator?.sub, nats: { type: 'operator', version: 2 } })
    expect(accounts.map(({ name }) => name)).toEqual(['SYS', 'APP', 'SHOP'])
    for (const { iss, sub } of accounts) {
      expect(iss).toBe(operator?.sub)
      expect(keys).toContain(sub)
    }
    expect(operator?.nats).toMatchObject({ system_account: accounts[0]?.sub })
    for (const [index, name] of ['APP', 'SHOP'].entries()) {
      const account = accounts[index + 1]
      const { signing_keys } = (account?.nats ?? {}) as { signing_keys: [string, { key: string; role: string }] }
      const [plain, scoped] = signing_keys
      const seeds = [
        ...(env()['NATS_SIGNING_KEYS'] as string).matchAll(new RegExp(`${name}:(A\\w+):(SA\\w+)(:member)?`, 'g')),
      ]
      expect(seeds.map(([, account]) => account)).toEqual([account?.sub, account?.sub])
      expect(seeds.map(([, , , role = '']) => role)).toEqual(['', ':member'])
      const publics = seeds.map(([, , seed]) => fromSeed(new TextEncoder().encode(seed)).getPublicKey())
      expect(publics).toEqual([plain, scoped.key])
      expect(scoped.role).toBe('member')
    }
    const { jwt, key } = await parseCreds(new TextEncoder().encode(read('nats-system.creds')))
    expect(decode(jwt)).toMatchObject({
      iss: accounts[0]?.sub,
      sub: fromSeed(new TextEncoder().encode(key)).getPublicKey(),
    })
    expect(fromPublic(operator?.sub as string)).toBeDefined()
  })

  it('places users in the accounts that are named', async () => {
    const { read, env } = await setUp('callout', '--accounts', 'SHOP, include,SHOP')
    expect(env()['NATS_ACCOUNTS']).toBe('SHOP,include')
    expect(read('nats.conf')).toContain('  "SHOP" { jetstream: enabled }\n  "include" { jetstream: enabled }\n')
  })

  it.each([
    ['10.1.2.3', '10.1.2.3', '10.1.2.3'],
    ['nats.internal', 'nats.internal', 'nats.internal'],
    ['::1', '[::1]', '[::1]'],
    ['0.0.0.0', '0.0.0.0', '127.0.0.1'],
    ['::', '[::]', '127.0.0.1'],
  ])('listens at %s', async (listen, host, reached) => {
    const { read, env, stderr } = await setUp('callout', '--listen', listen, '--server-name', 'n-7')
    expect(read('nats.conf')).toContain(`listen: "${host}:4222"`)
    expect(read('nats.conf')).toContain(`websocket { listen: "${host}:4223"`)
    expect(read('nats.conf')).toContain('server_name: "n-7"')
    expect(env()).toMatchObject({ NATS_URLS: `nats://${reached}:4222`, NATS_WS_URLS: `ws://${reached}:4223` })
    expect(stderr.includes('listens beyond this machine')).toBe(listen !== '::1')
  })

  it.each(modes)('prints all of mode %s instead, says so, and writes nothing', async (mode) => {
    const before = readdirSync('.')
    const { exitCode, stdout, stderr } = await runCommand(natsSetup, ['--mode', mode, '--print'])
    expect(exitCode).toBe(0)
    expect([...stdout.matchAll(/^# ======== (.+) ========$/gm)].map(([, name]) => name).sort()).toEqual(namesOf[mode])
    expect(secretsIn(stdout).length).toBeGreaterThan(0)
    expect(stderr).toMatch(/^Secrets were shown/)
    expect(readdirSync('.')).toEqual(before)
  })
})

describe('usher nats setup refuses', () => {
  it.each(modes.flatMap((mode) => namesOf[mode].map((name) => [mode, name] as const)))(
    'in mode %s to overwrite %s, and writes nothing',
    async (mode, name) => {
      const folder = await createFolder({ [name]: 'mine' })
      const { exitCode, stdout, stderr } = await runCommand(natsSetup, ['--mode', mode, '--dir', folder])
      expect([exitCode, stdout]).toEqual([1, ''])
      expect(stderr).toContain(`${join(folder, name)} is there already, and nothing was written`)
      expect(readdirSync(folder)).toEqual([name])
      expect(readFileSync(join(folder, name), 'utf8')).toBe('mine')
    },
  )

  it('to write through a link', async () => {
    const folder = await createFolder()
    const elsewhere = join(await createFolder(), 'elsewhere')
    symlinkSync(elsewhere, join(folder, 'nats.env'))
    expect(await runCommand(natsSetup, ['--dir', folder])).toMatchObject({ exitCode: 1, stdout: '' })
    expect(() => statSync(elsewhere)).toThrow('ENOENT')
    expect(readdirSync(folder)).toEqual(['nats.env'])
  })

  it('a folder that is none', async () => {
    const folder = await createFolder()
    writeFileSync(join(folder, 'file'), '')
    const { exitCode, stdout, stderr } = await runCommand(natsSetup, ['--dir', join(folder, 'file')])
    expect([exitCode, stdout]).toEqual([65, ''])
    expect(stderr).toContain('nats.conf cannot be written (ENOTDIR)')
  })

  it.each([
    [['--mode', 'jwks'], 64, /--mode is one of static, callout, jwt/],
    [['--print', '--dir', '.'], 64, /--print and --dir exclude each other/],
    [['--accounts', ''], 65, /--accounts is not a list of account names\. Write APP/],
    [['--accounts', 'APP,*'], 65, /--accounts is not a list of account names/],
    [['--accounts', 'A { users: [] } B'], 65, /--accounts is not a list of account names/],
    [['--accounts', 'APP,AUTH'], 65, /--accounts names an account of the server’s own/],
    [['--accounts', 'sys'], 65, /--accounts names an account of the server’s own/],
    [['--server-name', 'a b'], 65, /--server-name must be/],
    [['--server-name', 'a"\nhttp: 8222\n#'], 65, /--server-name must be/],
    [['--listen', '127.0.0.1:4222'], 65, /--listen must be an IP address or a host name, without a port/],
    [['--listen', 'a"\nhttp: 8222\n#'], 65, /--listen must be/],
    [['--listen', ''], 65, /--listen must be/],
  ])('%j', async (argv, code, message) => {
    const folder = await createFolder()
    const dir = argv.includes('--print') ? [] : ['--dir', folder]
    const { exitCode, stdout, stderr } = await runCommand(natsSetup, [...argv, ...dir])
    expect([exitCode, stdout]).toEqual([code, ''])
    expect(stderr).toMatch(message)
    expect(readdirSync(folder)).toEqual([])
  })
})
