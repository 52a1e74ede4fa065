import { createCurve, fromCurveSeed } from '@nats-io/nkeys'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createSeed, parsePublicNkey, publicNkeyOf, toPublicNkey } from '../../../src/providers/nats/nkeys.ts'
import { isSealed, openXkey } from '../../../src/providers/nats/xkey.ts'

const seed = createSeed('curve')
const xkey = openXkey(seed)
const oracle = fromCurveSeed(Buffer.from(seed))
const peer = createCurve()
const anyPlain = fc.uint8Array({ maxLength: 3000 })

describe('a box that Go sealed (nats-io/nkeys v0.4.15)', () => {
  const recipient = openXkey('SXAJLHFDVKY3RP6GZXKNXYXJ6D374BIMCMNCCKBPGY6UIS2SLFQGO3RPQU')
  const sender = 'XBL5WSZVT4R24XQUNZHCKEQFM4CHEJIGGSGBKDAUOU6QZEZ5ATKCD722'

  it.each([
    ['Hello xkeys!', 'eGt2MQUGBwgJCgsMDQ4PEBESExQVFhcYGRobHDEQxilTsmIawBj4xhKVDGMz7XQ3Xsr28vo77zg='],
    ['', 'eGt2MQYHCAkKCwwNDg8QERITFBUWFxgZGhscHd3rwyaYOLnLhwtgNB4ot8o='],
  ])('opens to %j', (plain, sealed) => {
    expect(recipient.open(Buffer.from(sealed, 'base64'), sender)?.toString()).toBe(plain)
  })
})

describe('an xkey', () => {
  it('is the public key of its seed', () => {
    expect(xkey.publicKey).toBe(publicNkeyOf(seed, 'curve'))
    expect(xkey.publicKey).toBe(oracle.getPublicKey())
  })

  it('opens what @nats-io/nkeys seals', () => {
    fc.assert(
      fc.property(anyPlain, (plain) => {
        const sealed = peer.seal(plain, xkey.publicKey)
        expect(xkey.open(sealed, peer.getPublicKey())).toEqual(Buffer.from(plain))
      }),
      { numRuns: 60 },
    )
  })

  it('seals what @nats-io/nkeys opens', () => {
    fc.assert(
      fc.property(anyPlain, (plain) => {
        const sealed = xkey.seal(plain, peer.getPublicKey())
        expect(sealed).toHaveLength(4 + 24 + 16 + plain.length)
        expect(Buffer.from(peer.open(sealed, xkey.publicKey) ?? [])).toEqual(Buffer.from(plain))
      }),
      { numRuns: 60 },
    )
  })

  it('keeps its peers apart', () => {
    const peers = Array.from({ length: 20 }, () => openXkey(createSeed('curve')))
    for (let round = 0; round < 2; round++)
      for (const [index, peer] of peers.entries()) {
        const plain = Buffer.from(`${round} ${index}`)
        expect(xkey.open(peer.seal(plain, xkey.publicKey), peer.publicKey)).toEqual(plain)
        expect(peer.open(xkey.seal(plain, peer.publicKey), xkey.publicKey)).toEqual(plain)
        const other = peers[(index + 1) % peers.length]?.publicKey as string
        expect(xkey.open(peer.seal(plain, xkey.publicKey), other)).toBeUndefined()
      }
  })

  it('computes the shared key of a peer once', () => {
    const elapsedMs = (recipients: readonly string[]) => {
      const from = performance.now()
      for (const recipient of recipients) xkey.seal(Buffer.from('x'), recipient)
      return performance.now() - from
    }
    const strangers = Array.from({ length: 30 }, () => publicNkeyOf(createSeed('curve'), 'curve'))
    const firstMs = elapsedMs(strangers)
    // A thirtieth of it in truth. The machine may pause at any moment: the quickest counts.
    const againMs = Math.min(...Array.from({ length: 5 }, () => elapsedMs(strangers)))
    expect(againMs).toBeLessThan(firstMs / 3)
  })

  it('seals with another nonce each time', () => {
    const nonces = Array.from({ length: 200 }, () =>
      xkey.seal(Buffer.from('x'), peer.getPublicKey()).subarray(4, 28).toString('hex'),
    )
    expect(new Set(nonces).size).toBe(200)
  })

  it('returns bytes of its own: sealing changes nothing, and what was opened stays', () => {
    const plain = Buffer.from('plain')
    const sealed = xkey.seal(plain, xkey.publicKey)
    const opened = xkey.open(sealed, xkey.publicKey)
    sealed.fill(0)
    expect(plain.toString()).toBe('plain')
    expect(opened?.toString()).toBe('plain')
  })
})

describe('a box is refused', () => {
  const sender = openXkey(createSeed('curve'))
  const sealed = sender.seal(Buffer.from('usher'), xkey.publicKey)
  const open = (bytes: Uint8Array, from = sender.publicKey) => xkey.open(bytes, from)

  it('with any bit changed', () => {
    expect(open(sealed)?.toString()).toBe('usher')
    for (let bit = 0; bit < sealed.length * 8; bit++) {
      const changed = Buffer.from(sealed)
      changed.writeUInt8(changed.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
      expect(open(changed)).toBeUndefined()
    }
  })

  it('in any other length', () => {
    for (let length = 0; length < sealed.length; length++) expect(open(sealed.subarray(0, length))).toBeUndefined()
    expect(open(Buffer.concat([sealed, Buffer.alloc(1)]))).toBeUndefined()
    expect(open(sealed.subarray(1))).toBeUndefined()
  })

  it('where it is not sealed at all, or for somebody else', () => {
    expect(open(Buffer.from('eyJ0eXAiOiJKV1Qi.e30.AAAA'))).toBeUndefined()
    const other = openXkey(createSeed('curve'))
    expect(open(sender.seal(Buffer.from('usher'), other.publicKey))).toBeUndefined()
    expect(open(sealed, other.publicKey)).toBeUndefined()
  })

  const raw = parsePublicNkey(sender.publicKey, 'curve') as Buffer
  it.each([
    ['nobody', ''],
    ['a text', 'X'],
    ['the same bytes as an account', toPublicNkey('account', raw)],
    ['its key in small letters', sender.publicKey.toLowerCase()],
    ['its key and a line feed', `${sender.publicKey}\n`],
    ['its key with a letter wrong', sender.publicKey.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A'))],
    ['a seed', createSeed('curve')],
  ])('from %s, and none is sealed for that', (_what, key) => {
    expect(open(sealed, key)).toBeUndefined()
    expect(() => xkey.seal(Buffer.from('usher'), key)).toThrow(TypeError)
  })
})

describe('a seed is refused', () => {
  it.each([
    ['that is none', 'SXAAAA'],
    ['of another kind', createSeed('user')],
    ['that is a public key', publicNkeyOf(createSeed('curve'), 'curve')],
  ])('%s, in an error that does not show it', (_what, seed) => {
    expect(() => openXkey(seed)).toThrow(/^not a curve seed \(SX\)$/)
  })
})

describe('what is sealed', () => {
  it.each([
    ['xkv1', true],
    ['xkv1…', true],
    ['', false],
    ['xkv', false],
    ['xkv2…', false],
    ['Xkv1…', false],
    [' xkv1…', false],
    ['eyJ0eXAi', false],
  ])('%j: %s', (text, expected) => {
    expect(isSealed(Buffer.from(text))).toBe(expected)
  })
})
