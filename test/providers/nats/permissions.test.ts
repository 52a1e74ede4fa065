// Rights → permissions → claims. An empty side is everything to nats-server, so none is ever empty; and what stands there is held
// against the server's own reading of it.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { toConnectionTypeClaims, toPermissionClaims, toPermissions } from '../../../src/providers/nats/permissions.ts'
import type { UserRights } from '../../../src/providers/nats/rights.ts'
import { mayPublish, mayReceive, receivesByTrying } from '../../oracles/nats.ts'

const none: Omit<UserRights, 'asked' | 'ttlSeconds'> = {
  shared: false,
  account: 'APP',
  publish: [],
  subscribe: [],
  deny: [],
  connectionTypes: ['nats'],
  inbox: false,
}
const prefix = '_INBOX_0123'
const permissionsOf = (rights: Partial<typeof none>) => toPermissions({ ...none, ...rights }, prefix)

describe('a side', () => {
  it('with nothing in it denies everything', () => {
    const nothing = { allow: [], deny: ['>'] }
    expect(permissionsOf({})).toEqual({ publish: nothing, subscribe: nothing })
    expect(permissionsOf({ deny: ['a'] })).toEqual({ publish: nothing, subscribe: nothing })
    expect(permissionsOf({ publish: ['a'] })).toEqual({ publish: { allow: ['a'], deny: [] }, subscribe: nothing })
    expect(permissionsOf({ subscribe: ['a q'] })).toEqual({ publish: nothing, subscribe: { allow: ['a q'], deny: [] } })
  })

  it('to publish gives no answer to requests, unless that is granted: then replies go past the deny', () => {
    expect(permissionsOf({})).not.toHaveProperty('responses')
    expect(permissionsOf({ responses: { max: 1, ttlMs: 5000 } })).toMatchObject({
      publish: { allow: [], deny: ['>'] },
      responses: { max: 1, ttlMs: 5000 },
    })
  })

  it('to subscribe has the inbox of the user and no other', () => {
    expect(permissionsOf({ inbox: true }).subscribe).toEqual({ allow: [`${prefix}.>`], deny: [] })
    expect(permissionsOf({ inbox: true }).publish).toEqual({ allow: [], deny: ['>'] })
    expect(permissionsOf({ subscribe: ['a'] }).subscribe.allow).toEqual(['a'])
  })

  it('to subscribe says for every queue what it gives to all, where an entry for one queue would hide that', () => {
    const allowOf = (...subscribe: string[]) => permissionsOf({ subscribe }).subscribe.allow
    expect(allowOf('a.>', 'b', 'a.b workers')).toEqual(['a.>', 'b', 'a.b workers', 'a.> >'])
    expect(allowOf('a.x', '*.b', 'a.* q')).toEqual(['a.x', '*.b', 'a.* q', 'a.x >', '*.b >'])
    expect(allowOf('a', 'b q')).toEqual(['a', 'b q'])
    const inbox = permissionsOf({ subscribe: ['> q'], inbox: true }).subscribe.allow
    expect(inbox).toEqual(['> q', `${prefix}.>`, `${prefix}.> >`])
  })

  it('has all denies, on both sides', () => {
    const { publish, subscribe } = permissionsOf({ publish: ['a.>'], subscribe: ['a.>'], deny: ['a.b', 'a.c'] })
    expect([publish.deny, subscribe.deny]).toEqual([
      ['a.b', 'a.c'],
      ['a.b', 'a.c'],
    ])
  })

  it.each(['>', '*', '*.x', '*.>', '> q'])(
    'that begins with a wildcard, as %s, denies what is the server’s',
    (subject) => {
      for (const side of ['publish', 'subscribe'] as const) {
        expect(permissionsOf({ [side]: ['a', subject], deny: ['b'] })[side].deny).toEqual(['b', '$SYS.>'])
        expect(permissionsOf({ [side]: ['a'], deny: ['b'] })[side].deny).toEqual(['b'])
      }
    },
  )
})

it('whatever the rights are, no side is open, and the server’s subjects are reached by their own name only', () => {
  const token = fc.constantFrom('a', 'b', '*', '$SYS', 'x*')
  const subject = fc
    .tuple(fc.array(token, { minLength: 1, maxLength: 3 }), fc.boolean(), fc.constantFrom('', '', ' q'))
    .map(([tokens, isOpen, queue]) => [...tokens, ...(isOpen ? ['>'] : [])].join('.') + queue)
  const literal = fc
    .array(fc.constantFrom('a', 'b', 'c', '$SYS'), { minLength: 1, maxLength: 4 })
    .map((it) => it.join('.'))
  const subjects = fc.array(subject, { maxLength: 3 })
  const plain = fc.array(
    subject.map((text) => text.split(' ')[0] as string),
    { maxLength: 2 },
  )
  let reached = 0
  fc.assert(
    fc.property(plain, subjects, plain, fc.boolean(), literal, (publish, subscribe, deny, inbox, asked) => {
      const { pub, sub } = toPermissionClaims(permissionsOf({ publish, subscribe, deny, inbox }))
      for (const side of [pub, sub]) expect(side.allow.length > 0 || side.deny.includes('>')).toBe(true)
      const canPublish = mayPublish(pub, asked)
      const canReceive = mayReceive(sub, asked) || mayReceive(sub, asked, 'q')
      if (publish.length === 0) expect(canPublish).toBe(false)
      if (subscribe.length === 0) expect(canReceive).toBe(false)
      if (canPublish || canReceive) reached++
      if (!asked.startsWith('$SYS.')) return
      if (canPublish) expect(publish.some((text) => text.startsWith('$SYS'))).toBe(true)
      if (canReceive) expect(subscribe.some((text) => text.startsWith('$SYS'))).toBe(true)
    }),
    { numRuns: 5000 },
  )
  expect(reached).toBeGreaterThan(500)
})

describe('the claims', () => {
  it('have a duration in nanoseconds, and no limit that would be 0', () => {
    const permissions = permissionsOf({ publish: ['a'], responses: { max: 3, ttlMs: 5000 } })
    expect(toPermissionClaims(permissions)).toEqual({
      pub: { allow: ['a'], deny: [] },
      sub: { allow: [], deny: ['>'] },
      resp: { max: 3, ttl: 5_000_000_000 },
      subs: -1,
      data: -1,
      payload: -1,
    })
  })

  it('name the connection types as nats-server does, over WebSocket too', () => {
    expect(toConnectionTypeClaims(['nats', 'websocket'])).toEqual({
      allowed_connection_types: ['STANDARD', 'WEBSOCKET'],
    })
    expect(toConnectionTypeClaims(['mqtt', 'leafnode'])).toEqual({
      allowed_connection_types: ['MQTT', 'MQTT_WS', 'LEAFNODE', 'LEAFNODE_WS'],
    })
  })
})

it('the oracle’s short rule of what a subscriber gets is the long one: every subscription that there is, tried', () => {
  const words = ['a', 'b', '*']
  const patterns = [...words, ...words.flatMap((one) => [`${one}.>`, ...words.map((two) => `${one}.${two}`)]), '>']
  const literals = ['a', 'b', 'a.a', 'a.b', 'b.b', 'a.b.c', 'b.a.b.a']
  for (const pattern of patterns)
    for (const literal of literals) {
      const open = { allow: [pattern] }
      expect(mayReceive(open, literal), `${pattern} ${literal}`).toBe(receivesByTrying(open, literal))
      // With a deny the short one errs towards what is heard, as a judge has to.
      for (const other of patterns)
        if (receivesByTrying({ ...open, deny: [other] }, literal))
          expect(mayReceive({ ...open, deny: [other] }, literal)).toBe(true)
    }
})
