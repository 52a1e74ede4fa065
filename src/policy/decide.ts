// The decision: who may have what. Caller and ask go in, rights or a refusal come out. Pure and synchronous.

import { isRefusal, type Refusal, refusal } from '../errors.ts'
import type { Caller } from '../identity/caller.ts'
import type { AskBase, Entitlement, Granted, Offered } from '../providers/provider.ts'
import { type Basis, basisOf } from './basis.ts'
import type { CompiledGrant, CompiledPolicy } from './compile.ts'
import type { ReadVar } from './template.ts'
import type { CallerVar, VarValue } from './vars.ts'
import { firstUnmet, isDenied, type When } from './when.ts'

export interface Rule {
  readonly id: string
  readonly when: When
  readonly note?: string
}

export interface Decision<Rights> {
  readonly rights: Granted<Rights>
  readonly grantIds: readonly string[]
  readonly grounds: Grounds
}

/** For a token that is only a reference: whoever is shown it decides again (decide-again.ts). */
export interface Grounds {
  readonly policy: CompiledPolicy
  basis(): Basis
}

/** Below this the caller’s own credential is too short-lived to derive anything from it. */
const minRemainingMs = 30_000

/** Hears, for `usher policy explain`, what became of each grant. */
export type Trace = (id: string, outcome: string) => void

/**
 * 1. deny rules; 2. what is left of the caller’s own credential; 3. the grants that apply to him, filled with his values;
 * 4. ask ∩ grants, by the provider; 5. the lifetime: min(ask or default, grants, provider, what is left).
 */
export function decide<Ask extends AskBase, Offer, Rights extends object>(
  policy: CompiledPolicy,
  entitlement: Entitlement<Ask, Offer, Rights>,
  { caller, ask, nowMs, trace }: { caller: Caller; ask: Ask; nowMs: number; trace?: Trace },
): Decision<Rights> | Refusal {
  const grants = policy.grants.get(entitlement.name) ?? []
  return decideAmong(grants, { policy, entitlement, caller, ask, nowMs, read: readerOf(caller), trace })
}

interface Case<Ask extends AskBase, Offer, Rights> {
  readonly policy: CompiledPolicy
  readonly entitlement: Entitlement<Ask, Offer, Rights>
  readonly caller: Caller
  readonly ask: Ask
  readonly nowMs: number
  readonly read: ReadVar
  readonly trace?: Trace | undefined
}

/** The same, where only some of the grants are looked at, and the caller’s values come from elsewhere. */
export function decideAmong<Ask extends AskBase, Offer, Rights extends object>(
  grants: readonly CompiledGrant[],
  { policy, entitlement, caller, ask, nowMs, read, trace }: Case<Ask, Offer, Rights>,
): Decision<Rights> | Refusal {
  for (const rule of policy.deny)
    if (isDenied(rule.when, caller, read))
      return refusal('denied', undefined, `deny rule ${rule.id}${rule.note === undefined ? '' : `: ${rule.note}`}`)

  const remainingMs = caller.expiresAt === undefined ? Number.POSITIVE_INFINITY : caller.expiresAt * 1000 - nowMs
  // Asked this way round, an end that is no number is no life left.
  if (!(remainingMs >= minRemainingMs)) return refusal('credential_expiring')

  const offers: Offered<Offer>[] = []
  for (const grant of grants) {
    if (caller.kind === 'anonymous' && grant.when.kinds?.has('anonymous') !== true) {
      trace?.(grant.id, 'does not apply: it is not for anonymous callers')
      continue
    }
    const unmet = firstUnmet(grant.when, caller, read)
    if (unmet !== undefined) {
      trace?.(grant.id, `does not apply: it needs ${unmet}`)
      continue
    }
    const offer = grant.fill(read) as Offer | undefined
    trace?.(
      grant.id,
      offer === undefined ? 'does not apply: the caller lacks a valid value of a var that it uses' : 'applies',
    )
    if (offer !== undefined) offers.push({ grantId: grant.id, ttl: grant.ttl, offer })
  }
  // To a caller who showed nothing, nothing is the answer: he may have something once he logs in.
  if (offers.length === 0) return refusal(caller.kind === 'anonymous' ? 'unauthenticated' : 'no_grant')

  const selection = entitlement.select(ask, offers)
  if (isRefusal(selection)) return selection

  let ttlMs: number | null = null
  for (const { ttl } of selection.used) {
    if (ttl === undefined) continue
    ttlMs = Math.min(ttlMs ?? Math.min(remainingMs, entitlement.maxTtlMs), ask.ttlMs ?? ttl.defaultMs, ttl.maxMs)
  }
  const rights = Object.freeze(selection.rights(ttlMs)) as Granted<Rights>
  const grantIds = selection.used.map(({ grantId }) => grantId)
  const basis = () =>
    basisOf(
      grants.filter(({ id }) => grantIds.includes(id)),
      { policy, caller, read },
    )
  return { rights, grantIds, grounds: { policy, basis } }
}

/** Reads each of the caller’s values once a decision. */
function readerOf(caller: Caller): ReadVar {
  const values = new Map<CallerVar, VarValue | undefined>()
  return (variable) => {
    let value = values.get(variable)
    if (value === undefined && !values.has(variable)) {
      value = variable.read(caller)
      values.set(variable, value)
    }
    return value
  }
}
