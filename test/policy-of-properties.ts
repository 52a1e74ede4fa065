// One policy, twice: as Usher reads it, and as plain predicates that share no code with Usher. A token is judged by the second.

import type { Caller } from '../src/identity/caller.ts'
import type { Channel } from './oracles/ably.ts'
import { twoSources } from './policy/policy-under-test.ts'

export const policyText = `${twoSources}vars:
  user:   { from: sub, match: "[A-Za-z0-9_-]{1,16}" }
  tenant: { from: claims.tenant, match: "[a-z0-9-]{1,16}" }
  uid:    { from: claims.uid, type: uint32 }
  roles:  { from: claims.roles, type: set, values: [host, guest] }
  room:   { from: ask, match: "[A-Za-z0-9_-]{1,12}" }
  seat:   { from: ask, type: uint32, max: 50 }
grants:
  - id: host
    when: { issuer: main, roles: { has: host } }
    agora: { channel: "{tenant}:{room}", uid: "{uid}", role: publisher }
    ably:
      clientId: "{tenant}.{user}"
      capability: { "{tenant}:{room}": [publish], "[meta]{tenant}:{room}": [subscribe] }
    ttl: { default: 10m, max: 1h }
  - id: member
    when: { issuer: main }
    agora: { channel: "{tenant}:{room}", uid: "{uid}", role: subscriber }
    ably:
      clientId: "{tenant}.{user}"
      capability:
        "{tenant}:dm:{user}": [subscribe, publish]
        "{tenant}:{room}": [subscribe]
        "{tenant}:{room}:log": [history]
        "news:*": [subscribe]
        "a:*:c": ["*"]
    ttl: { default: 15m, max: 30m }
  - id: named
    when: { issuer: main }
    agora: { channel: "me.{user}", account: "{user}", role: publisher }
  - id: seats
    when: { caller: gateway }
    agora: { channel: lobby, uid: "{seat}", role: subscriber }
    ably: { clientId: "kiosk-{room}", capability: { "9": [subscribe], "10": [subscribe, history] } }
    ttl: { default: 1m, max: 2m }
  - id: open
    when: { caller: anonymous }
    agora: { channel: lobby, uid: any, role: subscriber }
    ably: { capability: { lobby: [subscribe] } }
    ttl: { default: 1m, max: 5m }
  - id: bus
    when: { issuer: main, roles: { has: host } }
    nats: { shared: true }
  - id: subjects
    when: { issuer: main }
    nats:
      account: APP
      publish: ["{tenant}.cmd.{user}", "{tenant}.room.{room}", "all.*.in", "seats.*"]
      subscribe: ["{tenant}.u.{user}.>", "{tenant}.room.{room}", "jobs.{tenant}.> workers", "all.*.out"]
      deny: ["{tenant}.u.{user}.secret.>"]
    ttl: { default: 15m, max: 30m }
  - id: subjects-of-hosts
    when: { issuer: main, roles: { has: host } }
    nats:
      account: APP
      publish: ["{tenant}.room.{room}.>", "{room}.log"]
      subscribe: ["{tenant}.room.>"]
    ttl: { default: 10m, max: 1h }
  - id: monitor
    when: { caller: gateway }
    nats: { account: OTHER, subscribe: [">"], deny: ["secret.>"], responses: { max: 1 }, inbox: false, connectionTypes: [nats] }
    ttl: { default: 1m, max: 2m }
  - id: visitors
    when: { caller: anonymous }
    nats: { account: OTHER, publish: ["lobby.{seat}"], subscribe: ["lobby.>"] }
    ttl: { default: 1m, max: 5m }
deny:
  - { id: banned, when: { caller: { in: [jwt, gateway] }, user: mallory } }
`

const isMadeOf = (value: unknown, characters: string, longest: number): value is string => {
  if (typeof value !== 'string' || value.length < 1 || value.length > longest) return false
  for (let at = 0; at < value.length; at++) if (!characters.includes(value.charAt(at))) return false
  return true
}
const lower = 'abcdefghijklmnopqrstuvwxyz0123456789-'
const word = `${lower}ABCDEFGHIJKLMNOPQRSTUVWXYZ_`

const facts = ({ kind, source, subject, claims }: Caller) => {
  const { tenant, uid, roles } = claims
  return {
    isMain: kind === 'jwt' && source === 'main',
    isGateway: kind === 'gateway',
    isAnonymous: kind === 'anonymous',
    // The rule denies where the name is missing, too.
    isDenied:
      kind !== 'anonymous' &&
      kind !== 'apiKey' &&
      kind !== 'sandbox' &&
      (!isMadeOf(subject, word, 16) || subject === 'mallory'),
    user: isMadeOf(subject, word, 16) ? subject : undefined,
    tenant: isMadeOf(tenant, lower, 16) ? tenant : undefined,
    uid: typeof uid === 'number' && uid >= 1 && uid < 4294967296 && Math.trunc(uid) === uid ? uid : undefined,
    isHost: Array.isArray(roles) && roles.some((role) => role === 'host'),
  }
}
const isRoom = (text: unknown) => isMadeOf(text, word, 12)

/** Longest life in seconds of this token by any grant; 0 = the caller may not have it. */
export function agoraLife(caller: Caller, channel: string, user: string, publishes: boolean): number {
  const { isMain, isGateway, isAnonymous, isDenied, isHost, tenant, uid, user: name } = facts(caller)
  if (isDenied) return 0
  const lives = [0]
  const [head, room, ...rest] = channel.split(':')
  const isOwnRoom = tenant !== undefined && head === tenant && isRoom(room) && rest.length === 0
  const isOwnUid = uid !== undefined && user === `${uid}`
  if (isMain && isOwnRoom && isOwnUid && isHost) lives.push(3600)
  if (isMain && isOwnRoom && isOwnUid && !publishes) lives.push(1800)
  if (
    isMain &&
    name !== undefined &&
    channel === `me.${name}` &&
    user === name &&
    [...name].some((it) => it < '0' || it > '9')
  )
    lives.push(3600)
  const seats = Array.from({ length: 50 }, (_, index) => `${index + 1}`)
  if (isGateway && channel === 'lobby' && seats.includes(user) && !publishes) lives.push(120)
  // `uid: any` gives a token without user, or for the one that was asked.
  if (
    isAnonymous &&
    channel === 'lobby' &&
    !publishes &&
    (user === '' || (isMadeOf(user, '0123456789', 10) && user !== '0'))
  )
    lives.push(300)
  return Math.max(...lives)
}

/** Longest life in milliseconds of a token with this clientId; 0 = the caller may not have it. */
export function ablyLife(caller: Caller, clientId: string | undefined): number {
  const { isMain, isGateway, isAnonymous, isDenied, tenant, user } = facts(caller)
  if (isDenied) return 0
  // A host has two grants for it, and the shorter one counts.
  if (isMain && tenant !== undefined && user !== undefined && clientId === `${tenant}.${user}`) return 1_800_000
  if (isGateway && clientId?.startsWith('kiosk-') && isRoom(clientId.slice(6))) return 120_000
  return isAnonymous && clientId === undefined ? 300_000 : 0
}

/** Whether the caller may do this on this one channel. `news:*` names `news` only by the wider of Ably's two readings. */
export function mayUse(caller: Caller, { type, name }: Channel, operation: string, wider: boolean): boolean {
  const { isMain, isGateway, isAnonymous, isHost, tenant, user } = facts(caller)
  const parts = name.split(':')
  const isOwn = isMain && tenant !== undefined && user !== undefined && parts[0] === tenant
  const isOwnRoom = isOwn && parts.length === 2 && isRoom(parts[1])
  const isAny = (...operations: string[]) => operations.includes(operation)
  if (type === 'meta') return isOwnRoom && isHost && isAny('subscribe')
  if (type !== '') return false
  return [
    isOwn && name === `${tenant}:dm:${user}` && isAny('subscribe', 'publish'),
    isOwnRoom && isAny('subscribe'),
    isOwnRoom && isHost && isAny('publish'),
    isOwn && parts.length === 3 && isRoom(parts[1]) && parts[2] === 'log' && isAny('history'),
    isMain && parts[0] === 'news' && (parts.length > 1 || wider) && isAny('subscribe'),
    isMain && parts.length === 3 && parts[0] === 'a' && parts[2] === 'c',
    isGateway && name === '9' && isAny('subscribe'),
    isGateway && name === '10' && isAny('subscribe', 'history'),
    isAnonymous && name === 'lobby' && isAny('subscribe'),
  ].some(Boolean)
}

export const mayHaveNats = (caller: Caller): boolean => {
  const { isMain, isDenied, isHost } = facts(caller)
  return isMain && isHost && !isDenied
}

/** What a NATS user of this caller may be; undefined = the caller may not be one. Of a host’s two grants the shorter life counts. */
export function natsUserOf(caller: Caller) {
  const { isMain, isGateway, isAnonymous, isDenied, tenant, user } = facts(caller)
  if (isDenied) return undefined
  if (isMain && tenant !== undefined && user !== undefined)
    return { account: 'APP', life: 1800, types: ['nats', 'websocket'], hasInbox: true }
  if (isGateway) return { account: 'OTHER', life: 120, types: ['nats'], hasInbox: false }
  return isAnonymous ? { account: 'OTHER', life: 300, types: ['nats', 'websocket'], hasInbox: true } : undefined
}

const isSeat = (text: unknown) =>
  isMadeOf(text, '0123456789', 2) && `${Number(text)}` === text && Number(text) >= 1 && Number(text) <= 50

/** Whether the caller may publish to this one subject. */
export function mayPublishTo(caller: Caller, subject: string): boolean {
  const { isMain, isAnonymous, isHost, tenant, user } = facts(caller)
  const [first, second, third, ...more] = subject.split('.')
  const isOwn = isMain && tenant !== undefined && user !== undefined
  return [
    isOwn && first === tenant && second === 'cmd' && third === user && more.length === 0,
    isOwn && first === tenant && second === 'room' && isRoom(third) && more.length === 0,
    isOwn && first === 'all' && third === 'in' && more.length === 0,
    isOwn && first === 'seats' && second !== undefined && third === undefined,
    isOwn && isHost && first === tenant && second === 'room' && isRoom(third) && more.length > 0,
    // Its first word is the asker's: never that of an inbox.
    isOwn && isHost && isRoom(first) && !first?.startsWith('_INBOX') && second === 'log' && third === undefined,
    isAnonymous && first === 'lobby' && isSeat(second) && third === undefined,
  ].some(Boolean)
}

/** Whether a message to this subject may reach him, as a member of this queue or by himself. @param inbox his own prefix */
export function mayHear(caller: Caller, subject: string, queue: string | undefined, inbox: string): boolean {
  const { isMain, isGateway, isAnonymous, isHost, tenant, user } = facts(caller)
  const [first, second, third, fourth, ...more] = subject.split('.')
  const isOwn = isMain && tenant !== undefined && user !== undefined
  const isSecret = first === tenant && second === 'u' && third === user && fourth === 'secret' && more.length > 0
  return [
    isOwn && first === tenant && second === 'u' && third === user && fourth !== undefined && !isSecret,
    isOwn && first === tenant && second === 'room' && isRoom(third) && fourth === undefined,
    isOwn && first === 'jobs' && second === tenant && third !== undefined && queue === 'workers',
    isOwn && first === 'all' && third === 'out' && fourth === undefined,
    isOwn && isHost && first === tenant && second === 'room' && third !== undefined,
    isGateway && !(['$SYS', 'secret'].includes(first as string) && second !== undefined),
    isAnonymous && first === 'lobby' && second !== undefined,
    !isGateway && first === inbox && second !== undefined,
  ].some(Boolean)
}

/** How often he may answer one request. */
export const repliesOf = (caller: Caller): number => (facts(caller).isGateway ? 1 : 0)
