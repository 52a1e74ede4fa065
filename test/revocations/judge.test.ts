// The judgement: a hit is refused for good, an outage for now, and the operator can have it otherwise.

import { describe, expect, it } from 'vitest'
import { refusal } from '../../src/errors.ts'
import { createRevocationCheck } from '../../src/revocations/judge.ts'
import type { Revocation, RevocationList } from '../../src/revocations/list.ts'

const alice: Revocation = { source: 'main', subject: 'alice', until: 1_800_000_000 }
const list = (isCurrent: boolean): RevocationList => ({
  find: ({ subject }) => (subject === 'alice' ? alice : undefined),
  isCurrent: () => isCurrent,
  add: async () => {},
  entries: () => [],
  onAdded: () => () => {},
  close: async () => {},
  state: () => ({ store: 'redis', entries: 1, isCurrent }),
})
const denied = refusal('denied', undefined, 'revoked until 2027-01-15T08:00:00.000Z')
const unavailable = refusal('revocations_unavailable')

describe.each([
  [true, 'refuse', { alice: denied, bob: undefined }],
  [true, 'allow', { alice: denied, bob: undefined }],
  [false, 'refuse', { alice: denied, bob: unavailable }],
  [false, 'allow', { alice: denied, bob: undefined }],
] as const)('current: %s, on outage: %s', (isCurrent, onOutage, expected) => {
  it.each(['alice', 'bob'] as const)('judges %s', (subject) => {
    const judge = createRevocationCheck({ list: list(isCurrent), onOutage })
    expect(judge({ source: 'main', subject })).toEqual(expected[subject])
  })
})

it('refuses nobody where there is no list', () => {
  const judge = createRevocationCheck({ list: undefined, onOutage: 'refuse' })
  expect(judge({ source: 'main', subject: 'alice' })).toBeUndefined()
})

it('tells the caller neither how long he is revoked nor that he is', () => {
  const judge = createRevocationCheck({ list: list(true), onOutage: 'refuse' })
  expect(judge({ source: 'main', subject: 'alice' })?.message).toBe(refusal('denied').message)
})
