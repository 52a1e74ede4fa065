import { describe, expect, it } from 'vitest'
import { isRefusal } from '../../../src/errors.ts'
import { parseAgoraAsk } from '../../../src/providers/agora/ask.ts'
import { isAccount, isChannel, isUid, reservedCharacters } from '../../../src/providers/agora/grammar.ts'
import { nameOfTrap, trapValues } from '../../trap-values.ts'

const good = { channelName: 'room', uid: 7, role: 1 }
/** The field that a refusal names; undefined where the ask is taken. */
const faultOf = (input: unknown): string | undefined => {
  const ask = parseAgoraAsk(input)
  if (!isRefusal(ask)) return undefined
  expect(ask.reason).toBe('invalid_request')
  return ask.message.split(':')[0]
}
/** Agora's own set, from the typings of its Web SDK: 89 characters. */
const allowed = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 !#$%&()+-:;<=.>?@[]^_{}|~,'

describe('an ask to Agora', () => {
  it.each<[string, unknown, object]>([
    ['by ChannelName', { ChannelName: 'room', uid: 7, role: 1 }, { channel: 'room', uid: 7, role: 'publisher' }],
    ['by channelName', { channelName: 'room', uid: 7, role: 2 }, { channel: 'room', uid: 7, role: 'subscriber' }],
    ['for any user', { ...good, uid: 0 }, { channel: 'room', uid: 0, role: 'publisher' }],
    ['for the grant’s user', { channelName: 'room', role: 1 }, { channel: 'room', role: 'publisher' }],
    [
      'by account',
      { channelName: 'r', account: 'alice', role: 1 },
      { channel: 'r', account: 'alice', role: 'publisher' },
    ],
    ['for a time', { ...good, expire: 60 }, { channel: 'room', uid: 7, role: 'publisher', ttlMs: 60_000 }],
    [
      'for some privileges',
      { ...good, privileges: { publishAudio: 60 } },
      { channel: 'room', uid: 7, role: 'publisher', privileges: { publishAudio: 60 } },
    ],
    [
      'for a subscriber’s one privilege',
      { ...good, role: 2, privileges: { joinChannel: 60 } },
      { channel: 'room', uid: 7, role: 'subscriber', privileges: { joinChannel: 60 } },
    ],
  ])('is taken %s', (_what, input, ask) => {
    expect(parseAgoraAsk(input)).toEqual(ask)
  })

  it.each(trapValues.map((value) => [nameOfTrap(value), value]))('is no more than a body: %s', (_name, value) => {
    expect(faultOf(value)).toBeDefined()
  })

  it.each<[string, unknown, string]>([
    ['both spellings of the channel', { ...good, ChannelName: 'room' }, 'channelName'],
    ['both spellings, one of them null', { ...good, ChannelName: null }, 'channelName'],
    ['no channel', { uid: 7, role: 1 }, 'channelName'],
    ['a uid and an account', { ...good, account: 'alice' }, 'account'],
    ['no role', { channelName: 'room', uid: 7 }, 'role'],
    ['a role as text', { ...good, role: '1' }, 'role'],
    ['a role by name', { ...good, role: 'publisher' }, 'role'],
    ['role 0, which an old server took for subscriber', { ...good, role: 0 }, 'role'],
    ['role 7, which an old server took for the one before', { ...good, role: 7 }, 'role'],
    ['a role that is a list', { ...good, role: [1] }, 'role'],
    ['role true', { ...good, role: true }, 'role'],
    ['a Unix time for a lifetime', { ...good, expire: 1_795_219_200 }, 'expire'],
    ['a lifetime above 24 hours', { ...good, expire: 86_401 }, 'expire'],
    ['a lifetime of 0', { ...good, expire: 0 }, 'expire'],
    ['a lifetime of null', { ...good, expire: null }, 'expire'],
    ['a lifetime as text', { ...good, expire: '60' }, 'expire'],
    ['a fraction of a second', { ...good, expire: 1.5 }, 'expire'],
    ['privileges of null', { ...good, privileges: null }, 'privileges'],
    ['privileges in a list', { ...good, privileges: ['publishAudio'] }, 'privileges'],
    ['an unknown privilege', { ...good, privileges: { publishAll: 60 } }, 'publishAll'],
    ['a privilege by number', { ...good, privileges: { 2: 60 } }, '2'],
    ['a privilege of an object', { ...good, privileges: { constructor: 60 } }, 'constructor'],
    ['a privilege without end', { ...good, privileges: { publishAudio: 0 } }, 'privileges.publishAudio'],
    ['a privilege above 24 hours', { ...good, privileges: { publishAudio: 86_401 } }, 'privileges.publishAudio'],
    ['a privilege of null', { ...good, privileges: { publishAudio: null } }, 'privileges.publishAudio'],
    [
      'a publisher’s privilege for a subscriber',
      { ...good, role: 2, privileges: { publishData: 1 } },
      'privileges.publishData',
    ],
    ['an unknown field', { ...good, user: 7 }, 'user'],
    ['another case of a field', { ...good, Uid: 8 }, 'Uid'],
    ['a field of an object', { ...good, constructor: 1 }, 'constructor'],
    ['__proto__', JSON.parse('{"channelName":"room","uid":7,"role":1,"__proto__":{"uid":0}}'), '__proto__'],
    ['a field that would deface a log', { ...good, 'a\nb<script>': 1 }, 'a field'],
  ])('is refused for %s', (_what, input, field) => {
    expect(faultOf(input)).toBe(field)
  })
})

describe('Agora’s grammar', () => {
  it('has 89 characters in a channel, and * is not one of them', () => {
    const printable = Array.from({ length: 0x250 }, (_, code) => String.fromCharCode(code))
    expect(printable.filter(isChannel).sort()).toEqual([...allowed].sort())
    expect(allowed).toHaveLength(89)
    expect([...reservedCharacters].sort().join('')).toBe('"\'*/\\`')
  })

  it('has 1 to 64 characters in a channel and 1 to 255 in an account', () => {
    expect(['', 'a', 'a'.repeat(64), 'a'.repeat(65)].map(isChannel)).toEqual([false, true, true, false])
    expect(['', 'a', 'a'.repeat(255), 'a'.repeat(256)].map(isAccount)).toEqual([false, true, true, false])
  })

  it('has no account of digits only, which would be a uid', () => {
    expect(['7', '0', '00', '4294967296'].filter(isAccount)).toEqual([])
    expect(['7a', ' 7', '-7', '7.0', '1e3'].every(isAccount)).toBe(true)
  })

  it.each(trapValues.map((value) => [nameOfTrap(value), value]))(
    'judges %s by its type and its characters',
    (_name, value) => {
      const isText = typeof value === 'string' && value !== '' && [...value].every((char) => allowed.includes(char))
      expect(isChannel(value)).toBe(isText && value.length <= 64)
      expect(isAccount(value)).toBe(isText && value.length <= 255 && /\D/.test(value))
      expect(isUid(value)).toBe(typeof value === 'number' && value % 1 === 0 && value >= 0 && value < 2 ** 32)
    },
  )
})
