import { readFileSync } from 'node:fs'
import { deflateRawSync, deflateSync, inflateSync } from 'node:zlib'
import agora from 'agora-token'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type AccessToken,
  createTokenKey,
  isSignedBy,
  newSalt,
  packToken,
  parseToken,
  type Service,
} from '../../../src/providers/agora/codec.ts'
import { parseByVendor } from '../../oracles/agora.ts'

interface Vector {
  readonly appId: string
  readonly issueTs: number
  readonly expire: number
  readonly salt: number
  readonly services: readonly {
    type: number
    privileges: Record<string, number>
    channel?: string
    uid?: string
    userId?: string
  }[]
  readonly rawHex: string
  readonly tokens: readonly { token: string; source: string }[]
}
const { appCertificate: certificate, vectors } = JSON.parse(
  readFileSync(new URL('../../fixtures/agora-vectors.json', import.meta.url), 'utf8'),
) as { appCertificate: string; vectors: readonly Vector[] }

const toToken = ({ appId, issueTs, expire, salt, services }: Vector): AccessToken => ({
  appId,
  issuedAt: issueTs,
  expiresIn: expire,
  salt,
  services: services.map(({ type, privileges, channel, uid, userId }) => ({
    type,
    privileges,
    texts: [channel, uid, userId].filter((text) => text !== undefined),
  })),
})
const inflated = (token: string) => inflateSync(Buffer.from(token.slice(3), 'base64'))
const sign = createTokenKey(certificate)
const [first] = vectors
if (first === undefined) throw new Error('no vectors')
const rtc = toToken(first)

describe('the known answers of Agora’s own tests', () => {
  const tokens = vectors.flatMap((vector) => vector.tokens.map(({ token, source }) => ({ source, token, vector })))

  it.each(tokens)('are parsed: $source', ({ token, vector }) => {
    const parsed = parseToken(token)
    expect(parsed).toMatchObject(toToken(vector))
    expect(parsed && isSignedBy(parsed, certificate)).toBe(true)
    expect(inflated(token).toString('hex')).toBe(vector.rawHex)
  })

  it.each(vectors.map((vector) => [vector.tokens[0]?.source, vector] as const))(
    'are packed to the byte: %s',
    (_source, vector) => {
      for (const deflate of [false, true])
        expect(inflated(packToken(toToken(vector), sign, { deflate })).toString('hex')).toBe(vector.rawHex)
    },
  )

  it('hold one that is stored, not compressed, and ours is the same text', () => {
    const stored = tokens.filter(({ token }) => Buffer.from(token.slice(3), 'base64')[2] === 1)
    expect(stored.map(({ source }) => source)).toContain('rust/src/access_token.rs:768')
    for (const { token, vector } of stored) expect(packToken(toToken(vector), sign)).toBe(token)
  })

  it('hold no signature of another certificate, and none of a changed token', () => {
    const parsed = parseToken(packToken(rtc, sign))
    if (parsed === undefined) throw new Error('not parsed')
    expect(isSignedBy(parsed, certificate.toLowerCase())).toBe(false)
    expect(isSignedBy({ ...parsed, salt: 2 }, certificate)).toBe(false)
    expect(
      isSignedBy({ ...parsed, signedBytes: Buffer.concat([parsed.signedBytes, Buffer.alloc(1)]) }, certificate),
    ).toBe(false)
    expect(isSignedBy({ ...parsed, signature: parsed.signature.subarray(1) }, certificate)).toBe(false)
    expect(isSignedBy({ ...parsed, signature: Buffer.alloc(0) }, certificate)).toBe(false)
  })
})

describe('the key of a second', () => {
  it('is made anew for each second, and is the same within one', () => {
    const key = createTokenKey(certificate)
    const one = key(1)
    expect(key(1)).toBe(one)
    expect(key(2)).not.toEqual(one)
    expect(key(1)).toEqual(one)
    expect(createTokenKey('0'.repeat(32))(1)).not.toEqual(one)
  })
})

describe('salt', () => {
  it('is a whole number from 1 to 99999999, seldom twice the same', () => {
    const salts = Array.from({ length: 2000 }, newSalt)
    expect(salts.every((salt) => Number.isInteger(salt) && salt >= 1 && salt <= 99_999_999)).toBe(true)
    expect(new Set(salts).size).toBeGreaterThan(1990)
  })
})

const uint32 = fc.integer({ min: 0, max: 0xffff_ffff })
const anyService: fc.Arbitrary<Service> = fc.constantFrom([1, 2], [2, 1], [5, 1]).chain(([type = 1, texts = 2]) =>
  fc.record({
    type: fc.constant(type),
    privileges: fc.dictionary(fc.integer({ min: 1, max: 4 }).map(String), uint32, {
      maxKeys: 4,
      noNullPrototype: true,
    }),
    texts: fc.array(fc.string({ unit: 'grapheme', maxLength: 70 }), { minLength: texts, maxLength: texts }),
  }),
)
const anyToken: fc.Arbitrary<AccessToken> = fc.record({
  appId: fc.stringMatching(/^[0-9a-fA-F]{32}$/),
  issuedAt: uint32,
  expiresIn: uint32,
  salt: fc.integer({ min: 1, max: 99_999_999 }),
  services: fc.array(anyService, { minLength: 1, maxLength: 3 }),
})

describe('any token', () => {
  it('comes back as it went in, stored or compressed', () => {
    fc.assert(
      fc.property(anyToken, fc.boolean(), (token, deflate) => {
        const text = packToken(token, sign, { deflate })
        const parsed = parseToken(text)
        expect(parsed).toMatchObject(token)
        expect(parsed && isSignedBy(parsed, certificate)).toBe(true)
      }),
      { numRuns: 10_000 },
    )
  })

  it('is to the vendor’s parser what it is to ours', () => {
    fc.assert(
      fc.property(anyToken, fc.boolean(), (token, deflate) => {
        const theirs = parseByVendor(packToken(token, sign, { deflate }))
        expect(theirs).toMatchObject(token)
        expect(theirs?.isSignedBy(certificate)).toBe(true)
        expect(theirs?.isSignedBy('0'.repeat(32))).toBe(false)
      }),
      { numRuns: 2000 },
    )
  })
})

describe('a token of the vendor’s builders', () => {
  const { appId } = rtc
  const [publisher, subscriber] = [agora.RtcRole.PUBLISHER, agora.RtcRole.SUBSCRIBER]
  const all = (seconds: number) => ({ 1: seconds, 2: seconds, 3: seconds, 4: seconds })

  it.each<[string, string, Service[], number]>([
    [
      'for a uid',
      agora.RtcTokenBuilder.buildTokenWithUid(appId, certificate, 'room', 7, publisher, 600, 600),
      [{ type: 1, privileges: all(600), texts: ['room', '7'] }],
      600,
    ],
    [
      'for any uid',
      agora.RtcTokenBuilder.buildTokenWithUid(appId, certificate, 'room', 0, subscriber, 600, 600),
      [{ type: 1, privileges: { 1: 600 }, texts: ['room', ''] }],
      600,
    ],
    [
      'for an account',
      agora.RtcTokenBuilder.buildTokenWithUserAccount(appId, certificate, 'room', 'alice', subscriber, 60, 30),
      [{ type: 1, privileges: { 1: 30 }, texts: ['room', 'alice'] }],
      60,
    ],
    [
      'for privileges of their own',
      agora.RtcTokenBuilder.buildTokenWithUidAndPrivilege(appId, certificate, 'room', 7, 600, 600, 1, 2, 3),
      [{ type: 1, privileges: { 1: 600, 2: 1, 3: 2, 4: 3 }, texts: ['room', '7'] }],
      600,
    ],
    [
      'for RTC and RTM',
      agora.RtcTokenBuilder.buildTokenWithRtm(appId, certificate, 'room', 'alice', publisher, 600, 600),
      [
        { type: 1, privileges: all(600), texts: ['room', 'alice'] },
        { type: 2, privileges: { 1: 600 }, texts: ['alice'] },
      ],
      600,
    ],
    [
      'for RTM',
      agora.RtmTokenBuilder.buildToken(appId, certificate, 'alice', 600),
      [{ type: 2, privileges: { 1: 600 }, texts: ['alice'] }],
      600,
    ],
    [
      'for chat',
      agora.ChatTokenBuilder.buildUserToken(appId, certificate, 'alice', 600),
      [{ type: 5, privileges: { 1: 600 }, texts: ['alice'] }],
      600,
    ],
  ])('%s is parsed', (_what, text, services, expiresIn) => {
    const parsed = parseToken(text)
    expect(parsed).toMatchObject({ appId, expiresIn, services })
    expect(parsed && isSignedBy(parsed, certificate)).toBe(true)
  })

  it('with a service of unknown length is parsed up to it, as the vendor does', () => {
    const text = agora.ConvoAITokenBuilder.buildToken(
      appId,
      certificate,
      'room',
      'alice',
      publisher,
      600,
      600,
      600,
      600,
      600,
      'alice',
      600,
    )
    const known = [
      { type: 1, privileges: all(600), texts: ['room', 'alice'] },
      { type: 2, privileges: { 1: 600 }, texts: ['alice'] },
    ]
    expect(parseByVendor(text)?.services.map(({ type }) => type)).toEqual([1, 2, 9])
    expect(parseToken(text)?.services).toEqual(known)
  })
})

describe('what is no token', () => {
  const good = [packToken(rtc, sign), packToken(rtc, sign, { deflate: true })]
  const toText = (stream: Buffer) => `007${stream.toString('base64')}`
  const elapsedMs = (run: () => unknown) => {
    const from = performance.now()
    run()
    return performance.now() - from
  }

  it.each([
    '',
    '007',
    '006',
    'garbage',
    '007!!!!',
    '007AAAA',
    '007eJw',
    '006970CA35de60c44645bbae8a215061b33IAD',
    `007${'A'.repeat(1000)}`,
    ' 007eJwBigB1/yAAFqC4TFpegsv3T7gT0J9ZxUvaycBhIFgFOayXV46VixogADk3',
    '007\0',
    '007＊',
    '\ud800007',
    '__proto__',
  ])('is undefined: %j', (text) => {
    expect(parseToken(text)).toBeUndefined()
  })

  it.each(good.map((text, index) => [['stored', 'compressed'][index], text] as const))(
    'is a %s token that ends anywhere too early',
    (_form, text) => {
      const bytes = Buffer.from(text.slice(3), 'base64')
      for (let length = 0; length < bytes.length; length++)
        expect(parseToken(toText(bytes.subarray(0, length)))).toBeUndefined()
    },
  )

  it('is a content that ends anywhere too early, whole as its stream may be', () => {
    const content = inflated(good[0] as string)
    for (let length = 0; length < content.length; length++)
      expect(parseToken(toText(deflateSync(content.subarray(0, length))))).toBeUndefined()
  })

  it('is a token with one bit flipped, if it still means something else than before', () => {
    for (const text of good) {
      const bytes = Buffer.from(text.slice(3), 'base64')
      for (let bit = 0; bit < bytes.length * 8; bit++) {
        const flipped = Buffer.from(bytes)
        flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7))
        const parsed = parseToken(toText(flipped))
        // Level and padding are bits of the stream that say nothing about its content.
        if (parsed === undefined || !isSignedBy(parsed, certificate)) continue
        expect(parsed.signedBytes).toEqual(inflated(text).subarray(34))
      }
    }
  })

  it('is to us whatever it is to zlib, for a stored block too', () => {
    const stored = Buffer.from((good[0] as string).slice(3), 'base64')
    const changed = (change: (stream: Buffer) => void) => {
      const stream = Buffer.from(stored)
      change(stream)
      return toText(stream)
    }
    for (const [what, text] of Object.entries({
      'no method': changed((stream) => stream.writeUInt16BE(0, 0)),
      'a dictionary': changed((stream) => stream.writeUInt16BE(0x78bb, 0)),
      'a length that contradicts itself': changed((stream) => stream.writeUInt16LE(0, 5)),
      'a wrong sum': changed((stream) => stream.writeUInt32BE(1, stream.length - 4)),
      'a raw stream': toText(deflateRawSync(inflated(good[0] as string))),
    })) {
      expect(parseByVendor(text), what).toBeUndefined()
      expect(parseToken(text), what).toBeUndefined()
    }
  })

  it('is random bytes, in no time, and it never throws', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ maxLength: 300 }),
          fc.uint8Array({ maxLength: 300 }).map((it) => deflateSync(it)),
        ),
        (bytes) => {
          expect(elapsedMs(() => parseToken(toText(Buffer.from(bytes))))).toBeLessThan(5000)
        },
      ),
      { numRuns: 5000 },
    )
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => parseToken(`007${text}`) === undefined),
      { numRuns: 5000 },
    )
  })

  it.each([
    ['services', Buffer.concat([Buffer.from('0000', 'hex'), Buffer.alloc(2 + 12), Buffer.from('ffff', 'hex')])],
    ['privileges', Buffer.concat([Buffer.alloc(2 + 2 + 12), Buffer.from('01000100ffff', 'hex')])],
    ['bytes of a text', Buffer.concat([Buffer.alloc(2 + 2 + 12), Buffer.from('010001000000ffff', 'hex')])],
    ['bytes of a signature', Buffer.from('ffff', 'hex')],
  ])('is a promise of 65535 %s that do not come', (_what, content) => {
    expect(parseToken(toText(deflateSync(content)))).toBeUndefined()
  })

  it('is a bomb: 64 MB that fit into 64 KB', () => {
    const bomb = toText(deflateSync(Buffer.alloc(64 << 20)))
    expect(bomb.length).toBeLessThan(100_000)
    const before = process.memoryUsage().arrayBuffers
    // Not toBeUndefined(): it would print what it got.
    expect(elapsedMs(() => expect(parseToken(bomb) === undefined).toBe(true))).toBeLessThan(5000)
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(8 << 20)
  })

  it('is a text of 4 MB, in no time', () => {
    for (const text of [`007${'A'.repeat(4 << 20)}`, `007${'*'.repeat(4 << 20)}`, 'a'.repeat(4 << 20)])
      expect(elapsedMs(() => expect(parseToken(text)).toBeUndefined())).toBeLessThan(5000)
  })
})

describe('a token that cannot be', () => {
  it.each([
    ['a lifetime below 0', { expiresIn: -1 }],
    ['a lifetime above 32 bits', { expiresIn: 2 ** 32 }],
    ['a text above 64 KB', { services: [{ type: 1, privileges: {}, texts: ['a'.repeat(65_536), ''] }] }],
    ['a privilege below 0', { services: [{ type: 1, privileges: { 1: -1 }, texts: ['a', 'b'] }] }],
  ])('is not packed: %s', (_what, change) => {
    expect(() => packToken({ ...rtc, ...change }, sign)).toThrow(RangeError)
  })
})
