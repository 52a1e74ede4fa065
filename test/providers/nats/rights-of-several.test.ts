// Several grants for NATS at once: which of them count in which mode, which are one, and which stay apart.

import { describe, expect, it } from 'vitest'
import { createSeed, publicNkeyOf } from '../../../src/providers/nats/nkeys.ts'
import { anonymousCaller, jwtCaller, nowMs } from '../../policy/policy-under-test.ts'
import { outcomeOf } from './user-grants.ts'

const publicKey = publicNkeyOf(createSeed('user'), 'user')
const beyond = (field: string) => `beyond_grant ${field}`
const app = (rest: string) => `{ account: APP, ${rest} }`

describe('several grants', () => {
  const one = '{ account: APP, publish: ["a"], inbox: false }'
  const two = '{ account: APP, subscribe: ["b"] }'
  const service = '{ account: APP, subscribe: ["a"], responses: { max: 2, ttl: 1m } }'
  const other = '{ account: OTHER, publish: ["o"] }'

  it('of which one may answer stay apart: beside what another publishes he could answer himself', () => {
    expect(outcomeOf('callout', [one, service])).toMatchObject({ publish: ['a'], subscribe: [], grants: ['g0'] })
    expect(outcomeOf('callout', [service, one])).toMatchObject({
      publish: [],
      subscribe: ['a'],
      responses: { max: 2, ttlMs: 60_000 },
      grants: ['g0'],
    })
  })

  it('of one account are one: their subjects add up', () => {
    expect(outcomeOf('callout', [one, other, two])).toMatchObject({
      account: 'APP',
      publish: ['a'],
      subscribe: ['b'],
      inbox: true,
      grants: ['g0', 'g2'],
    })
  })

  it('are chosen among by the account of the ask', () => {
    expect(outcomeOf('callout', [one, other], { account: 'OTHER' })).toMatchObject({ publish: ['o'], grants: ['g1'] })
    for (const account of ['SYS', 'AUTH', 'app', 'APP2'])
      expect(outcomeOf('callout', [one, other], { account })).toBe(beyond('account'))
    expect(outcomeOf('callout', [one, other], { account: 'OTHER', publish: ['a'] })).toBe(beyond('publish'))
    expect(outcomeOf('callout', [one, other], { publish: ['o'] })).toBe(beyond('publish'))
  })

  it('for other kinds of connection stay apart, however they are written', () => {
    const of = (types: string, subject: string) =>
      `{ account: APP, connectionTypes: [${types}], publish: ["${subject}"] }`
    expect(outcomeOf('callout', [of('nats', 'a'), of('mqtt', 'b')])).toMatchObject({
      publish: ['a'],
      connectionTypes: ['nats'],
    })
    expect(outcomeOf('callout', [of('nats', 'a'), of('mqtt', 'b')], { connectionTypes: ['mqtt'] })).toMatchObject({
      publish: ['b'],
    })
    expect(outcomeOf('callout', [of('nats', 'a'), of('mqtt', 'b')], { connectionTypes: ['nats', 'mqtt'] })).toBe(
      beyond('connectionTypes'),
    )
    expect(outcomeOf('callout', [of('websocket, nats, nats', 'a'), app('publish: ["b"]')])).toMatchObject({
      publish: ['a', 'b'],
    })
  })

  it.each([['mqtt'], ['leafnode'], ['nats', 'leafnode']])(
    'a device or a leafnode is said by a grant: not %j',
    (...connectionTypes) => {
      expect(outcomeOf('callout', one, { connectionTypes })).toBe(beyond('connectionTypes'))
    },
  )

  it('narrow the kinds of connection to those that were asked for', () => {
    expect(outcomeOf('callout', one, { connectionTypes: ['websocket'] })).toMatchObject({
      connectionTypes: ['websocket'],
    })
  })

  it('keep their denies, also that of one which an ask for a creds file leaves out', () => {
    const withCreds = app('publish: ["orders.>"], creds: true')
    const withDeny = app('publish: ["chat.>"], deny: ["orders.internal.>"]')
    for (const input of [{ publicKey }, { creds: true }])
      expect(outcomeOf('jwt', [withCreds, withDeny], input)).toMatchObject({ deny: ['orders.internal.>'] })
  })

  it('have the smallest of their lifetimes', () => {
    const text = [`${one}, ttl: { default: 5m, max: 20m }`, `${two}, ttl: { default: 10m, max: 15m }`]
    expect(outcomeOf('callout', text)).toMatchObject({ ttlSeconds: 300 })
    expect(outcomeOf('callout', text, { ttl: 3600 })).toMatchObject({ ttlSeconds: 900 })
    expect(outcomeOf('callout', text, { ttl: 60 })).toMatchObject({ ttlSeconds: 60 })
    expect(
      outcomeOf('callout', text, { ttl: 3600 }, jwtCaller('a', {}, { expiresAt: nowMs / 1000 + 45 })),
    ).toMatchObject({ ttlSeconds: 45 })
  })
})

describe('the mode', () => {
  const own = app('publish: ["a"]')
  const role = app('role: member, name: "{user}", tags: { team: "{tenant}" }')
  const shared = '{ shared: true }'
  const key = { publicKey }

  it('decides which grants count', () => {
    expect(outcomeOf('static', [own, shared])).toEqual({ shared: true, grants: ['g1'] })
    expect(outcomeOf('callout', [shared, role, own])).toMatchObject({ publish: ['a'], grants: ['g2'] })
    expect(outcomeOf('jwt', [shared, role, own], key)).toMatchObject({ role: { key: 'member' }, grants: ['g1'] })
    expect(outcomeOf('none', [shared, own])).toEqual({ shared: true, grants: ['g0'] })
    expect(outcomeOf('none', [own, shared])).toMatchObject({ publish: ['a'], grants: ['g0'] })
  })

  it('gives nothing where no grant is for it', () => {
    expect(outcomeOf('static', [own])).toMatch(/^no_grant/)
    expect(outcomeOf('callout', [shared, role])).toMatch(/^no_grant/)
    expect(outcomeOf('jwt', [shared], key)).toMatch(/^no_grant/)
  })

  it('jwt: a role says the subjects, so none can be asked for, not even none', () => {
    const member = { key: 'member', name: 'alice', tags: { team: 'acme' } }
    expect(outcomeOf('jwt', role, key)).toMatchObject({ role: member, publish: [], subscribe: [], inbox: false })
    for (const side of ['publish', 'subscribe'])
      for (const list of [['a'], []]) expect(outcomeOf('jwt', role, { ...key, [side]: list })).toBe(beyond(side))
    expect(outcomeOf('jwt', role, { ...key, connectionTypes: ['nats'] })).toBe(beyond('connectionTypes'))
  })

  it('jwt: a role is never merged with anything', () => {
    expect(outcomeOf('jwt', [role, own, role], key)).toMatchObject({ grants: ['g0'], publish: [] })
    expect(outcomeOf('jwt', [own, role, own], key)).toMatchObject({ grants: ['g0', 'g2'] })
    expect(outcomeOf('jwt', [own, role], key)).not.toHaveProperty('role')
  })

  it.each(['a.b', '*', '>', 'a b', ''])('jwt: a role’s name is never %j', (value) => {
    expect(outcomeOf('jwt', role, key, jwtCaller(value, { tenant: 'acme' }))).toMatch(/^no_grant/)
    expect(outcomeOf('jwt', role, key, jwtCaller('alice', { tenant: value }))).toMatch(/^no_grant/)
  })

  it('jwt: a creds file is given by the grants that say so, and by them alone', () => {
    const creds = '{ account: APP, publish: ["c"], creds: true }'
    expect(outcomeOf('jwt', own, { creds: true })).toBe(beyond('creds'))
    expect(outcomeOf('jwt', [own, creds], { creds: true })).toMatchObject({ publish: ['c'], grants: ['g1'] })
  })
})

it('an anonymous caller gets what is for anonymous callers', () => {
  const grant = `${app('publish: ["lobby"]')}, when: { caller: anonymous }`
  expect(outcomeOf('callout', grant, {}, anonymousCaller)).toMatchObject({ publish: ['lobby'] })
  expect(outcomeOf('callout', app('publish: ["lobby"]'), {}, anonymousCaller)).toMatch(/^unauthenticated/)
})
