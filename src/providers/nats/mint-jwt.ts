// Mints user JWTs for the nkey that a client made itself, or with a key made for it where a grant allows a creds file.

import { isDeepStrictEqual } from 'node:util'
import { refusal } from '../../errors.ts'
import { newSerial, type Owner, parseTokenId, toTokenId } from '../../revocations/token-id.ts'
import type { Granted, Minted } from '../provider.ts'
import type { NatsCredential, NatsProvider } from './credential.ts'
import { toCredsFile } from './creds.ts'
import { toInboxPrefix, toUserName } from './holder.ts'
import { decodeNatsJwt, encodeNatsJwt } from './jwt.ts'
import { createSeed, publicNkeyOf } from './nkeys.ts'
import { toConnectionTypeClaims, toPermissionClaims, toPermissions } from './permissions.ts'
import { createNatsEntitlement, type NatsRights } from './rights.ts'
import { type SigningKey, toKeyName } from './signing-keys.ts'
import { toUserClaims } from './user-jwt.ts'

/** CONNECT may be 4096 bytes, and the client puts its signature and names beside the JWT (facts/nats.md 6). */
const maxJwtBytes = 3500

export function openUserJwts(keys: ReadonlyMap<string, SigningKey>, now: () => number): NatsProvider {
  const names = [...keys.keys()]
  return {
    entitlement: createNatsEntitlement({ mode: 'jwt', accounts: [], roles: names }),
    mint: (rights, grounds) => {
      if (rights.shared) return refusal('no_grant')
      const key = keys.get(toKeyName(rights.account, rights.role?.key))
      if (key === undefined) return refusal('provider_failed', undefined, `no signing key for ${rights.account}`)
      const { caller: owner } = grounds.basis()
      const serial = newSerial()
      const seed = rights.asked.creds === true ? createSeed('user') : undefined
      const subject = seed === undefined ? (rights.asked.publicKey as string) : publicNkeyOf(seed, 'user')
      const issuedAt = Math.floor(now() / 1000)
      const expiresAt = issuedAt + rights.ttlSeconds
      const claims = toUserClaims({ rights, owner, serial, subject, issuedAt, expiresAt, issuerAccount: key.account })
      const token = encodeNatsJwt(claims, key.signer)
      if (token.length > maxJwtBytes)
        return refusal(
          'token_too_large',
          `publish, subscribe: the JWT would have ${token.length} bytes, and ${maxJwtBytes} is the most that a CONNECT takes; ask for fewer subjects, or have the operator use a scoped signing key`,
        )
      const inboxPrefix = toInboxPrefix(owner, serial)
      const own = {
        tokenId: toTokenId(owner, serial),
        user: toUserName(owner, serial),
        account: rights.account,
        inboxPrefix: rights.inbox ? inboxPrefix : null,
        permissions: rights.role === undefined ? toPermissions(rights, inboxPrefix) : null,
        ...(seed === undefined ? {} : { creds: toCredsFile(token, seed) }),
      }
      return { credential: { mode: 'jwt', token, own }, expiresAt, identifies: token }
    },
    findOverreach: (minted, rights, grounds) => findOverreach(minted, rights, { keys, owner: grounds.basis().caller }),
    // nats-server asks nobody about a user JWT, and a client that is kicked comes back with it.
    cutOff: async ({ tokenId }) => ({
      done: false,
      detail:
        `${tokenId === undefined ? 'No more user JWTs are issued; one that he has' : 'It'} is good until it ends, unless the operator ` +
        'revokes its key in the account (nsc revocations add-user). The audit line of the JWT names the key: rights.asked.publicKey',
    }),
  }
}

/** The claims that must be what the rights say; the others are names. */
function findOverreach(
  { credential: { token, own }, expiresAt }: Minted<NatsCredential>,
  rights: Granted<NatsRights>,
  { keys, owner }: { keys: ReadonlyMap<string, SigningKey>; owner: Owner },
): string | undefined {
  const jwt = decodeNatsJwt(token)
  if (jwt === undefined || own === undefined || rights.shared) return 'the JWT does not decode'
  const key = keys.get(toKeyName(rights.account, rights.role?.key))
  const { claims } = jwt
  if (claims['iss'] !== key?.signer.publicKey || !jwt.verify('account'))
    return 'the JWT is not signed by the account’s key'
  const issuedAt = claims['iat'] as number
  if (claims['exp'] !== expiresAt || expiresAt !== issuedAt + rights.ttlSeconds) return 'the JWT lives longer'
  const { publicKey, creds } = rights.asked
  if (creds !== true && claims['sub'] !== publicKey) return 'the JWT is for another key'
  const { type: _, version: __, issuer_account: account, tags, ...given } = claims['nats'] as Record<string, unknown>
  if (account !== key?.account) return 'the JWT is for another account'
  const serial = parseTokenId(own.tokenId)?.serial ?? ''
  if (own.tokenId !== toTokenId(owner, serial)) return 'the JWT is of somebody else'
  if (rights.role !== undefined) {
    const isRole = Object.keys(given).length === 0 && claims['name'] === rights.role.name
    const isTagged = isDeepStrictEqual(
      tags,
      Object.entries(rights.role.tags).map(([tag, value]) => `${tag}:${value}`),
    )
    return isRole && isTagged ? undefined : 'the JWT holds more than its role'
  }
  if (claims['name'] !== toUserName(owner, serial)) return 'the JWT is of somebody else'
  const permissions = toPermissions(rights, toInboxPrefix(owner, serial))
  const expected = { ...toPermissionClaims(permissions), ...toConnectionTypeClaims(rights.connectionTypes) }
  return isDeepStrictEqual({ ...given, tags }, { ...expected, tags: undefined })
    ? undefined
    : 'the JWT holds other permissions'
}
