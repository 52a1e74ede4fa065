import { describe, expect, it } from 'vitest'
import type { Caller } from '../../src/identity/caller.ts'
import { createReport } from '../../src/policy/faults.ts'
import type { CallersDocument, VarDocument } from '../../src/policy/schema.ts'
import { type CallerVar, compileVars } from '../../src/policy/vars.ts'
import { compileWhen, firstUnmet, isDenied } from '../../src/policy/when.ts'
import { nameOfTrap, trapValues } from '../trap-values.ts'
import { anonymousCaller, jwtCaller } from './policy-under-test.ts'

const issuer = (name: string) => ({ name, issuer: `https://${name}/`, audience: ['a'], algorithms: ['RS256' as const] })
const callers: CallersDocument = {
  jwt: [issuer('main'), issuer('other')],
  apiKeys: [{ id: 'k7f3a2c1', name: 'billing', sha256: '0'.repeat(64) }],
  gateway: { header: 'x-user', trustedProxies: ['10.0.0.0/8'] },
}
const vars: Record<string, VarDocument> = {
  user: { from: 'sub', match: '[a-z0-9-]{1,20}' },
  tenant: { from: 'claims.tenant', match: '[a-z-]{1,20}' },
  roles: { from: 'claims.roles', type: 'set', values: ['host', 'guest'] },
  uid: { from: 'claims.uid', type: 'uint32' },
  room: { from: 'ask', match: '[a-z]{1,9}' },
}
const files: Record<string, string[]> = { 'banned.txt': ['mallory', 'eve'], 'uids.txt': ['7', '9'] }

function compile(document: Record<string, unknown>) {
  const report = createReport()
  const readList = (path: string) => {
    const list = files[path]
    if (list === undefined) throw Object.assign(new Error('gone'), { code: 'ENOENT' })
    return new Set(list)
  }
  const when = compileWhen(document, 'when', { vars: compileVars(vars, report), callers, readList, report })
  return { when, rules: report.faults.map(({ rule }) => rule) }
}
const readerFor = (caller: Caller) => (variable: CallerVar) => variable.read(caller)
const applies = (document: Record<string, unknown>, caller: Caller): boolean => {
  const { when, rules } = compile(document)
  if (rules.length > 0) throw new Error(rules.join('; '))
  return firstUnmet(when, caller, readerFor(caller)) === undefined
}
const denies = (document: Record<string, unknown>, caller: Caller): boolean => {
  const { when, rules } = compile(document)
  if (rules.length > 0) throw new Error(rules.join('; '))
  return isDenied(when, caller, readerFor(caller))
}

const alice = jwtCaller('alice', { tenant: 'acme', roles: ['host'], uid: 7 })
const key: Caller = { kind: 'apiKey', source: 'k7f3a2c1', claims: {} }
const gateway: Caller = { kind: 'gateway', source: 'gateway', subject: 'alice', claims: {} }

describe('a condition', () => {
  it.each<[string, Record<string, unknown>]>([
    ['nothing', {}],
    ['the kind of caller', { caller: 'jwt' }],
    ['one of the kinds', { caller: { in: ['gateway', 'jwt'] } }],
    ['the issuer', { issuer: 'main' }],
    ['one of the issuers', { issuer: { in: ['other', 'main'] } }],
    ['a text', { tenant: 'acme' }],
    ['one of the texts', { tenant: { in: ['umbrella', 'acme'] } }],
    ['a number', { uid: 7 }],
    ['one of the numbers', { uid: { in: [7, 8] } }],
    ['a line of a file', { uid: { inFile: 'uids.txt' } }],
    ['a member of a set', { roles: { has: 'host' } }],
    ['all of these', { caller: 'jwt', issuer: 'main', tenant: 'acme', uid: 7, roles: { has: 'host' } }],
  ])('can be %s', (_what, document) => {
    expect(applies(document, alice)).toBe(true)
  })

  it.each<[string, Record<string, unknown>]>([
    ['another kind', { caller: 'gateway' }],
    ['another issuer', { issuer: 'other' }],
    ['an API key', { client: 'k7f3a2c1' }],
    ['another text', { tenant: 'acm' }],
    ['a longer text', { tenant: 'acme-eu' }],
    ['another number', { uid: 70 }],
    ['another member', { roles: { has: 'guest' } }],
    ['a line that is not there', { user: { inFile: 'banned.txt' } }],
    ['one thing that holds and one that does not', { tenant: 'acme', uid: 8 }],
  ])('does not hold for %s', (_what, document) => {
    expect(applies(document, alice)).toBe(false)
  })

  it('does not take an issuer for a caller of another kind that has its name', () => {
    expect(applies({ issuer: 'main' }, { ...gateway, source: 'main' })).toBe(false)
    expect(applies({ client: 'k7f3a2c1' }, { ...gateway, source: 'k7f3a2c1' })).toBe(false)
    expect(applies({ client: 'k7f3a2c1' }, key)).toBe(true)
  })

  it.each(trapValues.map((value) => [nameOfTrap(value), value]))(
    'does not hold for a claim that is %s',
    (_name, value) => {
      const caller = jwtCaller('alice', { tenant: value, uid: value, roles: value })
      expect(applies({ tenant: 'acme' }, caller)).toBe(false)
      expect(applies({ roles: { has: 'host' } }, caller)).toBe(false)
      if (value !== 7) expect(applies({ uid: 9 }, caller)).toBe(false)
    },
  )

  it('does not find a role inside a text', () => {
    expect(applies({ roles: { has: 'host' } }, jwtCaller('a', { roles: 'ghost' }))).toBe(false)
    expect(applies({ roles: { has: 'host' } }, jwtCaller('a', { roles: 'host' }))).toBe(false)
    expect(applies({ roles: { has: 'host' } }, jwtCaller('a', { roles: ['ghost'] }))).toBe(false)
    expect(applies({ roles: { has: 'host' } }, jwtCaller('a', { roles: { host: true } }))).toBe(false)
  })

  it('does not hold for a missing value', () => {
    expect(applies({ tenant: 'acme' }, jwtCaller('alice'))).toBe(false)
    expect(applies({ user: 'alice' }, key)).toBe(false)
  })
})

describe('a deny rule', () => {
  it('denies whom it names', () => {
    expect(denies({ user: { inFile: 'banned.txt' } }, jwtCaller('mallory'))).toBe(true)
    expect(denies({ user: { inFile: 'banned.txt' } }, alice)).toBe(false)
    expect(denies({ uid: 7 }, alice)).toBe(true)
    expect(denies({ caller: 'gateway' }, gateway)).toBe(true)
    expect(denies({ caller: 'gateway' }, alice)).toBe(false)
  })

  it.each<[string, Caller]>([
    ['without the claim', jwtCaller('alice')],
    ['with a claim of another type', jwtCaller('alice', { tenant: ['acme'] })],
    ['with a claim outside the pattern', jwtCaller('alice', { tenant: 'Umbrella' })],
    ['without a subject', key],
    ['without a credential', anonymousCaller],
  ])('denies a caller %s', (_what, caller) => {
    expect(denies({ tenant: 'umbrella' }, caller)).toBe(true)
  })

  it('denies where one value is missing, even if another does not match', () => {
    expect(denies({ user: 'mallory', tenant: 'umbrella' }, jwtCaller('alice'))).toBe(true)
    expect(denies({ user: 'mallory', tenant: 'umbrella' }, jwtCaller('alice', { tenant: 'umbrella' }))).toBe(false)
  })

  it('leaves alone a kind of caller that it does not speak of, value or not', () => {
    expect(denies({ caller: 'jwt', tenant: 'umbrella' }, anonymousCaller)).toBe(false)
    expect(denies({ caller: 'jwt', tenant: 'umbrella' }, gateway)).toBe(false)
    expect(denies({ issuer: 'other', tenant: 'umbrella' }, jwtCaller('alice'))).toBe(false)
    expect(denies({ caller: { in: ['jwt', 'anonymous'] }, tenant: 'umbrella' }, anonymousCaller)).toBe(true)
  })

  it('has no fault when a role is missing from a list that is there', () => {
    expect(denies({ roles: { has: 'guest' } }, alice)).toBe(false)
    expect(denies({ roles: { has: 'guest' } }, jwtCaller('a', { roles: [] }))).toBe(false)
    expect(denies({ roles: { has: 'guest' } }, jwtCaller('a', { roles: 'guest' }))).toBe(true)
  })
})

describe('a condition is refused', () => {
  it.each<[string, Record<string, unknown>, string]>([
    ['on a key that is no var', { tenantt: 'acme' }, 'neither caller, issuer, client nor a var'],
    ['on constructor', { constructor: 'x' }, 'neither caller, issuer, client nor a var'],
    ['on toString', { toString: 'x' }, 'neither caller, issuer, client nor a var'],
    ['on __proto__', JSON.parse('{"__proto__":"x"}'), 'neither caller, issuer, client nor a var'],
    ['on a var from the ask', { room: 'a' }, 'depends on the ask'],
    ['by not', { tenant: { not: 'acme' } }, 'is not a condition for a string'],
    ['by a list', { tenant: ['acme'] }, 'is not a condition for a string'],
    ['by two operators', { tenant: { in: ['acme'], has: 'x' } }, 'is not a condition for a string'],
    ['by no operator', { tenant: {} }, 'is not a condition for a string'],
    ['by an empty list', { tenant: { in: [] } }, 'is not a condition for a string'],
    ['by null', { tenant: null }, 'is not a condition for a string'],
    ['by a boolean', { tenant: true }, 'is not a condition for a string'],
    ['by the number of a text', { tenant: 7 }, 'is not a condition for a string'],
    ['by the text of a number', { uid: '7' }, 'is not a condition for a uint32'],
    ['by one wrong value of many', { uid: { in: [7, '8'] } }, 'is not a condition for a uint32'],
    ['on a set by equality', { roles: 'host' }, 'asks a set for something else'],
    ['on a set by in', { roles: { in: ['host'] } }, 'asks a set for something else'],
    ['on a set by two members', { roles: { has: ['host'] } }, 'asks a set for something else'],
    ['on a text by has', { tenant: { has: 'a' } }, 'is not a condition for a string'],
    ['by a file that is not there', { user: { inFile: 'gone.txt' } }, 'cannot read gone.txt (ENOENT)'],
    ['by a file without a name', { user: { inFile: 7 } }, 'is not a condition for a string'],
    ['by a kind that there is not', { caller: 'root' }, 'names "root"'],
    ['by an issuer that there is not', { issuer: 'mian' }, 'names "mian"'],
    ['by the address of an issuer', { issuer: 'https://main/' }, 'names "https://main/"'],
    ['by one wrong issuer of many', { issuer: { in: ['main', 'mian'] } }, 'names "mian"'],
    ['by a client that there is not', { client: 'main' }, 'names "main"'],
    ['by a client’s own property', { client: 'constructor' }, 'names "constructor"'],
    ['by an issuer that is no text', { issuer: 1 }, 'neither a text nor {in: [...]}'],
    ['by a list of issuers', { issuer: ['main'] }, 'neither a text nor {in: [...]}'],
    ['by no issuer', { issuer: { in: [] } }, 'neither a text nor {in: [...]}'],
    ['by issuers in a file', { issuer: { inFile: 'banned.txt' } }, 'neither a text nor {in: [...]}'],
    ['by a text that the var can never be', { tenant: 'Acme' }, 'can never be'],
    ['by a text that the var can never be, among others', { tenant: { in: ['acme', 'a b'] } }, 'can never be'],
    ['by a number that the var can never be', { uid: 1.5 }, 'can never be'],
    ['by 0, which no uid is', { uid: 0 }, 'can never be'],
    ['by not-a-number', { uid: Number.NaN }, 'can never be'],
    ['by a member that the set can never have', { roles: { has: 'hots' } }, 'can never be'],
  ])('%s', (_what, document, rule) => {
    expect(compile(document).rules).toHaveLength(1)
    expect(compile(document).rules[0]).toContain(rule)
  })
})

describe('the source', () => {
  it.each<[Record<string, unknown>, boolean]>([
    [{}, false],
    [{ tenant: 'acme' }, false],
    [{ issuer: 'main' }, true],
    [{ client: 'k7f3a2c1' }, true],
    [{ caller: 'gateway' }, true],
    [{ caller: 'apiKey' }, true],
    [{ caller: 'jwt' }, false],
    [{ caller: { in: ['gateway', 'jwt'] } }, false],
  ])('of %j is named: %j', (document, isNamed) => {
    expect(compile(document).when.namesSource).toBe(isNamed)
  })
})
