// `usher nats check` before it logs in anywhere: what the settings say, and what a server says to everybody.

import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { unasked } from '../../src/cli/nats-check-callout.ts'
import { greeted } from '../../src/cli/nats-check-server.ts'
import type { NatsMode } from '../../src/providers/nats/ask.ts'
import { createSeed, publicNkeyOf } from '../../src/providers/nats/nkeys.ts'
import { toSettings } from '../../src/settings.ts'
import { createFolder } from './folder.ts'
import { checkWith, type Env, linesOf, nowhere, setUp } from './nats-set-up.ts'

describe('usher nats check, without a server', () => {
  it('names one that is not there', async () => {
    const outcome = await checkWith({ ...setUp().env, NATS_URLS: nowhere })
    expect([outcome.exitCode, linesOf('fault', outcome)]).toEqual([
      1,
      [`NATS_URLS: no nats-server answers at ${nowhere} (ECONNREFUSED). Start it, or correct NATS_URLS.`],
    ])
  })

  it.each([
    ['speaks HTTP', (socket: Socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')],
    ['greets with nonsense', (socket: Socket) => socket.end('INFO {"version":1}\r\n')],
    ['hangs up', (socket: Socket) => socket.destroy()],
  ])('names a server that %s', async (_name, greet) => {
    const server = createServer(greet).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const outcome = await checkWith({ ...setUp().env, NATS_SERVICE_URLS: `nats://127.0.0.1:${port}` })
    expect([outcome.exitCode, linesOf('fault', outcome)]).toEqual([
      1,
      [expect.stringMatching(/^NATS_SERVICE_URLS: no nats-server answers at .* \((something else|closed|ECONNRESET)/)],
    ])
    server.close()
  })

  it.each<[NatsMode, RegExp]>([
    ['static', /^the connection by NATS_TOKEN broke \(\w+\)\. Look into the log of nats-server\.$/],
    ['callout', /^the connection by NATS_CALLOUT_SEED broke \(\w+\)\. /],
    ['jwt', /^NATS_SIGNING_KEYS: no answer to a user that APP signs for \(\w+\)\. /],
  ])('names a server that breaks the connection, in mode %s', async (mode, line) => {
    const info = { server_id: 'N', version: '2.12.8', auth_required: true, nonce: 'abc', max_payload: 1024, proto: 1 }
    const server = createServer((socket) => {
      socket.write(`INFO ${JSON.stringify(info)}\r\n`)
      socket.on('error', () => {}).once('data', () => socket.end())
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const outcome = await checkWith({ ...setUp(mode).env, NATS_URLS: `nats://127.0.0.1:${port}` })
    expect([outcome.exitCode, linesOf('fault', outcome)[0]]).toEqual([1, expect.stringMatching(line)])
    server.close()
  })

  it('takes a canary that was let in by another for what it is', () => {
    const chain = { server: nowhere, greeting: { version: '2.12.8' }, settings: toSettings(new Map()), now: Date.now }
    expect(unasked(undefined, chain, false)).toEqual([{ level: 'ok', text: expect.stringContaining('meanwhile') }])
  })

  it.each([
    ['2.9.10', 'fault', /^nats-server 2\.9\.10 has no auth callout\. Update it/],
    ['2.10.27', 'warning', /^nats-server 2\.10\.27 shows tokens of refused clients in \/connz/],
    ['2.11.1', 'warning', /^nats-server 2\.11\.1 shows tokens of refused clients/],
    ['2.10.28', 'warning', undefined],
    ['2.11.2', 'warning', undefined],
    ['3.0.0-RC.1', 'warning', undefined],
  ])('judges version %s', async (version, level, line) => {
    const findings = greeted(nowhere, { version, auth_required: true, nonce: 'x' }, 'callout', toSettings(new Map()))
    const texts = findings.filter((each) => each.level === level).map(({ text, mend }) => `${text}. ${mend}`)
    expect(texts).toEqual(line === undefined ? [] : [expect.stringMatching(line)])
  })

  it.each<[name: string, env: (env: Env) => Record<string, string>, fault: RegExp]>([
    [
      'a seed of the wrong kind',
      (env) => ({ ...env, NATS_CALLOUT_SEED: createSeed('account') }),
      /^NATS_CALLOUT_SEED is an account seed \(SA\), not a user seed \(SU\)\. /,
    ],
    [
      'a public key for a seed',
      (env) => ({ ...env, NATS_ISSUER_SEEDS: publicNkeyOf(createSeed('account'), 'account') }),
      /^NATS_ISSUER_SEEDS is a public key, not an account seed \(SA\)/,
    ],
    [
      'a seed with a letter wrong',
      (env) => ({
        ...env,
        NATS_XKEY_SEEDS: (env['NATS_XKEY_SEEDS'] as string).replace(/.$/, (last) => (last === 'A' ? 'Q' : 'A')),
      }),
      /^NATS_XKEY_SEEDS is not a curve seed \(SX\), or has a letter wrong/,
    ],
    [
      'users in AUTH',
      (env) => ({ ...env, NATS_ACCOUNTS: 'APP,AUTH' }),
      /^NATS_ACCOUNTS names an account of the server’s own\. /,
    ],
    [
      'users in SYS',
      (env) => ({ ...env, NATS_ACCOUNTS: 'SYS' }),
      /^NATS_ACCOUNTS names an account of the server’s own\. /,
    ],
    [
      'a missing seed',
      ({ NATS_XKEY_SEEDS: _, ...env }) => env,
      /^NATS_XKEY_SEEDS is missing, and NATS_CALLOUT_SEED and NATS_ISSUER_SEEDS cannot answer/,
    ],
    [
      'no token keys',
      ({ NATS_TOKEN_KEYS: _, ...env }) => env,
      /^NATS_TOKEN_KEYS is not set\. Set it, or name the file/,
    ],
    ['nothing at all', () => ({}), /^NATS_TOKEN is not set\. Set it, or name the file that does: --env-file \.env/],
  ])('names %s, and asks no server', async (_name, broken, fault) => {
    const outcome = await checkWith(broken({ ...setUp().env, NATS_URLS: nowhere }))
    expect(outcome.exitCode).toBe(1)
    expect(linesOf('fault', outcome)[0]).toMatch(fault)
    expect(outcome.stdout).not.toContain('ok ')
  })

  it('reads a file of settings; a variable that is set wins', async () => {
    const text = Object.entries({ ...setUp().env, NATS_URLS: 'nats://127.0.0.1:2' }).map(
      ([name, value]) => `${name}=${value}\n`,
    )
    const folder = await createFolder({ 'nats.env': text.join('') })
    const argv = ['--env-file', join(folder, 'nats.env')]
    expect((await checkWith({}, argv)).stdout).toContain('no nats-server answers at nats://127.0.0.1:2 ')
    expect((await checkWith({ NATS_URLS: nowhere }, argv)).stdout).toContain(`no nats-server answers at ${nowhere} `)
    expect(await checkWith({}, ['--env-file', join(folder, 'none')])).toMatchObject({
      exitCode: 65,
      stdout: '',
      stderr: expect.stringContaining('cannot be read (ENOENT)'),
    })
  })
})
