// One revocation, from the ask to what became of it. It owns the order of the steps, as issue.ts does for a token.

import { type Audit, refuseUnrecorded } from './audit.ts'
import { isRefusal, type Refusal, refusal } from './errors.ts'
import type { Caller } from './identity/caller.ts'
import { type Log, toErrorFields } from './log.ts'
import { decide } from './policy/decide.ts'
import type { LoadedPolicy } from './policy/load.ts'
import type { CutOff } from './providers/module.ts'
import { adminEntitlement } from './revocations/admin.ts'
import type { Revocation, RevocationList } from './revocations/list.ts'
import { parseRevocation } from './revocations/parse.ts'

export interface RevokeDeps {
  readonly audit: Audit
  readonly log: Log
  /** Unix milliseconds. */
  readonly now: () => number
  /** Undefined where none is configured. */
  readonly list: RevocationList | undefined
  /** Who can end what was issued, by provider; undefined for one that cannot. */
  readonly cutOffs: ReadonlyMap<string, End | undefined>
}
type End = (revocation: Revocation) => Promise<CutOff>

export interface RevokeRequest {
  readonly caller: Caller
  readonly policy: LoadedPolicy
  readonly input: unknown
  readonly requestId: string
  readonly address: string
}

export interface Revoked {
  readonly revoked: Revocation
  readonly outcomes: Readonly<Record<string, CutOff>>
}

export async function revoke(
  { audit, log, now, list, cutOffs }: RevokeDeps,
  { caller, policy, input, requestId, address }: RevokeRequest,
): Promise<Revoked | Refusal> {
  // 1. May the caller revoke? Nobody without a credential may, whatever the policy says.
  if (caller.kind === 'anonymous') return refusal('unauthenticated')
  if (list?.find(caller) !== undefined) return refusal('denied', undefined, 'revoked himself')
  const decision = decide(policy.compiled, adminEntitlement, { caller, ask: { action: 'revoke' }, nowMs: now() })
  if (isRefusal(decision)) return decision

  // 2. Whom?
  const revocation = parseRevocation(input, policy.compiled.callers, now())
  if (isRefusal(revocation)) return revocation
  if (list === undefined) return refusal('revocation_off')

  // 3. From here on nothing more is issued to him: at once here, and everywhere once it is recorded.
  const recorded = await list.add(revocation).then(
    () => true,
    (error: unknown) => {
      log.error({ requestId, ...toErrorFields(error) }, 'a revocation could not be stored')
      return false
    },
  )

  // 4. What he has already, each vendor ends as far as it can.
  const end = async (provider: string, cutOff: End | undefined): Promise<CutOff> => {
    try {
      return (await cutOff?.(revocation)) ?? (revocation.tokenId === undefined ? lasts : unconcerned)
    } catch (error) {
      // The revocation stands, and has to be recorded, whatever becomes of this.
      log.error({ requestId, provider, ...toErrorFields(error) }, 'what was issued could not be ended')
      return failed
    }
  }
  const outcomes = Object.fromEntries(
    await Promise.all([...cutOffs].map(async ([name, cutOff]) => [name, await end(name, cutOff)] as const)),
  )

  // 5. Record who cut off whom.
  try {
    const rights = { ...revocation, outcomes }
    await audit.record({
      requestId,
      provider: adminEntitlement.name,
      outcome: 'revoked',
      caller,
      address,
      rights,
      grants: decision.grantIds,
      policy: policy.digest,
    })
  } catch (error) {
    return refuseUnrecorded(error)
  }
  if (!recorded)
    return refusal(
      'revocations_unavailable',
      'The revocation is in force on this replica, but could not be stored for the others and for later; send it again.',
    )
  return { revoked: revocation, outcomes }
}

const lasts: CutOff = { done: false, detail: 'Nothing more is issued; what he has is good until it ends' }
const unconcerned: CutOff = { done: false, detail: 'Nothing changes: this is the id of a NATS token' }
const failed: CutOff = { done: false, detail: 'Nothing more is issued; ending what he has failed on our side' }
