// The contract between policy and providers. It owns the shapes that cross the border: what a provider can be entitled to,
// and what it mints. A provider is one folder that implements Entitlement (pure) and Provider (with the vendor's keys).

import type { TSchema } from 'typebox'
import type { Refusal } from '../errors.ts'
import type { Grounds } from '../policy/decide.ts'
import type { GrantScope, ReadVar } from '../policy/scope.ts'

declare const granted: unique symbol
/** Rights that came out of a decision. Only policy/decide.ts makes them, and `mint` takes nothing else. */
export type Granted<Rights> = Readonly<Rights> & { readonly [granted]: true }

export interface AskBase {
  /** Lifetime that is asked for, in milliseconds, 1 to 86 400 000; absent = the grant’s default. */
  readonly ttlMs?: number
}

export interface Ttl {
  readonly defaultMs: number
  readonly maxMs: number
}

/** What one grant offers to this caller: its templates are filled with his values. */
export interface Offered<Offer> {
  readonly grantId: string
  /** Absent for a credential that has no end. */
  readonly ttl: Ttl | undefined
  readonly offer: Offer
}

export interface Selection<Offer, Rights> {
  /** The grants that stand behind the rights; the smallest ttl of them counts. */
  readonly used: readonly Offered<Offer>[]
  /** @param ttlMs lifetime as decided; null = no end */
  rights(ttlMs: number | null): Rights
}

export interface CompiledOffer<Offer> {
  /** Fills the grant with the caller’s values; undefined where one of them is missing. */
  fill(read: ReadVar): Offer | undefined
  /** Whether what it gives has no end, and so no ttl. */
  readonly endless: boolean
}

/** Says, without any key, what rights of this provider are. Pure. */
export interface Entitlement<Ask extends AskBase, Offer, Rights> {
  readonly name: string
  /** What stands below the provider’s name in a grant. */
  readonly grantSchema: TSchema
  /** The vendor’s longest lifetime, in milliseconds. */
  readonly maxTtlMs: number
  /** Checks a grant, whose shape the schema has checked, and compiles it; faults go to the scope. */
  compileGrant(spec: unknown, scope: GrantScope): CompiledOffer<Offer> | undefined
  /** Untrusted input → ask; what the vendor’s grammar does not know is refused as `invalid_request`. */
  parseAsk(input: unknown): Ask | Refusal
  /** Ask ∩ offers, offers in file order. Refuses what they do not cover; never narrows in silence. */
  select(ask: Ask, offers: readonly Offered<Offer>[]): Selection<Offer, Rights> | Refusal
}

export interface Minted<Credential> {
  readonly credential: Credential
  /** Unix seconds; null = no end. */
  readonly expiresAt: number | null
  /** For the audit, so that it can be revoked by somebody who never saw it. */
  readonly tokenId?: string
  /** Text whose fingerprint the audit keeps; absent for a credential that is shared. */
  readonly identifies?: string
}

/** Mints, with the vendor’s keys. */
export interface Provider<Ask extends AskBase, Offer, Rights, Credential> {
  readonly entitlement: Entitlement<Ask, Offer, Rights>
  /** @param grounds for a token that names its grants in place of holding the rights */
  mint(rights: Granted<Rights>, grounds: Grounds): Minted<Credential> | Refusal | Promise<Minted<Credential> | Refusal>
  /** Decodes what was minted and names the first right in it that the decision did not give; undefined = none. */
  findOverreach(minted: Minted<Credential>, rights: Granted<Rights>, grounds: Grounds): string | undefined
}
