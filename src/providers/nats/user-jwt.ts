// User JWTs. It owns their claims, and what is read back from one.

import type { Owner } from '../../revocations/token-id.ts'
import { toInboxPrefix, toUserName } from './holder.ts'
import { toConnectionTypeClaims, toPermissionClaims, toPermissions } from './permissions.ts'
import type { UserRights } from './rights.ts'

export interface UserJwtInput {
  readonly rights: Omit<UserRights, 'asked'>
  readonly owner: Owner
  readonly serial: string
  /** The user’s public nkey. */
  readonly subject: string
  /** Unix seconds. */
  readonly issuedAt: number
  /** Unix seconds. */
  readonly expiresAt: number
  /** Name of the target account, where the answer to a callout says it. */
  readonly audience?: string
  /** The account’s public key, where a signing key of it signs. */
  readonly issuerAccount?: string
}

/** nats-io/jwt, v2/user_claims.go. With a role, the signing key’s template says the rest: a permission here would be refused. */
export function toUserClaims(input: UserJwtInput): Record<string, unknown> {
  const { rights, owner, serial, subject, issuedAt, expiresAt, audience, issuerAccount } = input
  const { role } = rights
  const permissions = toPermissionClaims(toPermissions(rights, toInboxPrefix(owner, serial)))
  return {
    sub: subject,
    ...(audience === undefined ? {} : { aud: audience }),
    name: role?.name ?? toUserName(owner, serial),
    iat: issuedAt,
    exp: expiresAt,
    nats: {
      ...(role === undefined
        ? permissions
        : { tags: Object.entries(role.tags).map(([tag, value]) => `${tag}:${value}`) }),
      // An answer to a callout has none: nats-server ignores them there, and we have checked (facts/nats.md 0.5).
      ...(issuerAccount === undefined || role !== undefined ? {} : toConnectionTypeClaims(rights.connectionTypes)),
      ...(issuerAccount === undefined ? {} : { issuer_account: issuerAccount }),
      type: 'user',
      version: 2,
    },
  }
}
