import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createReport } from '../../src/policy/faults.ts'
import type { VarDocument } from '../../src/policy/schema.ts'
import { compileTemplate, isName, type Name, type NameGrammar, wholeName } from '../../src/policy/template.ts'
import type { CallerVar } from '../../src/policy/vars.ts'
import { compileVars } from '../../src/policy/vars.ts'
import { nameOfTrap, trapTexts } from '../trap-values.ts'
import { jwtCaller } from './policy-under-test.ts'

const free: NameGrammar = { what: 'a name', reserved: '*', faultIn: () => undefined }
const vars: Record<string, VarDocument> = {
  tenant: { from: 'claims.tenant', match: '[a-z0-9-]{1,32}' },
  user: { from: 'sub', match: '[A-Za-z0-9_-]{1,64}' },
  any: { from: 'claims.any', match: '[ !-)+-~]{1,64}' },
  n: { from: 'claims.n', type: 'uint32' },
  roles: { from: 'claims.roles', type: 'set' },
  room: { from: 'ask', match: '[A-Za-z0-9_-]{1,40}' },
  seat: { from: 'ask', type: 'uint32' },
}

function compile(source: string, grammar = free, documents = vars) {
  const report = createReport()
  const template = compileTemplate(source, 'here', { vars: compileVars(documents, report), grammar, report })
  return { template, rule: report.faults[0]?.rule }
}
/** The name that a template means to a caller with these claims. */
function fill(source: string, claims: object = {}, subject = 'alice'): Name | undefined {
  const { template, rule } = compile(source)
  if (template === undefined) throw new Error(rule)
  const caller = jwtCaller(subject, claims)
  return template.fill((variable: CallerVar) => variable.read(caller))
}
const nameOf = (...args: Parameters<typeof fill>): Name => {
  const name = fill(...args)
  if (name === undefined) throw new Error('not filled')
  return name
}

describe('a name without an ask var', () => {
  it('is put together from its texts and the caller’s values', () => {
    expect(wholeName(nameOf('lobby'))).toBe('lobby')
    expect(wholeName(nameOf('{tenant}:dm:{user}', { tenant: 'acme' }))).toBe('acme:dm:alice')
    expect(wholeName(nameOf('u{n}', { n: 7 }))).toBe('u7')
  })

  it('is missing where a value is missing, of another type, or outside its pattern', () => {
    for (const tenant of [undefined, null, '', 'Acme', 7, ['acme'], 'a'.repeat(33), 'acme\n', '*'])
      expect(fill('{tenant}:dm', { tenant })).toBeUndefined()
    for (const n of ['7', 0, -1, 1.5, null]) expect(fill('u{n}', { n })).toBeUndefined()
  })

  it.each(['$&', '$`', "$'", '$1', '$$', '{user}', '{tenant}', '{{name()}}', '{', '}', '%s', '\\'])(
    'holds the value %j as it is',
    (any) => {
      expect(wholeName(nameOf('a{any}', { any }))).toBe(`a${any}`)
      expect(wholeName(nameOf('{tenant}:{any}', { tenant: 'acme', any }))).toBe(`acme:${any}`)
    },
  )

  it('is matched byte for byte: no case, no space, no twin', () => {
    const name = nameOf('{tenant}:Kilo', { tenant: 'acme' })
    expect(isName(name, 'acme:Kilo')).toBe(true)
    for (const asked of [
      'acme:kilo',
      'ACME:Kilo',
      'acme:Kilo ',
      ' acme:Kilo',
      'acme:Kilo\n',
      'acme：Kilo',
      'acme:\u212ailo',
      '',
    ])
      expect(isName(name, asked)).toBe(false)
  })
})

describe('a name with an ask var', () => {
  const name = nameOf('{tenant}:{room}.live', { tenant: 'acme' })

  it('leaves exactly that part to the ask', () => {
    expect(isName(name, 'acme:r1.live')).toBe(true)
    expect(isName(name, `acme:${'r'.repeat(40)}.live`)).toBe(true)
    expect(wholeName(name)).toBeUndefined()
  })

  it.each([
    '',
    'acme:.live',
    'acme:r1',
    'acme:r1.liv',
    'acme:r1.livex',
    'acme:r1.live\n',
    'acme:r1\n.live',
    'acmes:r1.live',
    'acm:r1.live',
    'xacme:r1.live',
    'acme:r1:r2.live',
    'acme:r1.live.live',
    'acme:r 1.live',
    'acme:*.live',
    'acme:{room}.live',
    'acme:$&.live',
    `acme:${'r'.repeat(41)}.live`,
    'ACME:r1.live',
    'acme:ｒ1.live',
    'acme.live',
    'acme:live',
    'umbrella:r1.live',
  ])('refuses %j', (asked) => {
    expect(isName(name, asked)).toBe(false)
  })

  it('does not read what stands before and after it over one another', () => {
    const overlapping = nameOf('a-x:{room}:x-a')
    for (const asked of ['a-x:x-a', 'a-x:-a', 'a-x::x-a', 'a-x:']) expect(isName(overlapping, asked)).toBe(false)
    expect(isName(overlapping, 'a-x:r:x-a')).toBe(true)
  })

  it('takes the numbers of its var', () => {
    const seat = nameOf('seat-{seat}')
    expect(['seat-1', 'seat-4294967295'].map((asked) => isName(seat, asked))).toEqual([true, true])
    expect(
      ['seat-0', 'seat-01', 'seat-4294967296', 'seat--1', 'seat-1e3', 'seat-'].filter((it) => isName(seat, it)),
    ).toEqual([])
  })

  it('is missing where a value before or after it is missing', () => {
    expect(fill('{tenant}:{room}', {})).toBeUndefined()
    expect(fill('{room}:{tenant}', {})).toBeUndefined()
  })

  it.each(trapTexts.map((text) => [nameOfTrap(text), text]))('takes %s only where the pattern does', (_name, text) => {
    expect(isName(name, `acme:${text}.live`)).toBe(/^[A-Za-z0-9_-]{1,40}$/.test(text))
  })
})

describe('a template is refused', () => {
  it.each([
    ['with two parts left to the ask', '{room}:{seat}', 'leaves 2 parts to the ask'],
    ['with one part left to the ask twice', '{room}:{room}', 'leaves 2 parts to the ask'],
    ['with an unknown var', '{nobody}', 'which vars does not define'],
    ['with an empty var', '{}', 'which vars does not define'],
    ['with a space in the braces', '{ user }', 'which vars does not define'],
    ['with the name of an object’s own property', '{constructor}', 'which vars does not define'],
    ['with __proto__', '{__proto__}', 'which vars does not define'],
    ['with toString', 'a:{toString}', 'which vars does not define'],
    ['with a brace that does not close', '{user', 'encloses no var'],
    ['with a brace that does not open', 'user}', 'encloses no var'],
    ['with braces in braces', '{{user}}', 'encloses no var'],
    ['with a set', '{roles}', 'uses the set {roles}'],
    ['where a var runs into the next', '{tenant}{room}', 'can match what follows it'],
    ['where a number runs into a digit', '{n}0', 'can match what follows it'],
    ['where a var can match the separator', '{tenant}-{room}', 'can match what follows it ("-")'],
    ['where an ask var can match the separator', '{room}-{user}', 'can match what follows it ("-")'],
    ['where a var can match only the start of the separator', '{tenant}-:{room}', 'can match what follows it ("-")'],
  ])('%s', (_what, source, rule) => {
    expect(compile(source).rule).toContain(rule)
    expect(compile(source).template).toBeUndefined()
  })

  it('where a var could match what has a meaning to the vendor', () => {
    const documents: Record<string, VarDocument> = { user: { from: 'sub', match: 'a|[*]b' } }
    expect(compile('x:{user}', free, documents).rule).toContain('which can match "*"')
    const colon: Record<string, VarDocument> = { user: { from: 'sub', match: '[a-z:]{1,9}' } }
    expect(compile('{user}', { ...free, reserved: ':' }, colon).rule).toContain('which can match ":"')
  })

  it('where the vendor has no such name', () => {
    const grammar: NameGrammar = { ...free, faultIn: (sample) => (sample === 'ax' ? 'is no name' : undefined) }
    expect(compile('a{user}', grammar).rule).toBe('is no name')
    expect(compile('b{user}', grammar).rule).toBeUndefined()
  })
})

describe('two callers', () => {
  it('never share a name: acme with room eu-x is not acme-eu with room x', () => {
    expect(compile('{tenant}-{room}').template).toBeUndefined()
    const names = (tenant: string) => nameOf('{tenant}:{room}', { tenant })
    expect(isName(names('acme'), 'acme:eu-x')).toBe(true)
    expect(isName(names('acme-eu'), 'acme:eu-x')).toBe(false)
    expect(isName(names('acme'), 'acme-eu:x')).toBe(false)
  })

  it('never share a name under any template that is accepted', () => {
    const documents: Record<string, VarDocument> = {
      a: { from: 'claims.a', match: '[ab]{1,2}' },
      b: { from: 'claims.b', match: '[a-]{1,2}' },
      room: { from: 'ask', match: '[b:]{1,2}' },
    }
    const part = fc.constantFrom('{a}', '{b}', '{room}', 'a', 'b', '-', ':', '.')
    const claimsOf = fc.record({
      a: fc.constantFrom('a', 'b', 'ab', 'bb'),
      b: fc.constantFrom('a', '-', 'a-', '--'),
    })
    const asked = fc.string({ unit: fc.constantFrom('a', 'b', '-', ':', '.'), maxLength: 8 })
    let compared = 0
    fc.assert(
      fc.property(fc.array(part, { maxLength: 6 }), claimsOf, claimsOf, asked, (parts, left, right, room) => {
        const source = parts.join('')
        const { template } = compile(source, free, documents)
        const used = ['a', 'b'].filter((name) => source.includes(`{${name}}`)) as ('a' | 'b')[]
        if (template === undefined || used.every((name) => left[name] === right[name])) return
        const fillFor = (claims: object) =>
          template.fill((variable) => variable.read(jwtCaller('alice', claims))) as Name
        const [mine, theirs] = [fillFor(left), fillFor(right)]
        const candidates = [wholeName(mine), `${mine.before}${room}${mine.after}`, room]
        for (const name of candidates) {
          if (name === undefined || !isName(mine, name)) continue
          compared++
          expect(isName(theirs, name)).toBe(false)
        }
      }),
      { numRuns: 20_000 },
    )
    expect(compared).toBeGreaterThan(500)
  })
})
