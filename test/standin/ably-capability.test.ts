import { describe, expect, test } from 'vitest'
import { intersect, parseCapability, toCanonical } from './ably-capability.ts'

const parse = (text: string) => {
  const capability = parseCapability(text)
  if (!capability) throw new Error(`malformed: ${text}`)
  return capability
}

const both = (left: string, right: string) => toCanonical(intersect(parse(left), parse(right)))

// ably-common test-resources/test-app-setup.json, post_apps.keys[1..3] and [5]
const keys: Record<number, string> = {
  1: '{"cansubscribe:*":["subscribe"],"canpublish:*":["publish"],"canpublish:andpresence":["presence","publish"],"pushenabled:*":["publish","subscribe","push-subscribe"],"pushenabled:admin:*":["publish","subscribe","push-admin"]}',
  2: '{"channel0":["publish"],"channel1":["publish"],"channel2":["publish","subscribe"],"channel3":["subscribe"],"channel4":["presence","publish","subscribe"],"channel5":["presence"],"channel6":["*"]}',
  3: '{"*":["subscribe"]}',
  5: '{"[*]*":["*"]}',
}

describe('the intersection of a request with a key', () => {
  // The cases of ably-js test/rest/capability.test.js
  test.each([
    ['disjoint operations under a matching pattern', 1, '{"canpublish:test":["subscribe"]}', '{}'],
    ['a channel that the key does not name', 2, '{"channelx":["publish"]}', '{}'],
    ['operations that both have', 2, '{"channel2":["presence","subscribe"]}', '{"channel2":["subscribe"]}'],
    [
      'channels that both have',
      2,
      '{"channel2":["presence","subscribe"],"channelx":["presence","subscribe"]}',
      '{"channel2":["subscribe"]}',
    ],
    ['a star in the request gives what the key has', 2, '{"channel2":["*"]}', '{"channel2":["publish","subscribe"]}'],
    [
      'a star in the key gives what was asked for',
      2,
      '{"channel6":["publish","subscribe"]}',
      '{"channel6":["publish","subscribe"]}',
    ],
    ['a key for all channels, and one channel', 3, '{"cansubscribe":["subscribe"]}', '{"cansubscribe":["subscribe"]}'],
    [
      'a key for a namespace, and a channel in it',
      1,
      '{"canpublish:check":["publish"]}',
      '{"canpublish:check":["publish"]}',
    ],
    [
      'a key for all channels, and a namespace',
      3,
      '{"cansubscribe:*":["subscribe"]}',
      '{"cansubscribe:*":["subscribe"]}',
    ],
  ])('%s', (_name, key, request, expected) => {
    expect(both(request, keys[key] ?? '')).toBe(expected)
    expect(both(keys[key] ?? '', request)).toBe(expected)
  })

  test('is all of the key, and nothing else, for a request that equals it', () => {
    const key = keys[1] ?? ''
    expect(both(key, key)).toBe(toCanonical(parse(key)))
  })

  test('a key for everything leaves every request as it is', () => {
    for (const request of [keys[1], keys[2], keys[3], keys[5], '{"[meta]log":["subscribe"],"[queue]jobs":["*"]}']) {
      expect(both(request ?? '', keys[5] ?? '')).toBe(toCanonical(parse(request ?? '')))
    }
  })

  test.each([
    // The cases of ably-server internal/auth/capability_test.go, TestCapabilityIntersect
    ['everything with everything', '{"*":["*"]}', '{"*":["*"]}', '{"*":["*"]}'],
    ['a trailing star takes the rest', '{"a:*":["*"]}', '{"a:b":["publish"]}', '{"a:b":["publish"]}'],
    [
      'an interior star takes one segment',
      '{"a:*:c":["publish","subscribe"]}',
      '{"a:b:c":["publish"]}',
      '{"a:b:c":["publish"]}',
    ],
    ['operations', '{"a":["publish","subscribe"]}', '{"a":["subscribe","history"]}', '{"a":["subscribe"]}'],
    ['disjoint operations', '{"a":["publish"]}', '{"a":["subscribe"]}', '{}'],
    ['a leading star takes no two segments', '{"*:c":["publish"]}', '{"a:b:c":["publish"]}', '{}'],
    // Whether `a:*` covers `a` is open; Ably's own narrowing says no. https://ably.com/docs/auth/capabilities
    ['a trailing star takes no empty rest', '{"a":["publish"]}', '{"a:*":["publish"]}', '{}'],
    ['a star inside a segment is a letter', '{"foo*":["publish"]}', '{"foobar":["publish"]}', '{}'],
    ['two patterns meet in a third', '{"a:*":["publish"]}', '{"*:b":["publish"]}', '{"a:b":["publish"]}'],
    ['a channel is no queue', '{"*":["*"]}', '{"[queue]x":["subscribe"]}', '{}'],
    ['a wide qualifier gives way', '{"[*]*":["*"]}', '{"[meta]log":["subscribe"]}', '{"[meta]log":["subscribe"]}'],
    ['channel parameters play no part', '{"[?rewind=1]a":["subscribe"]}', '{"a":["*"]}', '{"a":["subscribe"]}'],
    ['what overlaps into a star is a star alone', '{"a":["*"]}', '{"*":["*"],"a":["publish"]}', '{"a":["*"]}'],
    ['__proto__ is a channel as any other', '{"__proto__":["publish"]}', '{"*":["*"]}', '{"__proto__":["publish"]}'],
  ])('%s', (_name, left, right, expected) => {
    expect(both(left, right)).toBe(expected)
    expect(both(right, left)).toBe(expected)
  })
})

describe('the text of a capability', () => {
  test('is sorted by character, for names of digits too', () => {
    const text = '{"9":["subscribe","publish"],"10":["subscribe"],"a":["*"]}'
    expect(toCanonical(parse(text))).toBe('{"10":["subscribe"],"9":["publish","subscribe"],"a":["*"]}')
  })

  test.each([
    ['no JSON', 'not json'],
    ['an array', '[]'],
    ['null', 'null'],
    ['a text', '"*"'],
    ['an unknown operation', '{"channel0":["publish_"]}'],
    ['a star beside another operation', '{"channel0":["*","publish"]}'],
    ['no operations', '{"channel0":[]}'],
    ['operations that are no list', '{"channel0":"publish"}'],
    ['an operation that is no text', '{"channel0":[1]}'],
    ['an empty resource', '{"":["publish"]}'],
    ['a resource of a qualifier only', '{"[meta]":["publish"]}'],
    ['an open qualifier', '{"[meta":["publish"]}'],
    ['a leading colon', '{":a":["publish"]}'],
    ['a newline', '{"a\\nb":["publish"]}'],
  ])('is refused for %s', (_name, text) => {
    expect(parseCapability(text)).toBeUndefined()
  })

  test('may grant nothing', () => {
    expect(parseCapability('{}')?.size).toBe(0)
  })
})
