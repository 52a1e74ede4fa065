// The judgement by the revocation list. It owns what is refused: whoever is on it, and everybody while it may lack somebody.

import { type Refusal, refusal } from '../errors.ts'
import type { RevocationList, Who } from './list.ts'

export interface RevocationCheckDeps {
  /** Undefined where none is configured: then nobody is revoked. */
  readonly list: RevocationList | undefined
  /** What happens while the list is not current. */
  readonly onOutage: 'refuse' | 'allow'
}

/** @returns judges one caller or token: undefined for who may go on */
export const createRevocationCheck =
  ({ list, onOutage }: RevocationCheckDeps) =>
  (who: Who): Refusal | undefined => {
    if (list === undefined) return undefined
    // First the hit, which is final: an outage says "come back later".
    const found = list.find(who)
    if (found !== undefined)
      return refusal('denied', undefined, `revoked until ${new Date(found.until * 1000).toISOString()}`)
    return onOutage === 'refuse' && !list.isCurrent() ? refusal('revocations_unavailable') : undefined
  }
