// The decision, taken again about the holder of a token that is only a reference. Pure, as decide.ts is.

import { isRefusal, type Refusal, refusal } from '../errors.ts'
import { toClaims } from '../identity/caller.ts'
import type { AskBase, Entitlement } from '../providers/provider.ts'
import { type Basis, originOf } from './basis.ts'
import type { CompiledPolicy } from './compile.ts'
import { type Decision, decideAmong } from './decide.ts'
import type { CallersDocument } from './schema.ts'

const noClaims = toClaims({})

/** An issuer or a key that was taken out of the file vouches for nobody any more, whoever it vouched for before. */
const isSource = ({ kind, source }: Basis['caller'], { jwt = [], apiKeys = [], gateway }: CallersDocument): boolean =>
  (kind !== 'jwt' || jwt.some(({ name }) => name === source)) &&
  (kind !== 'apiKey' || apiKeys.some(({ id }) => id === source)) &&
  (kind !== 'gateway' || gateway !== undefined)

/**
 * The policy of now, over the grants and the values of then. What became narrower is narrower; a grant that is gone or no
 * longer applies is refused, as is a holder whom a deny rule meets. Values are held against the vars of now: one that a rule
 * needs and the token does not carry is missing, so a new deny rule on a new var denies until the token is renewed.
 */
export function decideAgain<Ask extends AskBase, Offer, Rights extends object>(
  policy: CompiledPolicy,
  entitlement: Entitlement<Ask, Offer, Rights>,
  { basis: { caller, grantIds, values, origin }, ask, nowMs }: { basis: Basis; ask: Ask; nowMs: number },
): Decision<Rights> | Refusal {
  if (!isSource(caller, policy.callers))
    return refusal('no_grant', undefined, `${caller.source} is no source of callers any more`)
  if (originOf(policy, caller, Object.keys(values)) !== origin)
    return refusal(
      'no_grant',
      undefined,
      'who vouches for the caller, or the claim behind one of his values, has changed',
    )
  const grants = (policy.grants.get(entitlement.name) ?? []).filter(({ id }) => grantIds.includes(id))
  const decision = decideAmong(grants, {
    policy,
    entitlement,
    caller: { ...caller, claims: noClaims },
    ask,
    nowMs,
    read: ({ name, parse }) => (Object.hasOwn(values, name) ? parse(values[name]) : undefined),
  })
  if (isRefusal(decision)) return decision
  const isWhole = decision.grantIds.length === grantIds.length
  return isWhole ? decision : refusal('no_grant', undefined, 'a grant of the token is gone, or no longer applies')
}
