// Who may have the NATS token. It owns what a grant for NATS is; rights of a user's own come with auth callout.

import Type from 'typebox'
import { type Refusal, refusal } from '../../errors.ts'
import { badField, isFields, refuseUnknownFields } from '../fields.ts'
import type { AskBase, Entitlement } from '../provider.ts'

/** The token that all clients of the server share: it is the whole server, and it has no end. */
export interface NatsRights {
  readonly shared: true
}

const grantSchema = Type.Object(
  {
    shared: Type.Literal(true, {
      description: 'true: the one token of the server, which has no subjects, no user and no end',
    }),
  },
  { additionalProperties: false },
)

export const natsEntitlement: Entitlement<AskBase, NatsRights, NatsRights> = {
  name: 'nats',
  grantSchema,
  maxTtlMs: 86_400_000,
  parseAsk,
  compileGrant: (_spec, scope) => {
    if (scope.hasTtl)
      return scope.fault(
        '',
        'stands in a grant with ttl, but a shared token has no end',
        'Remove ttl, or give it in a grant of its own',
      )
    return { endless: true, fill: () => ({ shared: true }) }
  },
  select: (_ask, offers) => ({ used: offers.slice(0, 1), rights: () => ({ shared: true }) }),
}

/** A shared token cannot be narrowed: whoever asks for subjects or a lifetime would believe that he got them. */
function parseAsk(input: unknown): AskBase | Refusal {
  if (!isFields(input)) return badField('body', 'must be a JSON object, or empty')
  for (const field of ['ttl', 'publish', 'subscribe', 'account', 'publicKey'])
    if (input[field] !== undefined)
      return refusal('invalid_request', `${field}: a shared token cannot have one; leave it out`)
  return refuseUnknownFields(input, []) ?? {}
}
