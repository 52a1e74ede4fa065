// What `usher policy explain` says about a caller, in a policy that has one of each kind.

import { join } from 'node:path'
import { policyExplain } from '../../src/cli/policy-explain.ts'
import { createFolder } from './folder.ts'
import { runCommand } from './io.ts'

export const nowMs = Date.parse('2026-11-21T00:00:00Z')
export const policy = `
callers:
  jwt: [{ name: main, issuer: "https://id.example.com/", jwksUri: "https://id.example.com/jwks", audience: [x], algorithms: [RS256] }]
  apiKeys:
    - { id: k7f3a2c1, name: backend, sha256: ${'a'.repeat(64)}, onBehalfOf: "[a-z]{1,9}", claims: { tenant: acme } }
    - { id: k8f3a2c1, name: other, sha256: ${'b'.repeat(64)} }
  gateway: { header: x-user, trustedProxies: [10.0.0.0/24] }
vars:
  user: { from: sub, match: "[a-z]{1,9}" }
  tenant: { from: claims.tenant, match: "[a-z]{1,9}" }
  roles: { from: claims.roles, type: set }
  room: { from: ask, match: "[a-z0-9]{1,9}" }
grants:
  - id: host
    when: { issuer: main, roles: { has: host } }
    agora: { channel: "{tenant}:{room}", account: "{user}", role: publisher }
    ttl: { default: 10m, max: 1h }
  - id: guest
    when: { issuer: main }
    agora: { channel: "{tenant}:{room}", account: "{user}", role: subscriber }
  - id: chat
    when: { caller: gateway }
    ably: { clientId: "{user}", capability: { "dm:{user}": [subscribe] } }
  - { id: bus, when: { client: k7f3a2c1, tenant: acme }, nats: { shared: true } }
  - { id: stage, when: { caller: anonymous }, agora: { channel: stage, uid: any, role: subscriber } }
deny:
  - { id: banned, when: { caller: jwt, user: mallory }, note: suspended }
`
export const alice = {
  iss: 'https://id.example.com/',
  sub: 'alice',
  tenant: 'acme',
  roles: ['host'],
  exp: nowMs / 1000 + 300,
}
export const agora = ['--provider', 'agora', '--ask']
export const publish = [...agora, '{"channelName":"acme:r1","role":1}']

export async function explain(
  argv: readonly string[],
  { claims, text = policy }: { claims?: unknown; text?: string } = {},
) {
  const folder = await createFolder({
    'policy.yaml': text,
    'claims.json': typeof claims === 'string' ? claims : (JSON.stringify(claims) ?? ''),
  })
  const given = claims === undefined ? [] : ['--claims', join(folder, 'claims.json')]
  const outcome = await runCommand(policyExplain, [join(folder, 'policy.yaml'), ...given, ...argv], {
    now: () => nowMs,
  })
  return { ...outcome, json: argv.includes('--json') ? JSON.parse(outcome.stdout || 'null') : undefined }
}
