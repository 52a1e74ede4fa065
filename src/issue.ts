// One issuance, from the ask to the token. It owns the order of the steps; each step lives where it belongs.

import { type Audit, refuseUnrecorded } from './audit.ts'
import { isRefusal, type Refusal, refusal } from './errors.ts'
import type { Caller } from './identity/caller.ts'
import { decide } from './policy/decide.ts'
import type { LoadedPolicy } from './policy/load.ts'
import type { AskBase, Minted, Provider } from './providers/provider.ts'

export interface IssueDeps {
  readonly audit: Audit
  /** Unix milliseconds. */
  readonly now: () => number
  /** Undefined for a caller who has not been revoked. */
  readonly refuseRevoked: (caller: Caller) => Refusal | undefined
}

export interface IssueRequest {
  readonly caller: Caller
  /** The one under which the caller was identified. */
  readonly policy: LoadedPolicy
  /** The ask as it came in; nothing in it is believed. */
  readonly input: unknown
  readonly requestId: string
  readonly address: string
}

/** The caller asks, policy decides, the provider mints. A provider that is not configured is undefined. */
export async function issue<Ask extends AskBase, Offer, Rights extends object, Credential>(
  { audit, now, refuseRevoked }: IssueDeps,
  provider: Provider<Ask, Offer, Rights, Credential> | undefined,
  { caller, policy, input, requestId, address }: IssueRequest,
): Promise<Minted<Credential> | Refusal> {
  // 1. Is the provider configured?
  if (provider === undefined) return refusal('provider_off')
  const { entitlement } = provider

  // 2. What is asked? Parsed once; what the vendor's grammar does not know ends here.
  const ask = entitlement.parseAsk(input)
  if (isRefusal(ask)) return ask

  // 3. What may the caller have? Nothing, once he is revoked; else ask ∩ grants, or a refusal.
  const revoked = refuseRevoked(caller)
  if (revoked !== undefined) return { ...revoked, ask }
  const decision = decide(policy.compiled, entitlement, { caller, ask, nowMs: now() })
  if (isRefusal(decision)) return { ...decision, ask }
  const { rights, grantIds, grounds } = decision

  // 4. Mint, from the rights and nothing else.
  const minted = await provider.mint(rights, grounds)
  if (isRefusal(minted)) return minted

  // 5. Decode what was minted, and hold it against the rights.
  const overreach = provider.findOverreach(minted, rights, grounds)
  if (overreach !== undefined) return refusal('provider_failed', undefined, `overreach: ${overreach}`)

  // He may have been revoked while a vendor was asked.
  const revokedMeanwhile = refuseRevoked(caller)
  if (revokedMeanwhile !== undefined) return { ...revokedMeanwhile, ask }

  // 6. Record it. What cannot be recorded is not issued.
  const { expiresAt, tokenId, identifies } = minted
  try {
    await audit.record({
      requestId,
      provider: entitlement.name,
      outcome: 'issued',
      caller,
      address,
      rights,
      expiresAt,
      grants: grantIds,
      policy: policy.digest,
      tokenId,
      identifies,
    })
  } catch (error) {
    return refuseUnrecorded(error)
  }
  return minted
}
