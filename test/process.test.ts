// The built process: what it prints, what it refuses to start with, how it takes a new policy, and how it stops.

import { execFile } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { readAgoraToken } from './app/agora-parser.ts'
import { apiKey, apiKeyDigest, apiKeyId, secrets, settings } from './app/test-app.ts'
import { build, startUsher, type UsherProcess } from './usher-process.ts'

beforeAll(build)
const running: UsherProcess[] = []
const start: typeof startUsher = (env, options) => {
  const usher = startUsher(env, options)
  running.push(usher)
  return usher
}
afterEach(() => Promise.all(running.splice(0).map(({ end }) => end())))

const { ABLY_HOSTS: _hosts, CORS_ORIGINS: _origins, ...credentials } = settings
const nats = { NATS_TOKEN: secrets.natsToken, NATS_URLS: 'nats://127.0.0.1:4222' }
const anonymous = 'grants:\n  - { id: bus, when: { caller: anonymous }, nats: { shared: true } }\n'
const nobody = 'grants:\n  - { id: bus, when: { caller: sandbox }, nats: { shared: true } }\n'
/** A folder with these files, and the environment of a service that reads its policy there. */
const inFolder = (files: Readonly<Record<string, string>>) => {
  const folder = mkdtempSync(join(tmpdir(), 'usher-process-'))
  const write = (name: string, text: string) => writeFileSync(join(folder, name), text)
  for (const [name, text] of Object.entries(files)) write(name, text)
  return { folder, write }
}
const startWith = (policy: string, env: Record<string, string> = {}) => {
  const { folder, write } = inFolder({ 'policy.yaml': policy })
  return { usher: start({ ...nats, USHER_POLICY: 'policy.yaml', DRAIN_SECONDS: '0', ...env }, { folder }), write }
}

describe('a bare start', () => {
  it('is the sandbox, and the commands that its banner prints work as they stand there', async () => {
    const usher = start({})
    await usher.says('stdout', /nats\/token\n/)
    const { base } = await usher.listening()
    expect(usher.stdout()).toContain(`Usher's sandbox is at ${base}`)
    const commands = usher.stdout().match(/^ {2}curl .*$/gm) ?? []
    expect(commands.length).toBe(3)
    const answers = await Promise.all(commands.map((command) => run(command)))
    expect(answers.map((text) => JSON.parse(text))).toMatchObject([
      { token: expect.stringMatching(/^007/), code: '200' },
      { clientId: 'me', capability: '{"sandbox:*":["*"]}', mac: expect.any(String) },
      { token: expect.stringMatching(/^[A-Za-z0-9]{22}$/), mode: 'static' },
    ])
    expect((await fetch(`${base}/docs`)).status).toBe(200)
  })

  it('with SANDBOX=true uses the real credentials', async () => {
    const usher = start({ ...credentials, SANDBOX: 'true' })
    const { base } = await usher.listening()
    const body = '{"channelName":"room-1","uid":7,"role":1}'
    const response = await fetch(`${base}/fetch_rtc_token`, { method: 'POST', body })
    const { token } = (await response.json()) as { token: string }
    expect(readAgoraToken(token, secrets.certificate).services).toMatchObject([{ channel: 'room-1', user: '7' }])
  })

  it('writes no file: it runs where writing is forbidden', async () => {
    const permission = process.allowedNodeEnvironmentFlags.has('--permission')
      ? '--permission'
      : '--experimental-permission'
    const usher = start({}, { flags: [permission, '--allow-fs-read=*', '--disable-warning=ExperimentalWarning'] })
    const { base } = await usher.listening()
    expect((await fetch(`${base}/nats/token`)).status).toBe(200)
    usher.signal('SIGINT')
    expect(await usher.exit).toBe(0)
    expect(usher.stderr()).not.toContain('ERR_ACCESS_DENIED')
    expect(readdirSync(usher.folder)).toEqual([])
  })
})

describe('a start that cannot be good ends with 78, says all that is wrong, and shows no secret', () => {
  const refused = async (usher: UsherProcess, ...words: string[]) => {
    expect(await usher.exit).toBe(78)
    for (const word of words) expect(usher.stderr()).toContain(word)
    expect(usher.stdout()).toBe('')
    return usher.stderr()
  }

  it('nine bad settings', async () => {
    const canaries = {
      AGORA_APP_CERTIFICATE: 'canary-1',
      ABLY_API_KEY: 'canary-2',
      NATS_TOKEN: 'can ary-3',
      GATEWAY_SECRET: 'canary-4',
    }
    const env = {
      ...canaries,
      AGORA_APP_ID: 'canary-5',
      NATS_URLS: 'nats://canary-6@x',
      PORT: '99999',
      LOG_LEVEL: 'loud',
      CORS_ORIGINS: '*',
    }
    const said = await refused(start(env), ...Object.keys(env).map((name) => `- ${name}: `))
    expect(said).not.toMatch(/can ?ary/)
  })

  it.each<[string, Record<string, string>, string]>([
    ['credentials without a policy', credentials, 'USHER_POLICY: is not set'],
    ['an address of the network without a policy', { HOST: '0.0.0.0' }, 'USHER_POLICY: is not set'],
    [
      'a sandbox with a policy',
      { SANDBOX: 'true', USHER_POLICY: 'policy.yaml' },
      'SANDBOX: is set, and USHER_POLICY too',
    ],
    ['a sandbox for the network', { SANDBOX: 'true', HOST: '0.0.0.0' }, 'it listens on loopback only'],
    ['a policy that is not there', { ...nats, USHER_POLICY: 'gone.yaml' }, 'gone.yaml cannot be read (ENOENT)'],
    [
      'a secret in two places',
      { ...nats, USHER_POLICY: 'p', NATS_TOKEN_FILE: '/x' },
      'NATS_TOKEN: is set, and NATS_TOKEN_FILE too',
    ],
    [
      'a secret file that is not there',
      { NATS_TOKEN_FILE: '/gone', NATS_URLS: 'nats://x:4222', USHER_POLICY: 'p' },
      'NATS_TOKEN_FILE cannot be read (ENOENT)',
    ],
  ])('%s', async (_what, env, words) => {
    const said = await refused(start(env), words)
    for (const secret of Object.values(secrets)) expect(said).not.toContain(secret)
  })

  it('the values of .env.example', async () => {
    const text = readFileSync(new URL('../.env.example', import.meta.url), 'utf8')
    const env = Object.fromEntries(
      [...text.matchAll(/^#?([A-Z0-9_]+)='?(.*?)'?$/gm)].map(([, name = '', value = '']) => [name, value]),
    )
    const { SANDBOX: _, ...rest } = env
    await refused(
      start({ ...rest, PORT: '0', OPS_PORT: '0' }),
      'AGORA_APP_CERTIFICATE: ',
      'ABLY_API_KEY: ',
      'NATS_TOKEN: ',
      'GATEWAY_SECRET: ',
    )
  })

  it('a policy with three faults', async () => {
    const { usher } = startWith(
      'vars:\n  x: { from: sub }\ngrants:\n  - { id: a, when: { y: 1 }, ttl: { max: 1h }, nats: { shared: true } }\n',
    )
    await refused(usher, 'The policy policy.yaml cannot be used', 'vars.x', 'grants[0].when.y', 'grants[0].nats')
  })

  it('a port that is taken', async () => {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const port = String((server.address() as AddressInfo).port)
    const usher = start({ PORT: port })
    expect(await usher.exit).toBe(78)
    for (const word of [port, 'EADDRINUSE']) expect(usher.stderr()).toContain(word)
    await new Promise((resolve) => server.close(resolve))
  })
})

it('a secret may stand in a file', async () => {
  const { folder } = inFolder({ 'policy.yaml': anonymous, token: `${secrets.natsToken}\n` })
  const usher = start({ NATS_TOKEN_FILE: 'token', NATS_URLS: nats.NATS_URLS, USHER_POLICY: 'policy.yaml' }, { folder })
  const { base } = await usher.listening()
  expect(await (await fetch(`${base}/nats/token`)).json()).toMatchObject({ token: secrets.natsToken })
})

describe('a new policy is taken while the process runs', () => {
  const inForce = (usher: UsherProcess, times: number) =>
    usher.says('stderr', new RegExp(`(?:"msg":"policy in force"[^]*){${times}}`))
  const status = async (ops: string) =>
    (await (await fetch(`${ops}/status`)).json()) as { policy: { digest: string; faults: string[] } }

  it('when the file changes', async () => {
    const { usher, write } = startWith(anonymous)
    const { base, ops } = await usher.listening()
    expect((await fetch(`${base}/nats/token`)).status).toBe(200)
    const { digest } = (await status(ops)).policy
    write('policy.yaml', `${anonymous}deny:\n  - { id: closed, when: { caller: anonymous }, note: closed for today }\n`)
    await inForce(usher, 2)
    expect((await fetch(`${base}/nats/token`)).status).toBe(403)
    expect((await status(ops)).policy.digest).not.toBe(digest)
    expect(usher.stdout()).toContain('closed for today')
  })

  it('by SIGHUP, which reads the file although it has not changed', async () => {
    const { usher, write } = startWith(anonymous)
    await usher.listening()
    write('policy.yaml', 'grants: [')
    for (let times = 1; times <= 3; times++) {
      await usher.says('stderr', new RegExp(`(?:the policy file is bad[^]*){${times}}`))
      usher.signal('SIGHUP')
    }
  })

  it('but not a bad one: the one before stays, and the ops port says why', async () => {
    const { usher, write } = startWith(anonymous)
    const { base, ops } = await usher.listening()
    const { digest } = (await status(ops)).policy
    for (const bad of ['grants: [', nobody.replace('sandbox', 'everybody'), '']) {
      const said = usher.stderr().length
      write('policy.yaml', bad)
      usher.signal('SIGHUP')
      await usher.says('stderr', new RegExp(`^[^]{${said},}the policy file is bad; the one before stays`))
      expect((await status(ops)).policy).toMatchObject({
        digest,
        faults: expect.arrayContaining([expect.stringMatching(/^fault/)]),
      })
      expect((await fetch(`${base}/nats/token`)).status).toBe(200)
    }
    expect((await fetch(`${base}/readyz`)).status).toBe(200)
    write('policy.yaml', `${anonymous}# mended\n`)
    usher.signal('SIGHUP')
    await inForce(usher, 2)
    expect((await status(ops)).policy.faults).toEqual([])
  })

  it('and so is a list that the policy names', async () => {
    const { folder, write } = inFolder({
      'policy.yaml': `callers:
  apiKeys: [{ id: ${apiKeyId}, name: backend, sha256: ${apiKeyDigest}, onBehalfOf: "[a-z]{1,16}" }]
vars:
  user: { from: sub, match: "[a-z]{1,16}" }
grants:
  - { id: bus, when: { client: ${apiKeyId} }, nats: { shared: true } }
deny:
  - { id: banned, when: { user: { inFile: banned.txt } } }
`,
      'banned.txt': 'mallory\n',
    })
    const usher = start({ ...nats, USHER_POLICY: 'policy.yaml' }, { folder })
    const { base } = await usher.listening()
    const ask = async (user: string) =>
      (
        await fetch(`${base}/nats/token`, {
          headers: { authorization: `Bearer ${apiKey}`, 'usher-on-behalf-of': user },
        })
      ).status
    expect([await ask('mallory'), await ask('alice')]).toEqual([403, 200])
    write('banned.txt', 'mallory\nalice\n')
    await inForce(usher, 2)
    expect([await ask('mallory'), await ask('alice')]).toEqual([403, 403])
  })
})

describe('stopping', () => {
  it('by SIGTERM refuses readiness, goes on answering, and ends with 0', async () => {
    const { usher } = startWith(anonymous, { DRAIN_SECONDS: '1' })
    const { base, ops } = await usher.listening()
    usher.signal('SIGTERM')
    await usher.says('stderr', /"msg":"stopping"/)
    expect([(await fetch(`${base}/readyz`)).status, (await fetch(`${ops}/readyz`)).status]).toEqual([503, 503])
    const late = await fetch(`${base}/nats/token`)
    expect([late.status, late.headers.get('connection')]).toEqual([200, 'close'])
    expect(await usher.exit).toBe(0)
    expect(usher.stderr()).toContain('"msg":"closed"')
  })

  it('by a second SIGTERM is over at once', async () => {
    const { usher } = startWith(anonymous, { DRAIN_SECONDS: '300' })
    await usher.listening()
    usher.signal('SIGTERM')
    await usher.says('stderr', /"msg":"stopping"/)
    usher.signal('SIGTERM')
    expect(await usher.exit).toBe(1)
  })

  it('by Ctrl-C waits for no gateway', async () => {
    const { usher } = startWith(anonymous, { DRAIN_SECONDS: '300' })
    await usher.listening()
    usher.signal('SIGINT')
    expect(await usher.exit).toBe(0)
  })
})

it('when nobody reads the audit any more there are no tokens, but there is a process', async () => {
  const { usher } = startWith(anonymous)
  const { base } = await usher.listening()
  expect((await fetch(`${base}/nats/token`)).status).toBe(200)
  usher.closeStdout()
  const response = await fetch(`${base}/nats/token`)
  expect([response.status, await response.text()]).toEqual([503, expect.stringContaining('audit_unavailable')])
  expect((await fetch(`${base}/livez`)).status).toBe(200)
  expect(usher.stderr()).toContain('audit: EPIPE')
})

/** As it stands in a shell; where there is no curl, as curl would send it. */
async function run(command: string): Promise<string> {
  try {
    return (await promisify(execFile)('sh', ['-c', command])).stdout
  } catch {
    const [, url = '', , data] = /^ *curl -s '?([^' ]+)'?( -d '([^']+)')?$/.exec(command) ?? []
    const type = 'application/x-www-form-urlencoded'
    return (
      await fetch(url, data === undefined ? {} : { method: 'POST', body: data, headers: { 'content-type': type } })
    ).text()
  }
}
