// Usher without HTTP: a policy from its text, the real providers with made-up keys, and the audit in memory.

import { createAudit } from '../src/audit.ts'
import type { Refusal } from '../src/errors.ts'
import type { Caller } from '../src/identity/caller.ts'
import { issue } from '../src/issue.ts'
import { faultText } from '../src/policy/faults.ts'
import type { AblyCredential } from '../src/providers/ably/credentials.ts'
import { openAbly } from '../src/providers/ably/mint.ts'
import { openAgora } from '../src/providers/agora/mint.ts'
import { type NatsCredential, openNats } from '../src/providers/nats/mint.ts'
import type { Minted } from '../src/providers/provider.ts'
import type { AnyProvider } from '../src/providers/registry.ts'
import { createSecret } from '../src/secret.ts'
import { load, nowMs } from './policy/policy-under-test.ts'

export const keys = {
  agora: { appId: '0123456789abcdef0123456789abcdef', certificate: 'fedcba9876543210fedcba9876543210' },
  ably: { keyName: 'app1.key1', secret: 'Zq3vR8tLw0pXy6nB2kHs' },
  nats: { token: 'kV9-mQ2_xT7wLp4Rz8Yc3B' },
}

export type ProviderName = 'agora' | 'ably' | 'nats'
type Credential = { agora: string; ably: AblyCredential; nats: NatsCredential }

export interface UsherInMemory {
  ask<Name extends ProviderName>(
    name: Name,
    caller: Caller,
    input: unknown,
  ): Promise<Minted<Credential[Name]> | Refusal>
  /** Lines that the audit has written. */
  readonly audited: { count: number; last: string }
}

export function openUsher(policyText: string): UsherInMemory {
  const { loaded, faults } = load(policyText)
  if (loaded === undefined) throw new Error(faults.map(faultText).join('\n'))
  const now = () => nowMs
  const providers = {
    agora: openAgora({ ...keys.agora, certificate: createSecret(keys.agora.certificate), deflate: false }, now),
    ably: openAbly({ apiKey: createSecret(`${keys.ably.keyName}:${keys.ably.secret}`), hosts: [] }, now),
    nats: openNats({ token: createSecret(keys.nats.token), urls: ['nats://127.0.0.1:4222'], wsUrls: [] }),
  }
  const audited = { count: 0, last: '' }
  const audit = createAudit(async (lines) => {
    audited.count += lines.split('\n').length - 1
    audited.last = lines
  }, now)
  const deps = { audit, now }
  return {
    // biome-ignore lint/suspicious/noExplicitAny: the three providers share no type, and each answer is judged by its own test
    ask: (name, caller, input): Promise<any> => {
      const provider = providers[name] as AnyProvider
      return issue(deps, provider, { caller, policy: loaded, input, requestId: 'r1', address: '127.0.0.1' })
    },
    audited,
  }
}
