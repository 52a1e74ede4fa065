// What a key set is (RFC 7517, section 5). It owns: which of its keys may verify a signature, and which sets are refused whole.
// A set that is refused never replaces one that was good: an IdP that answers `{"keys":[]}` for a minute locks nobody out.

import { createPublicKey } from 'node:crypto'
import type { JSONWebKeySet, JWK } from 'jose'

const maxKeys = 100

/** Parses a key set and keeps its public signature keys; a string is the rule that was broken. */
export function parseKeySet(text: string): JSONWebKeySet | string {
  const keys = keysOf(text)
  if (!Array.isArray(keys)) return 'is not a JSON object with a list of keys'
  if (keys.length > maxKeys) return `has more than ${maxKeys} keys`
  const usable = keys.filter(isPublicSignatureKey)
  return usable.length === 0 ? 'has no public signature key' : { keys: usable }
}

function keysOf(text: string): unknown {
  try {
    return JSON.parse(text)?.keys
  } catch {
    return undefined
  }
}

/** Node’s own import decides whether the numbers are a key: a member that only looks like one must not make a set good. */
function isPublicSignatureKey(jwk: JWK): boolean {
  try {
    if ('d' in jwk || 'k' in jwk) return false
    if ((jwk.use ?? 'sig') !== 'sig' || !(jwk.key_ops ?? ['verify']).includes('verify')) return false
    const { asymmetricKeyType, asymmetricKeyDetails } = createPublicKey({ key: { ...jwk }, format: 'jwk' })
    // RFC 7518, section 3.3: a key of 2048 bits or more must be used with RS256.
    if (asymmetricKeyType === 'rsa') return (asymmetricKeyDetails?.modulusLength ?? 0) >= 2048
    return asymmetricKeyType === 'ec' || asymmetricKeyType === 'ed25519'
  } catch {
    return false
  }
}
