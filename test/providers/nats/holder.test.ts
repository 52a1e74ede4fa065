// Names that follow from the caller: two callers never share one, or they would share connections, revocations and replies.

import { describe, expect, it } from 'vitest'
import { toInboxPrefix, toUserName } from '../../../src/providers/nats/holder.ts'
import { isSubject } from '../../../src/providers/nats/subjects.ts'
import type { Owner } from '../../../src/revocations/token-id.ts'
import { trapTexts } from '../../trap-values.ts'

const subjects = [
  'alice',
  'Alice',
  'alice:',
  ':',
  '/',
  'a/b',
  'gateway',
  '*',
  '>',
  '.',
  '_INBOX',
  '$SYS',
  ...trapTexts,
].filter((text, index, all) => text !== '' && all.indexOf(text) === index)
const owners: readonly Owner[] = ['main', 'main-2', 'gateway', 'k7f3a2c1'].flatMap((source) =>
  subjects.map((subject) => ({ source, subject })),
)
const serials = ['AAAAAAAAAAAAAAAA', 'alice', 'BBBBBBBBBBBBBBBB']

describe('the user and the inbox', () => {
  it('of a caller with a subject are the same with every token, and nobody else’s', () => {
    const users = new Set<string>()
    const inboxes = new Set<string>()
    for (const owner of owners) {
      expect(new Set(serials.map((serial) => toUserName(owner, serial))).size).toBe(1)
      users.add(toUserName(owner, ''))
      inboxes.add(toInboxPrefix(owner, ''))
    }
    for (const serial of serials) {
      users.add(toUserName({ source: 'main' }, serial))
      inboxes.add(toInboxPrefix({ source: 'main' }, serial))
    }
    expect([users.size, inboxes.size]).toEqual([owners.length + 3, owners.length + 3])
  })

  it('of callers without a subject are those of one token: they are strangers to each other', () => {
    const owner = { source: 'anonymous' }
    expect(toUserName(owner, serials[0] as string)).not.toBe(toUserName(owner, serials[2] as string))
    expect(toInboxPrefix(owner, serials[0] as string)).not.toBe(toInboxPrefix(owner, serials[2] as string))
    expect(toUserName(owner, 'alice')).not.toBe(toUserName({ source: 'anonymous', subject: 'alice' }, 'x'))
  })
})

it('the inbox is one literal token, whatever the subject is, and not one that all share', () => {
  for (const owner of owners) {
    const prefix = toInboxPrefix(owner, '')
    expect(prefix).toMatch(/^_INBOX_[0-9a-f]{30}$/)
    expect(isSubject(`${prefix}.>`)).toBe(true)
  }
})
