import { describe, expect, it } from 'vitest'
import { agora, alice, explain, policy, publish } from './explain.ts'

describe('the caller', () => {
  it('can be of an issuer that the flag names', async () => {
    const { json } = await explain([...publish, '--issuer', 'main', '--json'], { claims: { ...alice, iss: 'x' } })
    expect(json.decision).toBe('allowed')
  })

  it('can be an API key, with the claims of its own and whom it acts for', async () => {
    const argv = ['--provider', 'nats', '--client', 'k7f3a2c1', '--on-behalf-of', 'bob', '--json']
    const { json, stderr } = await explain(argv, { claims: { tenant: 'evil' } })
    expect(json).toMatchObject({
      decision: 'allowed',
      caller: { kind: 'apiKey', source: 'k7f3a2c1', subject: 'bob' },
      ttlSeconds: null,
    })
    expect(stderr).toContain('the claims are not used')
    expect((await explain(argv.toSpliced(2, 2))).exitCode).toBe(64)
  })

  it.each([
    ['k7f3a2c1', 'BOB'],
    ['k7f3a2c1', '*'],
    ['k8f3a2c1', 'bob'],
  ])('as %s cannot act for %s', async (client, subject) => {
    const argv = ['--provider', 'nats', '--client', client, '--on-behalf-of', subject, '--json']
    expect((await explain(argv)).json).toMatchObject({ reason: 'not_on_behalf' })
  })

  it('can come through the gateway, which vouches for a subject and nothing else', async () => {
    const argv = ['--provider', 'ably', '--caller', 'gateway', '--json']
    const { json, stderr } = await explain(argv, { claims: { sub: 'bob', tenant: 'acme' } })
    expect(json).toMatchObject({
      decision: 'allowed',
      caller: { kind: 'gateway', subject: 'bob' },
      rights: { clientId: 'bob' },
      ttlSeconds: 600,
    })
    expect(stderr).toContain('only sub is used')
    expect((await explain(argv, { claims: { sub: 'a,b' } })).json).toMatchObject({ reason: 'unauthenticated' })
    expect((await explain(argv)).exitCode).toBe(65)
  })

  it('can be anonymous, where a grant is for such', async () => {
    const argv = [...agora, '{"channelName":"stage","role":2}', '--caller', 'anonymous', '--json']
    expect((await explain(argv)).json).toMatchObject({ decision: 'allowed', grantIds: ['stage'], rights: { uid: 0 } })
    const closed = await explain(argv, { text: policy.replace(/^ {2}- \{ id: stage.*\n/m, '') })
    expect(closed.json).toMatchObject({ decision: 'refused', reason: 'unauthenticated', grants: [] })
  })

  it('can be the sandbox', async () => {
    const { json } = await explain([...publish, '--caller', 'sandbox', '--json'])
    expect(json).toMatchObject({ caller: { kind: 'sandbox', subject: 'sandbox' }, decision: 'refused' })
  })
})
