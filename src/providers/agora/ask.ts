// What is asked of Agora. It owns the body of POST /fetch_rtc_token, as Agora's own sample clients send it.

import type { Refusal } from '../../errors.ts'
import { badField, type Fields, isFields, isLifetime, lifetimeRule, refuseUnknownFields } from '../fields.ts'
import type { AskBase } from '../provider.ts'
import { isAccount, isChannel, isUid } from './grammar.ts'
import { type PrivilegeName, privilegeNumbers } from './privileges.ts'

export type Role = 'publisher' | 'subscriber'

export interface AgoraAsk extends AskBase {
  readonly channel: string
  readonly uid?: number
  readonly account?: string
  readonly role: Role
  /** Seconds by privilege; absent = all of the role’s, for the token’s life. */
  readonly privileges?: Readonly<Partial<Record<PrivilegeName, number>>>
}

/** Numbers of Agora’s RtcRole. */
const roles: ReadonlyMap<unknown, Role> = new Map([
  [1, 'publisher'],
  [2, 'subscriber'],
])

const bodyKeys = ['ChannelName', 'channelName', 'uid', 'account', 'role', 'expire', 'privileges'] as const

export function parseAgoraAsk(body: unknown): AgoraAsk | Refusal {
  if (!isFields(body))
    return badField('body', 'must be a JSON object such as {"channelName": "room", "uid": 7, "role": 1}')
  const unknown = refuseUnknownFields(body, bodyKeys)
  if (unknown !== undefined) return unknown
  if (body['ChannelName'] !== undefined && body['channelName'] !== undefined)
    return badField('channelName', 'is given twice, as ChannelName too; send one')
  const channel = body['channelName'] ?? body['ChannelName']
  const { uid, account, expire, privileges } = body
  const role = roles.get(body['role'])
  if (!isChannel(channel))
    return badField(
      'channelName',
      "must be 1 to 64 characters of Agora's set (letters, digits, space and !#$%&()+-:;<=.>?@[]^_{}|~,)",
    )
  if (uid !== undefined && account !== undefined)
    return badField('account', 'cannot be sent together with uid; send one')
  if (uid !== undefined && !isUid(uid)) return badField('uid', 'must be a whole number, 0 to 4294967295, not a text')
  if (account !== undefined && !isAccount(account))
    return badField('account', "must be 1 to 255 characters of Agora's set, and not digits only")
  if (role === undefined) return badField('role', 'must be 1 (publisher) or 2 (subscriber), as a number')
  if (expire !== undefined && !isLifetime(expire, 1000)) return badField('expire', lifetimeRule(1000))
  const privilegesFault = privileges === undefined ? undefined : faultInPrivileges(privileges, role)
  if (privilegesFault !== undefined) return privilegesFault
  return {
    channel,
    role,
    ...(uid === undefined ? {} : { uid }),
    ...(account === undefined ? {} : { account }),
    ...(expire === undefined ? {} : { ttlMs: expire * 1000 }),
    ...(privileges === undefined ? {} : { privileges: privileges as NonNullable<AgoraAsk['privileges']> }),
  }
}

function faultInPrivileges(privileges: unknown, role: Role): Refusal | undefined {
  if (!isFields(privileges)) return badField('privileges', 'must be an object such as {"publishAudio": 600}')
  const unknown = refuseUnknownFields(privileges as Fields, Object.keys(privilegeNumbers))
  if (unknown !== undefined) return unknown
  for (const [name, seconds] of Object.entries(privileges)) {
    // 0 is "without end" to Agora (RtcTokenBuilder2, privilegeExpire).
    if (!isLifetime(seconds, 1000)) return badField(`privileges.${name}`, lifetimeRule(1000))
    if (role === 'subscriber' && name !== 'joinChannel')
      return badField(`privileges.${name}`, 'contradicts role 2 (subscriber); send role 1 or leave it out')
  }
  return undefined
}
