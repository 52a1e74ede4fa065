// Who may have which channel. It owns what a grant for Agora is, and when an ask is inside it.

import Type, { type Static } from 'typebox'
import { refusal } from '../../errors.ts'
import type { GrantScope } from '../../policy/scope.ts'
import { isName, type Name, type NameGrammar, wholeName } from '../../policy/template.ts'
import type { AskVar } from '../../policy/vars.ts'
import type { CompiledOffer, Entitlement, Offered } from '../provider.ts'
import { type AgoraAsk, parseAgoraAsk, type Role } from './ask.ts'
import type { Privileges } from './codec.ts'
import { isAccount, isChannel, reservedCharacters } from './grammar.ts'
import { type PrivilegeName, privilegeNumbers, privilegesOf } from './privileges.ts'

/** Exactly one of uid and account. */
export interface AgoraRights {
  readonly channel: string
  /** 0 = any user. */
  readonly uid?: number
  readonly account?: string
  readonly role: Role
  /** Seconds by privilege number, none 0. */
  readonly privileges: Privileges
  readonly ttlSeconds: number
}

/** One kind a grant: numeric users or named ones. */
type User = { readonly uid: number | 'any' | AskVar } | { readonly account: Name }
export type AgoraOffer = { readonly channel: Name; readonly role: Role } & User

const grantSchema = Type.Object(
  {
    channel: Type.String({ minLength: 1, maxLength: 255, description: 'a channel name, such as "{tenant}:{room}"' }),
    uid: Type.Optional(
      Type.Unsafe<string | number>({
        anyOf: [
          { type: 'integer', minimum: 1, maximum: 0xffff_ffff },
          { type: 'string', pattern: '^(any|\\{[^{}]+\\})$' },
        ],
        description: 'a number, "{var}" of type uint32, or any',
      }),
    ),
    account: Type.Optional(
      Type.String({ minLength: 1, maxLength: 255, description: 'a user account, such as "{user}"' }),
    ),
    role: Type.Enum(['publisher', 'subscriber'], { description: 'publisher covers subscriber' }),
  },
  { additionalProperties: false },
)

const grammarOf = (what: string, isValid: (text: string) => boolean): NameGrammar => ({
  what,
  reserved: reservedCharacters,
  faultIn: (sample) =>
    isValid(sample) ? undefined : `"${sample}" is outside Agora's character set, too long, or "any" to Agora`,
})
const channelGrammar = grammarOf('an Agora channel name', isChannel)
const accountGrammar = grammarOf('an Agora user account', isAccount)

export const agoraEntitlement: Entitlement<AgoraAsk, AgoraOffer, AgoraRights> = {
  name: 'agora',
  grantSchema,
  maxTtlMs: 86_400_000,
  parseAsk: parseAgoraAsk,
  compileGrant,
  select: (ask, offers) => {
    const fields = offers.map((offered) => firstUncovered(ask, offered.offer))
    const covering = offers[fields.indexOf(undefined)]
    if (covering !== undefined) return { used: [covering], rights: (ttlMs) => toRights(ask, covering, ttlMs as number) }
    return refusal('beyond_grant', `${furthest(fields)}: is not what any of the caller's grants allows`)
  },
}

function compileGrant(spec: unknown, scope: GrantScope): CompiledOffer<AgoraOffer> | undefined {
  const { channel, uid, account, role } = spec as Static<typeof grantSchema> & { role: Role }
  const channelName = scope.name(channel, 'channel', channelGrammar)
  if ((uid === undefined) === (account === undefined))
    return scope.fault(
      '',
      'has both uid and account, or neither',
      'Give one kind of user a grant; uid: any is "any user"',
    )
  if (account !== undefined) {
    const accountName = scope.name(account, 'account', accountGrammar)
    if (channelName === undefined || accountName === undefined) return undefined
    return {
      endless: false,
      fill: (read) => {
        const [channel, account] = [channelName.fill(read), accountName.fill(read)]
        return channel === undefined || account === undefined ? undefined : { channel, account, role }
      },
    }
  }
  if (uid === 'any' && role === 'publisher') {
    // Any user in any channel is the whole project.
    const isEverything = channelName?.hole !== undefined && channel === `{${channelName.hole.name}}`
    if (isEverything && !scope.fullAccess)
      scope.fault(
        'uid',
        "is any, in a channel of the caller's choice, as publisher",
        'Bound the channel or the role, or add iKnow: full-access to the grant',
      )
    else
      scope.warning(
        'uid',
        'is any, with role publisher',
        'Such a token lets its holder be everybody; Agora advises role subscriber',
      )
  }
  const variable = typeof uid === 'string' && uid !== 'any' ? scope.variable(uid, 'uid') : undefined
  if (typeof uid === 'string' && uid !== 'any' && variable === undefined) return undefined
  if (variable !== undefined && variable.type !== 'uint32')
    return scope.fault('uid', `uses {${variable.name}}, which is not a uint32`, 'Set type: uint32, or use account')
  if (channelName === undefined) return undefined
  return {
    endless: false,
    fill: (read) => {
      const channel = channelName.fill(read)
      const user = variable?.from === 'caller' ? read(variable) : (variable ?? uid)
      return channel === undefined || user === undefined
        ? undefined
        : { channel, uid: user as number | 'any' | AskVar, role }
    },
  }
}

const order = ['channelName', 'uid', 'account', 'role']
/** The field of the grant that came nearest: the later a field fails, the nearer it was. */
const furthest = (fields: readonly (string | undefined)[]): string =>
  order[Math.max(...fields.map((field) => order.indexOf(field ?? '')))] as string

function firstUncovered(ask: AgoraAsk, offer: AgoraOffer): string | undefined {
  if (!isName(offer.channel, ask.channel)) return 'channelName'
  if ('uid' in offer) {
    if (ask.account !== undefined) return 'account'
    if (uidOf(ask, offer.uid) === undefined) return 'uid'
  } else {
    if (ask.uid !== undefined) return 'uid'
    if (accountOf(ask, offer.account) === undefined) return 'account'
  }
  return ask.role === 'publisher' && offer.role === 'subscriber' ? 'role' : undefined
}

/** The uid that the offer gives to this ask; 0 only where the grant says `any`. */
function uidOf({ uid }: AgoraAsk, offered: number | 'any' | AskVar): number | undefined {
  if (offered === 'any') return uid ?? 0
  if (typeof offered === 'number') return uid === undefined || uid === offered ? offered : undefined
  return uid !== undefined && offered.accepts(String(uid)) ? uid : undefined
}

function accountOf({ account }: AgoraAsk, offered: Name): string | undefined {
  const own = account ?? wholeName(offered)
  return own !== undefined && isName(offered, own) && isAccount(own) ? own : undefined
}

function toRights(ask: AgoraAsk, { offer }: Offered<AgoraOffer>, ttlMs: number): AgoraRights {
  const ttlSeconds = Math.floor(ttlMs / 1000)
  const user =
    'uid' in offer ? { uid: uidOf(ask, offer.uid) as number } : { account: accountOf(ask, offer.account) as string }
  const names: readonly PrivilegeName[] = privilegesOf[ask.role]
  const privileges: Record<number, number> = {}
  for (const name of names) {
    const seconds =
      ask.privileges === undefined || name === 'joinChannel'
        ? (ask.privileges?.[name] ?? ttlSeconds)
        : ask.privileges[name]
    if (seconds !== undefined) privileges[privilegeNumbers[name]] = Math.min(seconds, ttlSeconds)
  }
  return { channel: ask.channel, ...user, role: ask.role, privileges: Object.freeze(privileges), ttlSeconds }
}
