// Judge of NATS users issued under policy-of-properties.ts. It reads what nats-server would be told of them, reads that as
// nats-server does (oracles/nats.ts), and asks the predicates about every subject near it. None of that asks Usher's policy.

import { createHash } from 'node:crypto'
import { expect } from 'vitest'
import { isRefusal } from '../src/errors.ts'
import type { Caller } from '../src/identity/caller.ts'
import type { CompiledPolicy } from '../src/policy/compile.ts'
import { type ConnectionType, connectionTypes } from '../src/providers/nats/ask.ts'
import { authorize } from '../src/providers/nats/callout/authorize.ts'
import type { NatsCredential } from '../src/providers/nats/credential.ts'
import { openTokenKeys } from '../src/providers/nats/token.ts'
import { toUserClaims } from '../src/providers/nats/user-jwt.ts'
import type { Minted } from '../src/providers/provider.ts'
import { mayPublish, mayReceive, type Side } from './oracles/nats.ts'
import { nowMs } from './policy/policy-under-test.ts'
import { mayHear, mayPublishTo, natsUserOf, repliesOf } from './policy-of-properties.ts'
import { calloutEntitlement, keys } from './usher-in-memory.ts'

interface UserClaims {
  readonly sub: string
  readonly name: string
  readonly iat: number
  readonly exp: number
  readonly aud?: string
  readonly nats: {
    readonly pub: Side
    readonly sub: Side
    readonly resp?: { readonly max: number; readonly ttl: number }
    readonly allowed_connection_types?: readonly string[]
  }
}

const tokenKeys = openTokenKeys(keys.nats.tokenKeys)
const accountOf = new Map(
  keys.nats.signingKeys.split(',').map((item) => item.split(':').slice(0, 2).reverse() as [string, string]),
)

/** What a connect with the token comes to, by each kind of connection that lets it in. */
function connect(token: string, policy: CompiledPolicy): { claims: UserClaims; types: readonly string[] } {
  const attempt = (connectionType: ConnectionType) =>
    authorize(
      { token, connectionType },
      {
        keys: tokenKeys,
        entitlement: calloutEntitlement,
        policy: () => policy,
        accounts: ['APP', 'OTHER'],
        refuseRevoked: () => undefined,
        now: () => nowMs,
      },
    )
  const attempts = connectionTypes.map((type) => [type, attempt(type)] as const)
  const types = attempts.flatMap(([type, attempted]) => (isRefusal(attempted) ? [] : [type]))
  const authorized = attempts.map(([, attempted]) => attempted).find((attempted) => !isRefusal(attempted))
  if (authorized === undefined || isRefusal(authorized)) throw new Error('issued, but not let in')
  const claims = toUserClaims({
    ...authorized,
    subject: 'U',
    issuedAt: nowMs / 1000,
    audience: authorized.rights.account,
  })
  return { claims: JSON.parse(JSON.stringify(claims)), types }
}

const jwtTypes: Readonly<Record<string, string>> = { STANDARD: 'nats', WEBSOCKET: 'websocket' }

function read(token: string): { claims: UserClaims; types: readonly string[] } {
  const claims = JSON.parse(Buffer.from(token.split('.')[1] as string, 'base64url').toString())
  const { allowed_connection_types: types, issuer_account: account } = claims.nats
  return {
    claims: { ...claims, aud: accountOf.get(account) },
    types: types.map((type: string) => jwtTypes[type] ?? type),
  }
}

/** Of a caller with a subject always the same, and of one without the token's own. */
function inboxOf({ source, subject }: Caller, { own }: NatsCredential): string {
  const name = subject === undefined ? `${source}:${own?.tokenId.slice(-16)}` : `${source}/${subject}`
  return `_INBOX_${createHash('sha256').update(name).digest('hex').slice(0, 30)}`
}

/** The user that the token makes is inside the caller's grants, and inside what he asked for. */
export function expectNatsUserInside(
  caller: Caller,
  input: Readonly<Record<string, unknown>>,
  { credential, expiresAt }: Minted<NatsCredential>,
  policy: CompiledPolicy,
): void {
  const may = natsUserOf(caller)
  if (may === undefined) throw new Error('the caller may be no user')
  const { claims, types } = credential.mode === 'callout' ? connect(credential.token, policy) : read(credential.token)
  if (credential.mode === 'callout') {
    expect(credential.token).toMatch(/^ntk_[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{43}$/)
    expect(credential.token.length).toBeLessThanOrEqual(2048)
  } else expect(credential.token.length).toBeLessThanOrEqual(3500)

  expect(claims.aud).toBe(may.account)
  expect(input['account'] ?? claims.aud).toBe(claims.aud)
  expect(types.length).toBeGreaterThan(0)
  expect(types.filter((type) => !may.types.includes(type))).toEqual([])
  const left = (caller.expiresAt ?? Number.POSITIVE_INFINITY) - nowMs / 1000
  expect(claims.exp).toBe(expiresAt)
  expect(claims.exp - nowMs / 1000).toBeGreaterThan(0)
  expect(claims.exp - nowMs / 1000).toBeLessThanOrEqual(Math.min(may.life, left, Number(input['ttl'] ?? may.life)))

  const { pub, sub, resp } = claims.nats
  // An empty side is everything.
  for (const { allow = [], deny = [] } of [pub, sub]) if (allow.length === 0) expect(deny).toContain('>')
  expect(resp?.max ?? 0).toBe(repliesOf(caller))
  const inbox = inboxOf(caller, credential)
  expect(credential.own?.inboxPrefix).toBe(may.hasInbox ? inbox : null)
  for (const subject of probesOf([pub, sub])) {
    if (mayPublish(pub, subject) && !mayPublishTo(caller, subject)) throw new Error(`publishes to ${subject}`)
    for (const queue of [undefined, 'workers', 'others'])
      if (mayReceive(sub, subject, queue) && !mayHear(caller, subject, queue, inbox))
        throw new Error(`hears ${subject}${queue === undefined ? '' : ` in ${queue}`}`)
    // And no more than was asked.
    if (isList(input['publish']) && mayPublish(pub, subject))
      expect(input['publish'].length > 0 && mayPublish({ allow: input['publish'] }, subject)).toBe(true)
    if (isList(input['subscribe']) && mayReceive(sub, subject) && !subject.startsWith(inbox))
      expect(input['subscribe'].length > 0 && mayReceive({ allow: input['subscribe'] }, subject)).toBe(true)
  }
  if (isList(input['connectionTypes'])) for (const type of types) expect(input['connectionTypes']).toContain(type)
}

const isList = (value: unknown): value is string[] => Array.isArray(value)

const always = [
  '$SYS.REQ.USER.INFO',
  '$SYS.REQ.USER.AUTH',
  '$JS.API.STREAM.DELETE.x',
  '_INBOX.x.1',
  '_INBOX_000000000000000000000000000000.x',
  'acme.u.bob.x',
  'acme.cmd.bob',
  'umbrella.room.r1',
  'secret.x',
  'x',
]
const tails = ['x', 'x.y', 'secret.x', 'secret']

/** Literal subjects: what each entry means by its wildcards, what lies beside it, and what nobody should reach. */
function probesOf(sides: readonly Side[]): Set<string> {
  const probes = new Set(always)
  for (const { allow = [], deny = [] } of sides)
    for (const entry of [...allow, ...deny]) {
      const [pattern = ''] = entry.split(' ')
      for (const word of ['x', '$SYS', 'bob']) {
        const filled = pattern.split('.').map((token) => (token === '*' ? word : token))
        const head = filled.at(-1) === '>' ? filled.slice(0, -1) : filled
        const base = head.join('.')
        if (filled.at(-1) !== '>') probes.add(base)
        for (const tail of tails) probes.add(base === '' ? tail : `${base}.${tail}`)
        if (!pattern.includes('*')) break
      }
    }
  return probes
}
