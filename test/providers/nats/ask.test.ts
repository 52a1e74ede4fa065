// What may be asked of /nats/token, in general and in each mode. Whatever is outside is refused with its field, never dropped.

import { describe, expect, it } from 'vitest'
import { isRefusal } from '../../../src/errors.ts'
import { parseNatsAsk } from '../../../src/providers/nats/ask.ts'
import { createSeed, publicNkeyOf } from '../../../src/providers/nats/nkeys.ts'
import { nameOfTrap, trapTexts, trapValues } from '../../trap-values.ts'
import { type ModeUnderTest, modes } from './user-grants.ts'

const parse = (input: unknown) => parseNatsAsk(input)
/** The field that a refusal names, or the ask. */
const resultOf = (input: unknown, mode: ModeUnderTest | undefined = undefined) => {
  const ask = mode === undefined ? parse(input) : modes[mode].parseAsk(input)
  if (!isRefusal(ask)) return ask
  expect(ask.reason).toBe('invalid_request')
  expect(ask.message).toMatch(/^[\x20-\x7e]+$/)
  return ask.message.split(':')[0]
}
const userNkey = publicNkeyOf(createSeed('user'), 'user')
const seed = createSeed('user')
const manySubjects = (count: number) => Array.from({ length: count }, (_, index) => `s.${index}`)

describe('an ask', () => {
  it('may be empty, and then asks for all that the grants give', () => {
    expect(parse({})).toEqual({})
    expect(parse(Object.create(null))).toEqual({})
  })

  it('has every field that it was given, and a lifetime in milliseconds', () => {
    const whole = {
      ttl: 60,
      account: 'APP',
      publish: ['a.b', 'a.*'],
      subscribe: ['a.>', 'jobs.> workers'],
      connectionTypes: ['nats', 'mqtt'],
      publicKey: userNkey,
    }
    const { ttl: _, ...others } = whole
    expect(parse(whole)).toEqual({ ...others, ttlMs: 60_000 })
    expect(parse({ creds: true })).toEqual({ creds: true })
  })

  it('comes from a query or a form as well, where everything is text', () => {
    expect(parse({ ttl: '60', creds: 'true' })).toEqual({ ttlMs: 60_000, creds: true })
  })

  it.each<[string, object]>([
    ['publish', { publish: [] }],
    ['subscribe', { subscribe: [] }],
  ])('for no %s right stays one for none, and is not the same as no word of it', (_side, input) => {
    expect(parse(input)).toEqual(input)
  })

  it('names each subject once', () => {
    expect(parse({ publish: ['a', 'b', 'a'], connectionTypes: ['nats', 'nats'] })).toEqual({
      publish: ['a', 'b'],
      connectionTypes: ['nats'],
    })
  })

  it.each<[string, unknown]>([
    ['body', null],
    ['body', undefined],
    ['body', 'ttl=60'],
    ['body', [{ ttl: 60 }]],
    ['body', 7],
    ['shared', { shared: true }],
    ['permissions', { permissions: { publish: ['>'] } }],
    ['deny', { deny: [] }],
    ['responses', { responses: { max: 9 } }],
    ['inbox', { inbox: false }],
    ['role', { role: 'member' }],
    ['ttlMs', { ttlMs: 1 }],
    ['user', { user: 'bob' }],
    ['constructor', { constructor: 1 }],
    ['ttl', { ttl: 0 }],
    ['ttl', { ttl: -1 }],
    ['ttl', { ttl: 0.5 }],
    ['ttl', { ttl: 86_401 }],
    ['ttl', { ttl: '86401' }],
    ['ttl', { ttl: '' }],
    ['ttl', { ttl: '1e3' }],
    ['ttl', { ttl: ' 60' }],
    ['ttl', { ttl: '60s' }],
    ['ttl', { ttl: '0x10' }],
    ['ttl', { ttl: [60] }],
    ['ttl', { ttl: null }],
    ['ttl', { ttl: true }],
    ['account', { account: '' }],
    ['account', { account: '$SYS' }],
    ['account', { account: '$G' }],
    ['account', { account: 'A'.repeat(65) }],
    ['account', { account: 'APP ' }],
    ['account', { account: 'APP\n' }],
    ['account', { account: ['APP'] }],
    ['account', { account: null }],
    ['publicKey', { publicKey: seed }],
    ['publicKey', { publicKey: publicNkeyOf(createSeed('account'), 'account') }],
    ['publicKey', { publicKey: `${userNkey.slice(0, -1)}${userNkey.endsWith('A') ? 'B' : 'A'}` }],
    ['publicKey', { publicKey: userNkey.toLowerCase() }],
    ['publicKey', { publicKey: `${userNkey}=` }],
    ['publicKey', { publicKey: ` ${userNkey}` }],
    ['publicKey', { publicKey: '' }],
    ['publicKey', { publicKey: [userNkey] }],
    ['creds', { creds: false }],
    ['creds', { creds: 'yes' }],
    ['creds', { creds: '' }],
    ['creds', { creds: 1 }],
    ['creds', { creds: null }],
    ['connectionTypes', { connectionTypes: [] }],
    ['connectionTypes', { connectionTypes: ['tcp'] }],
    ['connectionTypes', { connectionTypes: ['NATS'] }],
    ['connectionTypes', { connectionTypes: 'nats' }],
    ['connectionTypes', { connectionTypes: ['nats', 'constructor'] }],
    ['publish', { publish: 'a.b' }],
    ['publish', { publish: { 0: 'a' } }],
    ['publish', { publish: null }],
    ['publish', { publish: [null] }],
    ['publish', { publish: [['a']] }],
    ['publish', { publish: [''] }],
    ['publish', { publish: ['a..b'] }],
    ['publish', { publish: ['.a'] }],
    ['publish', { publish: ['a.'] }],
    ['publish', { publish: ['a.>.b'] }],
    ['publish', { publish: ['a b'] }],
    ['publish', { publish: ['a\t'] }],
    ['publish', { publish: ['a\u0085b'] }],
    ['publish', { publish: ['é'] }],
    ['publish', { publish: ['a'.repeat(256)] }],
    ['publish', { publish: manySubjects(201) }],
    ['publish', { publish: ['a', 'a..b'] }],
    ['subscribe', { subscribe: ['a b c'] }],
    ['subscribe', { subscribe: ['a  b'] }],
    ['subscribe', { subscribe: ['a '] }],
    ['subscribe', { subscribe: [' a'] }],
    ['subscribe', { subscribe: ['a b..c'] }],
    ['subscribe', { subscribe: ['a.>.b'] }],
    ['subscribe', { subscribe: manySubjects(201) }],
  ])('is refused with the field %s: %j', (field, input) => expect(resultOf(input)).toBe(field))

  it('shows no unknown key that could be a secret, and no value', () => {
    expect(resultOf({ [seed]: 1 })).toBe('a field')
    for (const input of [{ publicKey: seed }, { account: seed.repeat(2) }, { publish: [`${seed}..`] }])
      expect(JSON.stringify(parse(input))).not.toContain(seed)
  })

  it.each(trapValues.map((trap) => [nameOfTrap(trap), trap] as const))(
    'takes nothing of %s for what it is not',
    (_, trap) => {
      for (const field of ['ttl', 'account', 'publish', 'subscribe', 'connectionTypes', 'publicKey', 'creds']) {
        for (const value of [trap, [trap], { trap }]) {
          const ask = parse({ [field]: value })
          if (isRefusal(ask)) continue
          // What passed is of the grammar, by rules that are written anew.
          const { ttlMs = 1, account = 'A', publish = [], subscribe = [], ...others } = ask
          expect(ttlMs >= 1 && ttlMs <= 86_400_000 && ttlMs % 1 === 0).toBe(true)
          expect(account).toMatch(/^[A-Za-z0-9_-]{1,64}$/)
          for (const subject of publish) expect(subject).toMatch(/^[!-~]+$/)
          for (const subject of [...publish, ...subscribe]) {
            const [first = '', queue = 'q', ...more] = subject.split(' ')
            expect(more).toEqual([])
            for (const part of [first, queue])
              expect(part).toMatch(/^(?!\.)(?!.*(?:^|\.)>\.)(?!.*\.\.)[\x21-\x7e]+(?<!\.)$/)
          }
          expect(others).toEqual(field === 'creds' && value === 'true' ? { creds: true } : others)
          expect(Object.keys(others).filter((key) => key !== 'creds')).toEqual([])
        }
      }
      if (typeof trap === 'string' || typeof trap === 'number') expect(isRefusal(parse({ [`${trap}`]: 1 }))).toBe(true)
      expect(isRefusal(parse(trap))).toBe(
        !(typeof trap === 'object' && trap !== null && !Array.isArray(trap) && Object.keys(trap).length === 0),
      )
    },
  )

  it('has at most 200 subjects a side, each of 255 characters at most', () => {
    expect(parse({ publish: manySubjects(200), subscribe: ['a'.repeat(255)] })).not.toMatchObject({
      reason: 'invalid_request',
    })
  })

  it.each(trapTexts.map((text) => [nameOfTrap(text), text]))('with the key %s is refused', (_name, text) => {
    expect(isRefusal(parse(Object.fromEntries([[text, 1]])))).toBe(true)
  })
})

describe('what the mode cannot do is refused by its name', () => {
  it.each<[ModeUnderTest, string, object]>([
    ['static', 'ttl', { ttl: 60 }],
    ['static', 'account', { account: 'APP' }],
    ['static', 'publish', { publish: [] }],
    ['static', 'subscribe', { subscribe: ['a'] }],
    ['static', 'connectionTypes', { connectionTypes: ['nats'] }],
    ['static', 'publicKey', { publicKey: userNkey }],
    ['static', 'creds', { creds: true }],
    ['callout', 'publicKey', { publicKey: userNkey }],
    ['callout', 'creds', { creds: true }],
    ['jwt', 'publicKey', {}],
    ['jwt', 'publicKey', { publish: ['a'], ttl: 60 }],
    ['jwt', 'creds', { creds: true, publicKey: userNkey }],
    ['none', 'creds', { creds: true, publicKey: userNkey }],
  ])('%s: %s of %j', (mode, field, input) => expect(resultOf(input, mode)).toBe(field))

  it.each<[ModeUnderTest, object]>([
    ['static', {}],
    ['callout', {}],
    ['callout', { ttl: 60, account: 'APP', publish: ['a'], subscribe: ['a q'], connectionTypes: ['mqtt'] }],
    ['jwt', { publicKey: userNkey }],
    ['jwt', { creds: true, ttl: 60 }],
    ['none', {}],
    ['none', { publicKey: userNkey, ttl: 60 }],
  ])('%s: and %j is not', (mode, input) => expect(resultOf(input, mode)).toBeTypeOf('object'))
})
