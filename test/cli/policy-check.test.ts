import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { policyCheck } from '../../src/cli/policy-check.ts'
import { sandboxPolicy } from '../../src/service.ts'
import { createFolder } from './folder.ts'
import { runCommand } from './io.ts'

const now = () => Date.parse('2026-11-21T00:00:00Z')
const check = (path: string) => runCommand(policyCheck, [path], { now })

const good = `
callers:
  gateway: { header: x-user, trustedProxies: [10.0.0.0/24] }
vars:
  user: { from: sub, match: "[a-z]{1,9}" }
grants:
  - id: chat
    when: { caller: gateway }
    ably: { clientId: "{user}", capability: { "chat:all": [subscribe] } }
deny:
  - { id: banned, when: { user: { inFile: banned.txt } } }
`

describe('usher policy check', () => {
  it('says in one line what a good file holds', async () => {
    const folder = await createFolder({ 'policy.yaml': good, 'banned.txt': 'mallory\n' })
    const { exitCode, stdout, stderr } = await check(join(folder, 'policy.yaml'))
    expect([exitCode, stderr]).toEqual([0, ''])
    expect(stdout).toMatch(
      /^ok: callers jwt 0, apiKeys 0, gateway 1; grants agora 0, ably 1, nats 0, admin 0; deny rules 1; digest [0-9a-f]{16}\n$/,
    )
  })

  it('needs no GATEWAY_SECRET to judge a file, and takes none', async () => {
    const folder = await createFolder({ 'policy.yaml': good, 'banned.txt': '# nobody\n' })
    const run = (env: Record<string, string>) => runCommand(policyCheck, [join(folder, 'policy.yaml')], { env })
    expect(await run({})).toEqual(await run({ GATEWAY_SECRET: 'x' }))
    expect((await run({})).exitCode).toBe(0)
  })

  it('takes the lists into the digest', async () => {
    const digestWith = async (list: string) => {
      const folder = await createFolder({ 'policy.yaml': good, 'banned.txt': list })
      return /digest (\w+)/.exec((await check(join(folder, 'policy.yaml'))).stdout)?.[1]
    }
    expect(await digestWith('mallory')).not.toBe(await digestWith('eve'))
  })

  it('takes the policy of the sandbox', async () => {
    expect((await check(sandboxPolicy)).exitCode).toBe(0)
  })

  it('says each fault with its line, rule and mend, all at once', async () => {
    const text = good.replace('caller: gateway', 'caller: gatway').replace('"chat:all"', '"*"')
    const folder = await createFolder({ 'policy.yaml': text })
    const { exitCode, stdout } = await check(join(folder, 'policy.yaml'))
    expect(exitCode).toBe(1)
    expect(stdout).toMatch(/^fault \(line 8\): grants\[0\]\.when\.caller: names "gatway".+\. Write one of: .+\.$/m)
    expect(stdout).toMatch(
      /^fault \(line 9\): grants\[0\]\.ably\.capability\..+ is a right to channels without bound\. .+\.$/m,
    )
    expect(stdout).toMatch(/^fault \(line 11\): deny\[0\]\.when\.user: cannot read banned\.txt \(ENOENT\)\. .+\.$/m)
    expect(stdout).not.toContain('digest')
  })

  it('says what is no key, with those that are', async () => {
    const folder = await createFolder({ 'policy.yaml': good.replace('grants:', 'version: 1\ngrants:') })
    const { exitCode, stdout } = await check(join(folder, 'policy.yaml'))
    expect([exitCode, stdout]).toEqual([
      1,
      'fault (line 6): version: is not a key here. Known keys: callers, vars, grants, deny.\n',
    ])
  })

  it('checks who the callers are', async () => {
    const keys = `
callers:
  jwt: [{ name: main, issuer: a, jwksUri: "http://id.example.com/jwks", audience: [x], algorithms: [RS256] }]
grants: [{ id: bus, nats: { shared: true } }]
`
    const folder = await createFolder({
      'http.yaml': keys,
      'file.yaml': keys.replace('jwksUri: "http://id.example.com/jwks"', 'jwksFile: keys.json'),
    })
    expect(await check(join(folder, 'http.yaml'))).toMatchObject({
      exitCode: 1,
      stdout: expect.stringContaining('is not an https address'),
    })
    expect(await check(join(folder, 'file.yaml'))).toMatchObject({
      exitCode: 1,
      stdout: expect.stringContaining('cannot be read (ENOENT)'),
    })
  })

  it('shows warnings, and lets the file pass', async () => {
    const folder = await createFolder({
      'policy.yaml': `
callers: { apiKeys: [{ id: k7f3a2c1, name: x, sha256: ${'a'.repeat(64)}, notAfter: 2026-11-20 }] }
grants: [{ id: bus, nats: { shared: true } }]
`,
    })
    const { exitCode, stdout } = await check(join(folder, 'policy.yaml'))
    expect(exitCode).toBe(0)
    expect(stdout).toMatch(/^warning \(line 2\): callers\.apiKeys\[0\]\.notAfter: is past\. .+\.\nok: /)
  })

  it('says which file it cannot read', async () => {
    const { exitCode, stdout, stderr } = await check('/nowhere/policy.yaml')
    expect([exitCode, stdout, stderr]).toEqual([65, '', 'usher: /nowhere/policy.yaml cannot be read (ENOENT)\n'])
  })

  it.each([[], ['a', 'b']])('takes one file: %j', async (...argv) => {
    expect(await runCommand(policyCheck, argv)).toMatchObject({ exitCode: 64, stdout: '' })
  })
})
