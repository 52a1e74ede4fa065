// Who may revoke. It owns the grant `admin: [revoke]`, which policy decides about as it does about every other right.

import Type from 'typebox'
import { refusal } from '../errors.ts'
import { badField, isFields } from '../providers/fields.ts'
import type { AskBase, Entitlement } from '../providers/provider.ts'

const actions = ['revoke'] as const
export type AdminAction = (typeof actions)[number]

interface AdminAsk extends AskBase {
  readonly action: AdminAction
}

export const adminEntitlement: Entitlement<AdminAsk, readonly AdminAction[], { readonly action: AdminAction }> = {
  name: 'admin',
  grantSchema: Type.Array(Type.Enum([...actions]), { minItems: 1, description: '[revoke]' }),
  maxTtlMs: 86_400_000,
  parseAsk: (input) => {
    const action = actions.find((known) => isFields(input) && input['action'] === known)
    return action === undefined ? badField('action', `must be one of ${actions.join(', ')}`) : { action }
  },
  compileGrant: (spec, scope) => {
    if (!scope.hasWhen)
      return scope.fault('', 'has no when, so that every caller could cut off every other', 'Say whose right it is')
    if (scope.hasTtl) return scope.fault('', 'stands in a grant with ttl, and issues nothing', 'Remove ttl')
    return { endless: true, fill: () => spec as AdminAction[] }
  },
  select: ({ action }, offers) => {
    const used = offers.filter(({ offer }) => offer.includes(action)).slice(0, 1)
    return used.length === 0 ? refusal('no_grant') : { used, rights: () => ({ action }) }
  },
}
