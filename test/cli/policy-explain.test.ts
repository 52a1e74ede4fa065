import { describe, expect, it } from 'vitest'
import { agora, alice, explain, nowMs, policy, publish } from './explain.ts'

describe('usher policy explain', () => {
  it('says per grant what became of it, and then the decision', async () => {
    const { exitCode, stdout } = await explain(publish, { claims: alice })
    expect(exitCode).toBe(0)
    expect(stdout.split('\n')).toEqual([
      'caller    jwt main, subject alice, until 2026-11-21T00:05:00.000Z',
      'grant     host: applies',
      'grant     guest: applies',
      expect.stringMatching(/^grant {5}stage: does not apply: /),
      // Ten minutes are usual; his own credential has five left.
      'decision  allowed by host, for 300 s',
      expect.stringMatching(
        /^rights {4}\{"channel":"acme:r1","account":"alice","role":"publisher",.*"ttlSeconds":300\}$/,
      ),
      '',
    ])
  })

  it('says the same to machines', async () => {
    const { exitCode, json } = await explain([...publish, '--json'], { claims: alice })
    expect(exitCode).toBe(0)
    expect(json).toMatchObject({
      decision: 'allowed',
      caller: { kind: 'jwt', source: 'main', subject: 'alice', expiresAt: alice.exp },
      grants: [{ id: 'host', outcome: 'applies' }, { id: 'guest', outcome: 'applies' }, { id: 'stage' }],
      grantIds: ['host'],
      ttlSeconds: 300,
      rights: { channel: 'acme:r1', account: 'alice', role: 'publisher' },
    })
  })

  it('says why a grant does not apply, and why the ask is refused', async () => {
    const { exitCode, stdout } = await explain(publish, { claims: { ...alice, roles: ['ghost'] } })
    expect(exitCode).toBe(1)
    expect(stdout).toMatch(/^grant {5}host: does not apply: it needs roles has "host"$/m)
    expect(stdout).toMatch(/^decision {2}refused: beyond_grant\nmessage {3}role: /m)
  })

  it.each([
    ['a channel of somebody else', publish.with(3, '{"channelName":"evil:r1","role":2}'), alice, 'beyond_grant'],
    ['an ask outside the grammar', [...agora, '{"channelName":"","role":1}'], alice, 'invalid_request'],
    ['a provider without a grant', ['--provider', 'ably'], alice, 'no_grant'],
    ['a denied caller', publish, { ...alice, sub: 'mallory' }, 'denied'],
    ['a credential that ends now', publish, { ...alice, exp: nowMs / 1000 + 29 }, 'credential_expiring'],
    [
      'an issuer that is nearly the configured one',
      publish,
      { ...alice, iss: 'https://id.example.com' },
      'unauthenticated',
    ],
    ['no issuer', publish, { sub: 'alice' }, 'unauthenticated'],
    ['no subject', publish, { ...alice, sub: '' }, 'unauthenticated'],
    ['an end that is no time', publish, { ...alice, exp: '9999999999' }, 'unauthenticated'],
  ])('is 1 for %s', async (_name, argv, claims, reason) => {
    const { exitCode, json } = await explain([...argv, '--json'], { claims })
    expect([exitCode, json.decision, json.reason]).toEqual([1, 'refused', reason])
  })

  it('names the deny rule and its note', async () => {
    const { stdout } = await explain(publish, { claims: { ...alice, sub: 'mallory' } })
    expect(stdout).toContain('detail    deny rule banned: suspended\n')
  })

  it('says what it does not check of a token', async () => {
    const { stderr } = await explain(publish, { claims: { ...alice, exp: undefined } })
    expect(stderr).toMatch(/no signature, audience or lifetime is checked\n.*no exp/)
  })

  it('shows no claim but the subject', async () => {
    const { stdout, stderr } = await explain([...publish, '--json'], { claims: { ...alice, email: 'a@example.com' } })
    expect(stdout + stderr).not.toContain('a@example.com')
  })
})

describe('usher policy explain refuses', () => {
  it.each([
    ['no provider', [], 64, '--provider is one of agora, ably, nats'],
    ['an unknown provider', ['--provider', 'pusher'], 64, '--provider is one of'],
    ['no caller', ['--provider', 'nats'], 64, 'say who asks'],
    ['two callers', ['--provider', 'nats', '--client', 'k7f3a2c1', '--caller', 'gateway'], 64, 'exclude each other'],
    ['an unknown kind', ['--provider', 'nats', '--caller', 'root'], 64, 'gateway, anonymous or sandbox'],
    [
      'a subject without a key',
      ['--provider', 'nats', '--caller', 'sandbox', '--on-behalf-of', 'x'],
      64,
      'goes with --client',
    ],
    ['an ask that is not JSON', [...agora, '{tok_live_x}', '--caller', 'sandbox'], 65, '--ask is not JSON'],
    ['an unknown key', ['--provider', 'nats', '--client', 'k9f3a2c1'], 65, 'k7f3a2c1, k8f3a2c1'],
  ])('%s', async (_name, argv, exitCode, message) => {
    const outcome = await explain(argv)
    expect(outcome).toMatchObject({ exitCode, stdout: '', stderr: expect.stringContaining(message) })
    expect(outcome.stderr).not.toContain('tok_live_x')
  })

  it.each(['eyJhbGciOiJub25lIn0.e30.', '[]', 'null', '7', ''])(
    'claims that are no object, without repeating them: %j',
    async (claims) => {
      const { exitCode, stdout, stderr } = await explain(['--provider', 'nats'], { claims })
      expect([exitCode, stdout]).toEqual([65, ''])
      if (claims.length > 4) expect(stderr).not.toContain(claims)
    },
  )

  it('an unknown issuer, and names those there are', async () => {
    const outcome = await explain(['--provider', 'nats', '--issuer', 'other'], { claims: alice })
    expect(outcome).toMatchObject({ exitCode: 65, stderr: expect.stringContaining('callers.jwt has main') })
  })

  it('a policy with faults, and says them', async () => {
    const outcome = await explain(publish, { claims: alice, text: policy.replace('role: publisher', 'role: boss') })
    expect(outcome).toMatchObject({ exitCode: 1, stdout: '', stderr: expect.stringMatching(/^fault \(line 16\): /) })
  })
})
