// The index of the revocation list, and its entries as text: who is found, for how long, and by whom it is heard.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isRevocation, parseEntryText, toEntryText } from '../../src/revocations/entry.ts'
import { createIndex, type Revocation } from '../../src/revocations/list.ts'
import { recordedLog } from './recorded-log.ts'

const start = 1_800_000_000
const until = start + 3600

function open() {
  const clock = { seconds: start }
  const log = recordedLog()
  const index = createIndex({ now: () => clock.seconds * 1000, log })
  const heard: Revocation[] = []
  const unsubscribe = index.onAdded((revocation) => heard.push(revocation))
  return { index, clock, log, heard, unsubscribe }
}

const alice = { source: 'main', subject: 'alice', until }
const token = { source: 'main', subject: 'alice', tokenId: 'bWFpbi9hbGljZQ.AAAAAAAAAAAAAAAA', until }
const keyToken = { source: 'k7f3a2c1', tokenId: 'azdmM2EyYzE6.AAAAAAAAAAAAAAAA', until }

describe('who is found', () => {
  it.each<[string, Revocation, Parameters<ReturnType<typeof open>['index']['find']>[0], boolean]>([
    ['a user', alice, { source: 'main', subject: 'alice' }, true],
    ['every token of a user', alice, { source: 'main', subject: 'alice', tokenId: 'any' }, true],
    ['another user', alice, { source: 'main', subject: 'bob' }, false],
    ['the same subject of another source', alice, { source: 'other', subject: 'alice' }, false],
    ['nobody by name', alice, { source: 'main', subject: undefined }, false],
    ['a token', token, { source: 'main', subject: 'alice', tokenId: token.tokenId }, true],
    ['the user of a token', token, { source: 'main', subject: 'alice' }, false],
    ['another token of that user', token, { source: 'main', subject: 'alice', tokenId: 'another' }, false],
    ['the token of another source', token, { source: 'other', subject: 'alice', tokenId: token.tokenId }, false],
    ['a token of nobody', keyToken, { source: 'k7f3a2c1', tokenId: keyToken.tokenId }, true],
    ['another user of that source', keyToken, { source: 'k7f3a2c1', subject: 'alice' }, false],
    ['a user named as a token', token, { source: 'main', subject: token.tokenId }, false],
    ['a token named as a user', alice, { source: 'main', subject: 'bob', tokenId: 'alice' }, false],
    ['what every object has', alice, { source: 'constructor', subject: 'name' }, false],
  ])('%s', (_who, revocation, who, isFound) => {
    const { index } = open()
    index.put(revocation)
    expect(index.find(who)).toEqual(isFound ? revocation : undefined)
  })

  it('no user passes for another, however the two are written', () => {
    const name = fc.oneof(
      fc.string({ minLength: 1, unit: 'grapheme' }),
      fc.constantFrom('a', 'a:b', 'b:c', 'c', '__proto__'),
    )
    const user = fc.record({ source: name, subject: name })
    fc.assert(
      fc.property(user, user, (revoked, other) => {
        const { index } = open()
        index.put({ ...revoked, until })
        const isSame = revoked.source === other.source && revoked.subject === other.subject
        expect(index.find(other) !== undefined).toBe(isSame)
      }),
      {
        examples: [
          [
            { source: 'a', subject: 'b:c' },
            { source: 'a:b', subject: 'c' },
          ],
        ],
      },
    )
  })

  it('100,000 entries cost no more than one', () => {
    const { index } = open()
    for (let n = 0; n < 100_000; n++) index.put({ source: 'main', subject: `user-${n}`, until })
    const before = performance.now()
    for (let n = 0; n < 100_000; n++) index.find({ source: 'main', subject: `other-${n}`, tokenId: 'x' })
    expect(performance.now() - before).toBeLessThan(1000)
  })
})

describe('for how long', () => {
  it('until its end, and not a second longer', () => {
    const { index, clock } = open()
    index.put(alice)
    clock.seconds = until - 0.001
    expect(index.find(alice)).toEqual(alice)
    clock.seconds = until
    expect(index.find(alice)).toBeUndefined()
    expect(index.entries()).toEqual([])
  })

  it('a token that ends later than its user is refused to its end', () => {
    const { index, clock } = open()
    index.put(alice)
    index.put({ ...token, until: until + 60 })
    clock.seconds = until + 30
    expect(index.find(token)).toMatchObject({ tokenId: token.tokenId })
  })

  it('of two ends the later one wins, in whatever order they come', () => {
    for (const ends of [
      [until, until + 60],
      [until + 60, until],
    ]) {
      const { index } = open()
      for (const end of ends) index.put({ ...alice, until: end })
      expect(index.find(alice)?.until).toBe(until + 60)
      expect(index.entries()).toHaveLength(1)
    }
  })

  it('what has ended is dropped, so that memory does not grow with time', () => {
    const { index, clock } = open()
    for (let n = 0; n < 1000; n++) index.put({ source: `s${n}`, subject: 'x', until: start + 60 })
    clock.seconds = start + 600
    index.put(alice)
    // Back in time it would be in force again, were it still there.
    clock.seconds = start
    expect(index.entries()).toEqual([alice])
  })

  it('one that has ended already is not taken in', () => {
    const { index, heard } = open()
    expect(index.put({ ...alice, until: start })).toBeUndefined()
    expect(heard).toEqual([])
  })
})

describe('who hears of it', () => {
  it('every listener, once for each thing that is news', () => {
    const { index, heard } = open()
    index.put(alice)
    index.put({ ...alice })
    index.put({ ...alice, until: until - 60 })
    index.put(token)
    index.put({ ...alice, until: until + 60 })
    expect(heard).toEqual([alice, token, { ...alice, until: until + 60 }])
  })

  it('nobody, where it was read at start', () => {
    const { index, heard } = open()
    index.put(alice, { isSilent: true })
    index.put(alice)
    expect(heard).toEqual([])
    expect(index.find(alice)).toEqual(alice)
  })

  it('nobody who has unsubscribed', () => {
    const { index, heard, unsubscribe } = open()
    unsubscribe()
    index.put(alice)
    expect(heard).toEqual([])
  })

  it('the others, where one of them fails; what it said of itself is not logged', () => {
    const { index, log } = open()
    const heard: Revocation[] = []
    index.onAdded(() => {
      throw new Error('alice, with the secret')
    })
    index.onAdded((revocation) => heard.push(revocation))
    index.put(alice)
    expect(heard).toEqual([alice])
    expect(log.lines).toMatchObject([{ level: 'error' }])
    expect(log.text()).not.toContain('secret')
  })
})

describe('an entry', () => {
  const bad: [string, unknown][] = [
    ['nothing', undefined],
    ['null', null],
    ['a text', 'alice'],
    ['a list', [alice]],
    ['no source', { subject: 'alice', until }],
    ['an empty source', { ...alice, source: '' }],
    ['neither subject nor token', { source: 'main', until }],
    ['an empty subject', { ...alice, subject: '' }],
    ['a subject that is null', { ...alice, subject: null }],
    ['a subject that is a number', { ...alice, subject: 7 }],
    ['an empty token', { ...alice, tokenId: '' }],
    ['a token that is a list', { ...token, tokenId: ['x'] }],
    ['a subject without end', { ...alice, subject: 'x'.repeat(1001) }],
    ['no end', { source: 'main', subject: 'alice' }],
    ['an end that is a text', { ...alice, until: String(until) }],
    ['an end with a fraction', { ...alice, until: until + 0.5 }],
    ['an end in milliseconds', { ...alice, until: until * 1000 }],
    ['an end of zero', { ...alice, until: 0 }],
    ['an end that is no number', { ...alice, until: Number.NaN }],
  ]
  it.each(bad)('is not %s', (_what, value) => {
    const { index } = open()
    expect(isRevocation(value)).toBe(false)
    expect(() => index.put(value as Revocation)).toThrow(TypeError)
    expect(parseEntryText(JSON.stringify(value) ?? '')).toBeUndefined()
  })

  it.each([
    ['no JSON', '{"source":"main"'],
    ['two of them', `${toEntryText(alice)}${toEntryText(alice)}`],
    ['a line break in front', `\n${toEntryText(alice)}`],
    ['a damaged byte', toEntryText(alice).replace('alice', 'al\u0080ce')],
    ['a byte of zero', `${toEntryText(alice)}\u0000`],
  ])('as text is not %s', (_what, text) => {
    expect(parseEntryText(text)).toBeUndefined()
  })

  it('comes back from its text as it was, and the text is one line of ASCII', () => {
    const name = fc.string({ minLength: 1, maxLength: 50, unit: 'binary' })
    const entry = fc.record(
      { source: name, subject: name, tokenId: name, until: fc.integer({ min: 1, max: 253_402_300_799 }) },
      { requiredKeys: ['source', 'subject', 'until'] },
    )
    fc.assert(
      fc.property(entry, (revocation) => {
        const text = toEntryText(revocation as Revocation)
        expect(text).toMatch(/^[\x20-\x7e]+$/)
        expect(parseEntryText(text)).toEqual(revocation)
      }),
    )
  })

  it('of a later version, with a field more, still revokes', () => {
    expect(parseEntryText(JSON.stringify({ ...alice, provider: 'nats' }))).toEqual(alice)
  })
})
