// Whom to revoke. It owns the body of POST /revoke: a token by its id, or a user by source and subject.

import type { Refusal } from '../errors.ts'
import { callerKinds, isSubject } from '../identity/caller.ts'
import type { CallersDocument } from '../policy/schema.ts'
import { badField, isFields, refuseUnknownFields } from '../providers/fields.ts'
import type { Revocation } from './list.ts'
import { parseTokenId } from './token-id.ts'

/** No token lives longer; a minute for clocks that differ. */
const longestLifeSeconds = 86_400 + 60

export function parseRevocation(input: unknown, callers: CallersDocument, nowMs: number): Revocation | Refusal {
  if (!isFields(input)) return badField('body', 'must be a JSON object')
  const unknown = refuseUnknownFields(input, ['source', 'subject', 'tokenId'])
  if (unknown !== undefined) return unknown
  const { source, subject, tokenId } = input
  const until = Math.floor(nowMs / 1000) + longestLifeSeconds
  if (tokenId !== undefined) {
    if (source !== undefined || subject !== undefined)
      return badField('tokenId', 'stands beside source or subject; send one of the two')
    const owner = parseTokenId(tokenId)?.owner
    return owner === undefined
      ? badField('tokenId', 'must be the tokenId of an answer of /nats/token')
      : { ...owner, tokenId: tokenId as string, until }
  }
  const sources = sourcesOf(callers)
  if (typeof source !== 'string' || !sources.includes(source))
    return badField('source', `must be one of ${sources.join(', ')}; a subject means nothing without its source`)
  if (!isSubject(subject)) return badField('subject', 'must be the subject, 1 to 255 printable ASCII characters')
  return { source, subject, until }
}

/** A caller without a credential has no subject that could be named. */
const sourcesOf = ({ jwt = [], apiKeys = [] }: CallersDocument): readonly string[] => [
  ...jwt.map(({ name }) => name),
  ...apiKeys.map(({ id }) => id),
  ...callerKinds.filter((kind) => kind === 'gateway' || kind === 'sandbox'),
]
