// Who may connect, as what, until when. It owns the order of the checks of a token at connect; policy decides, as it did at issue.

import { isRefusal, type Refusal, refusal } from '../../../errors.ts'
import type { CompiledPolicy } from '../../../policy/compile.ts'
import { type Owner, toTokenId } from '../../../revocations/token-id.ts'
import { canaryRights, isCanary } from '../canary.ts'
import { decideOnToken, type NatsEntitlement } from '../mint-token.ts'
import type { UserRights } from '../rights.ts'
import { fromPayload, type TokenContent, type TokenKeys } from '../token.ts'
import type { CalloutRequest } from './request.ts'

export interface Authorization {
  readonly rights: UserRights
  readonly owner: Owner
  readonly serial: string
  /** Unix seconds. */
  readonly expiresAt: number
  readonly grantIds: readonly string[]
  /** Undefined for our own canary. */
  readonly content: TokenContent | undefined
}

export interface AuthorizeDeps {
  readonly keys: TokenKeys
  readonly entitlement: NatsEntitlement
  readonly policy: () => CompiledPolicy
  /** Where users may be placed: the issuer’s key could place them anywhere, in the system account too. */
  readonly accounts: readonly string[]
  readonly refuseRevoked: (who: Owner & { readonly tokenId: string }) => Refusal | undefined
  /** Unix milliseconds. */
  readonly now: () => number
}

const bad = (detail: string): Refusal => refusal('unauthenticated', undefined, detail)

export function authorize(
  { token, connectionType }: Pick<CalloutRequest, 'token' | 'connectionType'>,
  { keys, entitlement, policy, accounts, refuseRevoked, now }: AuthorizeDeps,
): Authorization | (Refusal & { readonly content?: TokenContent }) {
  // 1. Is it a token of ours, unaltered?
  if (token === undefined) return bad('no token')
  const payload = keys.open(token)
  if (payload === undefined) return bad('not a token of this service')
  const nowSeconds = Math.floor(now() / 1000)
  if (isCanary(payload)) return canaryRights(payload, accounts[0] as string, nowSeconds) ?? bad('an old canary')
  const content = fromPayload(payload)
  if (content === undefined) return bad('not a token of a user')
  const refuse = (refused: Refusal) => ({ ...refused, content })

  // 2. Has it ended, or was it ended?
  const { serial, basis, issuedAt, lifetime } = content
  if (issuedAt + lifetime <= nowSeconds) return refuse(bad('expired'))
  const owner = basis.caller
  const revoked = refuseRevoked({ ...owner, tokenId: toTokenId(owner, serial) })
  if (revoked !== undefined) return refuse(revoked)

  // 3. What does the policy of now give its holder?
  const decision = decideOnToken(content, policy(), { entitlement, nowMs: now() })
  if (isRefusal(decision)) return refuse(decision)
  const { rights, grantIds } = decision
  if (rights.shared) return refuse(refusal('no_grant'))
  const expiresAt = issuedAt + rights.ttlSeconds
  if (expiresAt <= nowSeconds) return refuse(bad('expired, by a lifetime that has been shortened'))

  // 4. May he come this way, and into this account? nats-server asks nobody else (facts/nats.md 0).
  if (connectionType === undefined || !rights.connectionTypes.includes(connectionType))
    return refuse(refusal('beyond_grant', undefined, `connection type ${connectionType ?? 'unknown'}`))
  if (!accounts.includes(rights.account))
    return refuse(refusal('no_grant', undefined, 'the account is not one of NATS_ACCOUNTS'))
  return { rights, owner, serial, expiresAt, grantIds, content }
}
