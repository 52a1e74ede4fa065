// Mints tokens of callout mode. It owns nothing but the order: names, payload, seal; and the proof that it opens as the same.

import { isDeepStrictEqual } from 'node:util'
import { isRefusal, type Refusal, refusal } from '../../errors.ts'
import type { CompiledPolicy } from '../../policy/compile.ts'
import type { Decision, Grounds } from '../../policy/decide.ts'
import { decideAgain } from '../../policy/decide-again.ts'
import { newSerial, toTokenId } from '../../revocations/token-id.ts'
import type { Entitlement, Granted, Minted } from '../provider.ts'
import type { NatsAsk } from './ask.ts'
import type { NatsCredential, NatsProvider } from './credential.ts'
import type { NatsOffer } from './grant.ts'
import { toInboxPrefix, toUserName } from './holder.ts'
import { toPermissions } from './permissions.ts'
import type { NatsRights, UserRights } from './rights.ts'
import { fromPayload, maxTokenBytes, type TokenContent, type TokenKeys, toPayload } from './token.ts'

export type NatsEntitlement = Entitlement<NatsAsk, NatsOffer, NatsRights>

export interface TokenDeps {
  readonly entitlement: NatsEntitlement
  readonly keys: TokenKeys
  /** Unix milliseconds. */
  readonly now: () => number
}

export const openTokens = ({ entitlement, keys, now }: TokenDeps): NatsProvider => ({
  entitlement,
  mint: (rights, grounds) => {
    if (rights.shared) return refusal('no_grant')
    const content = toContent(rights, grounds, now())
    const token = keys.seal(toPayload(content))
    if (token.length > maxTokenBytes)
      return refusal(
        'token_too_large',
        `publish, subscribe: the token would have ${token.length} bytes, and ${maxTokenBytes} is the most; ask for fewer subjects`,
      )
    const credential = toCredential(token, content, rights)
    const { tokenId } = credential.own
    return { credential, expiresAt: endOf(content), tokenId, identifies: token }
  },
  findOverreach: (minted, rights, grounds) => findOverreach(minted, rights, { grounds, entitlement, keys, now }),
})

const toContent = ({ asked, ttlSeconds }: UserRights, grounds: Grounds, nowMs: number): TokenContent => ({
  serial: newSerial(),
  basis: grounds.basis(),
  issuedAt: Math.floor(nowMs / 1000),
  lifetime: ttlSeconds,
  asked,
})

function toCredential(token: string, { serial, basis: { caller } }: TokenContent, rights: UserRights) {
  const inboxPrefix = toInboxPrefix(caller, serial)
  return {
    mode: 'callout' as const,
    token,
    own: {
      tokenId: toTokenId(caller, serial),
      user: toUserName(caller, serial),
      account: rights.account,
      inboxPrefix: rights.inbox ? inboxPrefix : null,
      permissions: toPermissions(rights, inboxPrefix),
    },
  }
}

const endOf = ({ issuedAt, lifetime }: TokenContent): number => issuedAt + lifetime

/** What the token gives under a policy: at issue that of the request, at connect that of the moment. */
export const decideOnToken = (
  { basis, lifetime, asked }: TokenContent,
  policy: CompiledPolicy,
  { entitlement, nowMs }: { entitlement: NatsEntitlement; nowMs: number },
): Decision<NatsRights> | Refusal =>
  decideAgain(policy, entitlement, { basis, ask: { ttlMs: lifetime * 1000, ...asked }, nowMs })

function findOverreach(
  { credential, expiresAt }: Minted<NatsCredential>,
  rights: Granted<NatsRights>,
  { grounds, entitlement, keys, now }: TokenDeps & { grounds: Grounds },
): string | undefined {
  const payload = keys.open(credential.token)
  const content = payload === undefined ? undefined : fromPayload(payload)
  if (content === undefined) return 'the token does not open'
  if (endOf(content) !== expiresAt || rights.shared || content.lifetime !== rights.ttlSeconds)
    return 'the token lives longer'
  // Rights name nobody; the inbox and the user of a connection follow from whom the token names.
  if (!isDeepStrictEqual(content.basis, grounds.basis())) return 'the token is of somebody else'
  const again = decideOnToken(content, grounds.policy, { entitlement, nowMs: now() })
  if (isRefusal(again)) return 'the token gives nothing'
  return JSON.stringify(again.rights) === JSON.stringify(rights) ? undefined : 'the token gives something else'
}
