// The token of callout mode. It owns its form: ntk_<key id>.<payload>.<HMAC-SHA256>, of characters that no URL changes. It is
// a reference, not a right: it names grants, and says what its holder’s credential said; policy decides anew at every connect.

import { createHmac, timingSafeEqual } from 'node:crypto'
import type { Basis } from '../../policy/basis.ts'
import type { SettingFault } from '../../settings.ts'
import { toList } from '../../settings.ts'
import type { UserRights } from './rights.ts'

export interface TokenContent {
  readonly serial: string
  readonly basis: Basis
  /** Unix seconds. */
  readonly issuedAt: number
  /** Seconds. */
  readonly lifetime: number
  /** What its holder asked for; policy holds it against the grants again. */
  readonly asked: UserRights['asked']
}

/** CONNECT may be 4096 bytes, the client’s own fields included (nats-server/server/const.go, MAX_CONTROL_LINE_SIZE). */
export const maxTokenBytes = 2048
/** Tells a secret scanner what it found, and the callout what it need not look at. */
export const prefix = 'ntk_'

export interface TokenKeys {
  /** Signs with the first key. */
  seal(payload: object): string
  /** The payload, if one of the keys signed it; undefined for anything else. */
  open(token: string): unknown
}

/** @param text NATS_TOKEN_KEYS, which tokenKeysFault has checked */
export function openTokenKeys(text: string): TokenKeys {
  const keys = toList(text).map((item) => item.split(':') as [id: string, secret: string])
  const secrets = new Map(keys.map(([id, secret]) => [id, Buffer.from(secret, 'base64url')]))
  const [[first]] = keys as [[string, string]]
  const sign = (id: string, body: string): Buffer =>
    createHmac('sha256', secrets.get(id) as Buffer)
      .update(body)
      .digest()
  return {
    seal: (payload) => {
      const body = `${prefix}${first}.${Buffer.from(JSON.stringify(payload)).toString('base64url')}`
      return `${body}.${sign(first, body).toString('base64url')}`
    },
    open: (token) => {
      const [, id = '', payload = '', mac = ''] = form.exec(token) ?? []
      if (!secrets.has(id) || token.length > maxTokenBytes) return undefined
      const given = Buffer.from(mac, 'base64url')
      const expected = sign(id, token.slice(0, -mac.length - 1))
      // Two texts can decode to one MAC: only the one that seal() writes is the token.
      if (!timingSafeEqual(given, expected) || given.toString('base64url') !== mac) return undefined
      return JSON.parse(Buffer.from(payload, 'base64url').toString())
    },
  }
}
const form = /^ntk_([a-z0-9]{1,8})\.([\w-]+)\.([\w-]{43})$/

const mend =
  'Write id:secret, 43 characters as `usher nats setup` makes them; while rotating two, of which the first signs'
export function tokenKeysFault(text: string): SettingFault | undefined {
  const items = toList(text)
  const ids = items.map((item) => item.split(':')[0])
  if (items.length === 0 || !items.every((item) => /^[a-z0-9]{1,8}:[\w-]{43}$/.test(item)))
    return { rule: 'is not a list of id:secret', mend }
  if (new Set(ids).size < ids.length) return { rule: 'gives one id to two keys', mend }
  const isWeak = items.some((item) => new Set(item.split(':')[1]).size < 16)
  return isWeak ? { rule: 'has a secret that is not random', mend } : undefined
}

/** Short keys, because every byte goes into every CONNECT. */
export const toPayload = ({
  serial,
  basis,
  issuedAt,
  lifetime,
  asked: { account, publish, subscribe, connectionTypes },
}: TokenContent) => ({
  i: serial,
  c: [basis.caller.kind, basis.caller.source, basis.caller.subject],
  g: basis.grantIds,
  v: basis.values,
  o: basis.origin,
  t: issuedAt,
  l: lifetime,
  a: account,
  p: publish,
  s: subscribe,
  x: connectionTypes,
})

/** Of a payload that open() gave: we wrote it, so its shape is believed. Undefined for one that is not a user’s. */
export function fromPayload(payload: unknown): TokenContent | undefined {
  const { i, c, g, v, o, t, l, a, p, s, x } = payload as ReturnType<typeof toPayload>
  if (c === undefined) return undefined
  const [kind, source, subject] = c as [Basis['caller']['kind'], string, string | null]
  return {
    serial: i,
    basis: { caller: { kind, source, ...(subject === null ? {} : { subject }) }, grantIds: g, values: v, origin: o },
    issuedAt: t,
    lifetime: l,
    asked: {
      ...(a && { account: a }),
      ...(p && { publish: p }),
      ...(s && { subscribe: s }),
      ...(x && { connectionTypes: x }),
    },
  }
}
