import { describe, expect, it } from 'vitest'
import { createReport } from '../../src/policy/faults.ts'
import type { VarDocument } from '../../src/policy/schema.ts'
import { type AskVar, type CallerVar, compileVars, type Var } from '../../src/policy/vars.ts'
import { nameOfTrap, trapTexts, trapValues } from '../trap-values.ts'
import { jwtCaller } from './policy-under-test.ts'

function compile(document: VarDocument, name = 'it'): Var {
  const report = createReport()
  const variable = compileVars({ [name]: document }, report).get(name)
  if (variable === undefined) throw new Error(JSON.stringify(report.faults))
  return variable
}
const fromClaim = (document: Omit<VarDocument, 'from'>) => {
  const variable = compile({ from: 'claims.it', ...document }) as CallerVar
  return (value: unknown) => variable.read(jwtCaller('alice', { it: value }))
}
const fromAsk = (document: Omit<VarDocument, 'from'>) => compile({ from: 'ask', ...document }) as AskVar
const ruleOf = (document: VarDocument, name = 'it'): string | undefined => {
  const report = createReport()
  const vars = compileVars(Object.fromEntries([[name, document]]), report)
  expect(vars.get(name) !== undefined).toBe(report.faults.length === 0)
  return report.faults[0]?.rule
}

const user = '[A-Za-z0-9_-]{1,64}'

describe('a var of type string', () => {
  const read = fromClaim({ match: user })

  it.each(['alice', 'a', 'A-b_9', 'a'.repeat(64), '0'])('takes %j as it is', (value) => {
    expect(read(value)).toBe(value)
  })

  it.each(trapValues.filter((value) => typeof value !== 'string').map((value) => [nameOfTrap(value), value]))(
    'takes %s for a missing value',
    (_name, value) => {
      expect(read(value)).toBeUndefined()
    },
  )

  it('takes only those of all trap texts that its pattern allows', () => {
    const allowed = trapTexts.filter((text) => read(text) !== undefined)
    expect(allowed).toEqual(trapTexts.filter((text) => /^[A-Za-z0-9_-]{1,64}$/.test(text)))
    expect(allowed).toContain('__proto__')
    expect(allowed).not.toContain('*')
  })

  it.each(['alice\n', ' alice', 'alice ', 'ａlice', 'alice\0', 'аlice'])('takes %j for a missing value', (value) => {
    expect(read(value)).toBeUndefined()
  })
})

describe('a var of type uint32', () => {
  const read = fromClaim({ type: 'uint32' })

  it.each([1, 7, 1e3, 0xffff_ffff])('takes %j as it is', (value) => {
    expect(read(value)).toBe(value)
  })

  it.each([
    0,
    -0,
    -1,
    0.5,
    2 ** 32,
    1e21,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    '7',
    '',
    null,
    true,
    [7],
    { a: 7 },
    7n,
  ])('takes %s for a missing value, whatever it would convert to', (value) => {
    expect(read(value)).toBeUndefined()
  })

  it('keeps to its bounds', () => {
    const bounded = fromClaim({ type: 'uint32', min: 10, max: 20 })
    expect([9, 10, 20, 21].map(bounded)).toEqual([undefined, 10, 20, undefined])
  })

  it('takes from an ask the one way to write a number', () => {
    const { accepts } = fromAsk({ type: 'uint32', max: 300 })
    expect(['1', '10', '300'].map(accepts)).toEqual([true, true, true])
    const others = ['0', '00', '01', '301', '-1', '+1', '1.0', '1e2', '0x1', ' 1', '1 ', '1\n', '', '１', '4294967297']
    expect(others.filter(accepts)).toEqual([])
  })

  it('takes no number above 4294967295 from an ask, where others wrap around', () => {
    const { accepts } = fromAsk({ type: 'uint32' })
    expect(['4294967295', '4294967296', '4294967297', '9999999999'].map(accepts)).toEqual([true, false, false, false])
  })
})

describe('a var of type set', () => {
  const read = fromClaim({ type: 'set', values: ['host', 'guest'] })

  it('is the members that it knows', () => {
    expect(read(['host', 'root', 5, null, ['guest'], 'guest'])).toEqual(['host', 'guest'])
    expect(read([])).toEqual([])
  })

  it.each([
    'host',
    'ghost',
    '',
    'host,guest',
    { host: true },
    { 0: 'host', length: 1 },
    new Set(['host']),
    1,
    null,
    true,
  ])('is never %j, which is no list', (value) => {
    expect(read(value)).toBeUndefined()
  })

  it('may hold its members to a pattern, or to printable ASCII', () => {
    expect(fromClaim({ type: 'set', match: '[a-z]{1,4}' })(['host', 'Host', 'ghost', 'a\n'])).toEqual(['host'])
    expect(fromClaim({ type: 'set' })(['host', 'Ｈost', 'a b', '', 'a\n', 'a'.repeat(256)])).toEqual(['host'])
    expect(fromClaim({ type: 'set', match: '[a-z]{1,4}', values: ['host', 'guest'] })(['host', 'guest'])).toEqual([
      'host',
    ])
  })
})

describe('where a var comes from', () => {
  const path = (from: string | string[]) => {
    const variable = compile({ from, match: user }) as CallerVar
    return (claims: object) => variable.read(jwtCaller('alice', claims))
  }

  it('is the subject', () => {
    expect(path('sub')({ sub: 'mallory' })).toBe('alice')
    expect((compile({ from: 'sub', match: user }) as CallerVar).read({ kind: 'apiKey', source: 'k', claims: {} })).toBe(
      undefined,
    )
  })

  it('is a claim, by the names of objects one below the other', () => {
    expect(path('claims.a.b')({ a: { b: 'x' } })).toBe('x')
    expect(path(['claims', 'https://example.com/tenant'])({ 'https://example.com/tenant': 'x' })).toBe('x')
    expect(path('claims.a.b')({ 'a.b': 'x' })).toBeUndefined()
    expect(path('claims.a.b')({ a: 'b' })).toBeUndefined()
    expect(path('claims.a.b')({})).toBeUndefined()
  })

  it('is never inside a list or a text', () => {
    expect(path('claims.a.0')({ a: ['x'] })).toBeUndefined()
    expect(path('claims.a.0')({ a: 'x' })).toBeUndefined()
    expect(path('claims.a.length')({ a: ['x'] })).toBeUndefined()
  })

  it.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'valueOf'])(
    'is never a %s that nobody vouched for',
    (name) => {
      expect(path(['claims', name])({})).toBeUndefined()
      expect(path(['claims', 'a', name])({ a: {} })).toBeUndefined()
      expect(path(['claims', name, 'name'])({})).toBeUndefined()
      expect(path(['claims', 'a', name, 'name'])({ a: () => 'x' })).toBeUndefined()
    },
  )

  it('is never inherited', () => {
    expect(path('claims.a.tenant')({ a: Object.create({ tenant: 'acme' }) })).toBeUndefined()
  })

  it('is a claim called __proto__, where the credential holds one', () => {
    const claims = JSON.parse('{"__proto__":{"tenant":"acme"}}')
    expect(path(['claims', '__proto__', 'tenant'])(claims)).toBe('acme')
    expect(path('claims.tenant')(claims)).toBeUndefined()
  })

  it.each([
    'ask.room',
    'claims',
    'claims.',
    'claims..a',
    'sub.a',
    'header.x',
    '',
    ['sub'],
    ['claims'],
    ['claims', ''],
    [],
    ['ask'],
    '__proto__.a',
  ])('is not %j', (from) => {
    expect(ruleOf({ from: from as string, match: user })).toBe('is not a source')
  })
})

describe('a var is refused', () => {
  it.each<[string, VarDocument, string]>([
    ['without match', { from: 'sub' }, 'has no match'],
    ['without match, from the ask', { from: 'ask' }, 'has no match'],
    ['with a pattern that is not understood', { from: 'sub', match: '.*' }, 'has "." at 0'],
    ['with a pattern and a number', { from: 'sub', type: 'uint32', match: '[0-9]{1,3}' }, 'has match or values'],
    ['with values and a number', { from: 'sub', type: 'uint32', values: ['7'] }, 'has match or values'],
    ['with bounds and a text', { from: 'sub', match: user, min: 1 }, 'has min or max'],
    ['with values and a text', { from: 'sub', match: user, values: ['a'] }, 'has values'],
    ['with a bound of 0, which is "any user"', { from: 'sub', type: 'uint32', min: 0 }, 'has bounds outside'],
    ['with a bound below 0', { from: 'sub', type: 'uint32', min: -5 }, 'has bounds outside'],
    ['with bounds the wrong way round', { from: 'sub', type: 'uint32', min: 5, max: 4 }, 'has bounds outside'],
    ['with a set from the ask', { from: 'ask', type: 'set' }, 'is a set from the ask'],
  ])('%s', (_what, document, rule) => {
    expect(ruleOf(document)).toContain(rule)
  })

  it.each(['caller', 'issuer', 'client'])('by the name %s, which conditions use themselves', (name) => {
    expect(ruleOf({ from: 'sub', match: user }, name)).toContain('a word that `when` uses itself')
  })

  it.each(['__proto__', 'User', '1a', 'a-b', 'a.b', '', 'a b', 'a'.repeat(33), 'a\n', 'é'])(
    'by the name %j',
    (name) => {
      expect(ruleOf({ from: 'sub', match: user }, name)).toBe('is not a name')
    },
  )

  it.each(['constructor', 'toString', 'valueOf', 'hasOwnProperty'])('but not by the name %s, which is free', (name) => {
    expect((compile({ from: 'sub', match: user }, name) as CallerVar).read(jwtCaller('alice'))).toBe('alice')
    expect(compileVars({}, createReport()).get(name)).toBeUndefined()
  })
})
