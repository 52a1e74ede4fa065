// Usher without HTTP: a policy from its text, the real providers with made-up keys, and the audit in memory.

import { createAudit } from '../src/audit.ts'
import type { Refusal } from '../src/errors.ts'
import type { Caller } from '../src/identity/caller.ts'
import { issue } from '../src/issue.ts'
import type { CompiledPolicy } from '../src/policy/compile.ts'
import { faultText } from '../src/policy/faults.ts'
import type { AblyCredential } from '../src/providers/ably/credentials.ts'
import { openAbly } from '../src/providers/ably/mint.ts'
import { openAgora } from '../src/providers/agora/mint.ts'
import type { NatsCredential } from '../src/providers/nats/credential.ts'
import { openUserJwts } from '../src/providers/nats/mint-jwt.ts'
import { openStatic } from '../src/providers/nats/mint-static.ts'
import { openTokens } from '../src/providers/nats/mint-token.ts'
import { createSeed, publicNkeyOf } from '../src/providers/nats/nkeys.ts'
import { createNatsEntitlement } from '../src/providers/nats/rights.ts'
import { openSigningKeys } from '../src/providers/nats/signing-keys.ts'
import { openTokenKeys } from '../src/providers/nats/token.ts'
import type { Minted } from '../src/providers/provider.ts'
import type { AnyProvider } from '../src/providers/registry.ts'
import { createSecret } from '../src/secret.ts'
import { load, nowMs } from './policy/policy-under-test.ts'

export const keys = {
  agora: { appId: '0123456789abcdef0123456789abcdef', certificate: 'fedcba9876543210fedcba9876543210' },
  ably: { keyName: 'app1.key1', secret: 'Zq3vR8tLw0pXy6nB2kHs' },
  nats: {
    token: 'kV9-mQ2_xT7wLp4Rz8Yc3B',
    tokenKeys: 'k1:7Qm3xV9pLw2Rz8Yc3BkT5nJ6hG4fD1sA0qWeRtYuIoP',
    signingKeys: ['APP', 'OTHER']
      .map((name) => `${name}:${publicNkeyOf(createSeed('account'), 'account')}:${createSeed('account')}`)
      .join(),
  },
}

/** Of NATS the shared token, a user’s own, and a user JWT. */
export type ProviderName = 'agora' | 'ably' | 'nats' | 'callout' | 'jwt'
interface Credential {
  agora: string
  ably: AblyCredential
  nats: NatsCredential
  callout: NatsCredential
  jwt: NatsCredential
}

export const calloutEntitlement = createNatsEntitlement({ mode: 'callout', accounts: ['APP', 'OTHER'], roles: [] })

export interface UsherInMemory {
  ask<Name extends ProviderName>(
    name: Name,
    caller: Caller,
    input: unknown,
  ): Promise<Minted<Credential[Name]> | Refusal>
  /** Lines that the audit has written. */
  readonly audited: { count: number; last: string }
  readonly policy: CompiledPolicy
}

export function openUsher(policyText: string): UsherInMemory {
  const { loaded, faults } = load(policyText)
  if (loaded === undefined) throw new Error(faults.map(faultText).join('\n'))
  const now = () => nowMs
  const providers = {
    agora: openAgora({ ...keys.agora, certificate: createSecret(keys.agora.certificate), deflate: false }, now),
    ably: openAbly({ apiKey: createSecret(`${keys.ably.keyName}:${keys.ably.secret}`), hosts: [] }, now),
    nats: openStatic(createSecret(keys.nats.token)),
    callout: openTokens({ entitlement: calloutEntitlement, keys: openTokenKeys(keys.nats.tokenKeys), now }),
    jwt: openUserJwts(openSigningKeys(keys.nats.signingKeys), now),
  }
  const audited = { count: 0, last: '' }
  const audit = createAudit(async (lines) => {
    audited.count += lines.split('\n').length - 1
    audited.last = lines
  }, now)
  const deps = { audit, now, refuseRevoked: () => undefined }
  return {
    // biome-ignore lint/suspicious/noExplicitAny: the providers share no type, and each answer is judged by its own test
    ask: (name, caller, input): Promise<any> => {
      const provider = providers[name] as AnyProvider
      return issue(deps, provider, { caller, policy: loaded, input, requestId: 'r1', address: '127.0.0.1' })
    },
    audited,
    policy: loaded.compiled,
  }
}
