import { inspect } from 'node:util'
import { createPair, fromCurveSeed, fromPublic, fromSeed, type KeyPair, Prefix } from '@nats-io/nkeys'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  createSeed,
  type NkeyKind,
  openSigner,
  parsePublicNkey,
  parseSeed,
  publicNkeyOf,
  seedFault,
  toPublicNkey,
  verifyNkey,
} from '../../../src/providers/nats/nkeys.ts'
import { nameOfTrap, trapValues } from '../../trap-values.ts'

type SigningKind = Exclude<NkeyKind, 'curve'>
const signingKinds: readonly SigningKind[] = ['account', 'user', 'server', 'operator']
const kinds: readonly NkeyKind[] = [...signingKinds, 'curve']
const prefixOf = {
  account: Prefix.Account,
  user: Prefix.User,
  server: Prefix.Server,
  operator: Prefix.Operator,
  curve: Prefix.Curve,
}
const letterOf = { account: 'A', user: 'U', server: 'N', operator: 'O', curve: 'X' }

/** Made by Go: nkeys v0.4.15, EncodeSeed, FromSeed or FromCurveSeed, PublicKey, Sign("usher"). */
const goKeys = [
  {
    kind: 'account',
    seed: 'SAAACCAPCYOSIKZSHFAEOTSVLRRWU4LYP6DI3FE3UKU3BN56YXGNHWSRQQ',
    publicKey: 'ADSAGCMYZ7K22FZDYFU7SVVKBOPLQYM3LGJL2YJMFL2CR26HT6G7BC73',
    signature: 'qcLlkeI9HtwKmAOllrGKB6sdK-Xfq4rFYuxPDuvzNMkC-WSS3kDNPrdKDLKwkfu2uBSOJMTdM9RJjoSyZSCdAg',
  },
  {
    kind: 'user',
    seed: 'SUACMLJUHNBESUCXLZSWY432QGEI7FU5USV3FOOAY7HNLXHD5LY7R73GRE',
    publicKey: 'UAOXNRENYHJT7SYUNX4EGDRQXYBVPDJPR54E53BMKBB5HGNWLLQUGCMI',
    signature: 'qSU0Yp0Y_ROTe607-UkBmnXt7qSzEfY5nltB5NXdq8g5g4jRyog1e_6Yji_8u3vvKgZyoUCdIhGZY4YLeEKjDQ',
  },
  {
    kind: 'server',
    seed: 'SNAEWUSZMBTW45L4QOFJDGE7U2W3JO6CZHINPXXF5TZ7UAIIB4LB2JFECA',
    publicKey: 'NANDQA2D5P2BV3CJDIQJQS3XWDHUIV4X32GW3JSXJ6SQJJDSJZAAT5ME',
    signature: '4_KW62VM9NBFZ1jgqOWk-bgzBHfPvDnNfath2apW1sLgsnk_tCZs96Nwfc92DQFMhlIrJhOiuDzyV5p73HBODw',
  },
  {
    kind: 'operator',
    seed: 'SOAHA536QWGJHGVBVCX3NPOEZPJNTYHH5327YAYKCEMB6JRNGQ5UESINBU',
    publicKey: 'OCXZWLS2AKDLPDQBFCD746QVULEEEHBRGVXVTALETHOQF53LE7XZ732V',
    signature: 'h2SMylmtmirvGXYpwc9iLsppp3v-HRDOk69zM-uhe_WvuFxnwdDZapnYzkgy7QB5ejFu9uxxYi9a9ozM_Q3pCQ',
  },
  {
    kind: 'curve',
    seed: 'SXAJLHFDVKY3RP6GZXKNXYXJ6D374BIMCMNCCKBPGY6UIS2SLFQGO3RPQU',
    publicKey: 'XCEILNVQGGTKZTAQUPN3NAUOIFJ523X7XR5OAYFLJQ3HLNKHRMBSFZTW',
  },
  // nats-io/nkeys, README.md
  {
    kind: 'user',
    seed: 'SUAKYRHVIOREXV7EUZTBHUHL7NUMHPMAS7QMDU3GTIUWEI5LDNOXD43IZY',
    publicKey: 'UD466L6EBCM3YY5HEGHJANNTN4LSKTSUXTH7RILHCKEQMQHTBNLHJJXT',
  },
] as const
const clusterSeed = 'SCAASCIJBEEQSCIJBEEQSCIJBEEQSCIJBEEQSCIJBEEQSCIJBEEQSCNWHE'
const data = Buffer.from('usher')
const anyRaw = fc.uint8Array({ minLength: 32, maxLength: 32 })

/** The text of bytes and their checksum, spelt out bit by bit: the format once more, written another way. */
function write(body: readonly number[], { crc = crcOf(body), spare = '0' } = {}): string {
  const bits = [...body, crc & 255, crc >> 8].map((byte) => byte.toString(2).padStart(8, '0')).join('')
  return (bits.match(/.{1,5}/g) ?? [])
    .map((five) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'[Number.parseInt(five.padEnd(5, spare), 2)])
    .join('')
}
function crcOf(body: readonly number[]): number {
  let crc = 0
  for (const byte of body)
    for (let bit = 7; bit >= 0; bit--) {
      const carry = (crc >> 15) ^ ((byte >> bit) & 1)
      crc = ((crc << 1) & 0xffff) ^ (carry ? 0x1021 : 0)
    }
  return crc
}
const headOf = (kind: NkeyKind): [number, number] => [Prefix.Seed | (prefixOf[kind] >> 5), (prefixOf[kind] & 31) << 3]
const text = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1')
const theirs = (seed: string): KeyPair => (seed.startsWith('SX') ? fromCurveSeed : fromSeed)(Buffer.from(seed))
/** Every text that differs in one character, by a letter of base32 or by what looks like one. */
const misspelt = (right: string): string[] =>
  [...right].flatMap((letter, at) =>
    [...'ABCDEFGHIJKLMNOPQRSTUVWXYZ2345670189=+ \n\0é\ud800', letter.toLowerCase()]
      .filter((other) => other !== letter)
      .map((other) => right.slice(0, at) + other + right.slice(at + 1)),
  )
/** Some of the same letters, and what stands around or between them in files. */
const bent = (right: string): string[] => [
  '',
  right.toLowerCase(),
  right.slice(1),
  ...[...right].map((_, at) => right.slice(0, at)),
  ...['=', '======', 'A', 'AAAAAAAA', ' ', '\n', '\0', '.'].flatMap((more) => [right + more, more + right]),
  right + right,
]

describe('nkeys that Go made', () => {
  it.each(goKeys)('$kind $publicKey', ({ kind, seed, publicKey, ...rest }) => {
    expect(parseSeed(seed, kind)).toHaveLength(32)
    expect(seedFault(seed, kind)).toBeUndefined()
    expect(publicNkeyOf(seed, kind)).toBe(publicKey)
    expect(toPublicNkey(kind, parsePublicNkey(publicKey, kind) as Buffer)).toBe(publicKey)
    if (kind === 'curve' || !('signature' in rest)) return
    const signer = openSigner(seed, kind)
    expect(signer.publicKey).toBe(publicKey)
    expect(signer.sign(data).toString('base64url')).toBe(rest.signature)
    expect(verifyNkey(publicKey, kind, data, Buffer.from(rest.signature, 'base64url'))).toBe(true)
  })
})

describe.each(kinds)('%s keys', (kind) => {
  it('are texts that @nats-io/nkeys reads and writes', () => {
    const seen = new Set<string>()
    for (let count = 0; count < 150; count++) {
      const seed = createSeed(kind)
      seen.add(seed)
      expect(seed).toMatch(new RegExp(`^S${letterOf[kind]}[A-Z2-7]{56}$`))
      expect(text(theirs(seed).getSeed())).toBe(seed)
      const other = text(createPair(prefixOf[kind]).getSeed())
      const raw = parseSeed(other, kind) ?? []
      expect(raw).toHaveLength(32)
      expect(write([...headOf(kind), ...raw])).toBe(other)
    }
    expect(seen.size).toBe(150)
    fc.assert(
      fc.property(anyRaw, (raw) => {
        const publicKey = toPublicNkey(kind, raw)
        expect(publicKey).toMatch(new RegExp(`^${letterOf[kind]}[A-Z2-7]{55}$`))
        expect(fromPublic(publicKey).getPublicKey()).toBe(publicKey)
        expect(parsePublicNkey(publicKey, kind)).toEqual(Buffer.from(raw))
        expect(publicKey).toBe(write([prefixOf[kind], ...raw]))
      }),
      { numRuns: 150 },
    )
  })

  it('belong to the seed that @nats-io/nkeys says', () => {
    for (let count = 0; count < 10; count++) {
      const seed = createSeed(kind)
      expect(publicNkeyOf(seed, kind)).toBe(theirs(seed).getPublicKey())
    }
  })

  it('are of no other kind', () => {
    const seed = createSeed(kind)
    const publicKey = publicNkeyOf(seed, kind)
    for (const other of kinds) {
      expect(parseSeed(seed, other) !== undefined).toBe(other === kind)
      expect(seedFault(seed, other) === undefined).toBe(other === kind)
      expect(parsePublicNkey(publicKey, other) !== undefined).toBe(other === kind)
      expect(parseSeed(publicKey, other)).toBeUndefined()
      expect(parsePublicNkey(seed, other)).toBeUndefined()
    }
  })

  it('are refused with any letter wrong, and in any other length', () => {
    const seed = createSeed(kind)
    const publicKey = publicNkeyOf(seed, kind)
    const isSeed = (text: string) => parseSeed(text, kind) !== undefined
    const isPublic = (text: string) => parsePublicNkey(text, kind) !== undefined
    expect([...misspelt(seed), ...bent(seed)].filter(isSeed)).toEqual([])
    expect([...misspelt(publicKey), ...bent(publicKey)].filter(isPublic)).toEqual([])
  })

  it('are refused with another prefix, number of bytes, checksum, or spare bits', () => {
    const raw = [...Buffer.alloc(32, 7)]
    const prefix = prefixOf[kind]
    const head = headOf(kind)
    const crc = crcOf([prefix, ...raw])
    const isPublic = (text: string) => parsePublicNkey(text, kind) !== undefined
    const isSeed = (text: string) => parseSeed(text, kind) !== undefined

    expect(isPublic(write([prefix, ...raw]))).toBe(true)
    expect(isSeed(write([...head, ...raw]))).toBe(true)
    for (const bit of [1, 2, 4]) {
      // Go’s Decode masks these three bits; they do not show in the first letter.
      expect(isPublic(write([prefix | bit, ...raw]))).toBe(false)
      expect(isSeed(write([head[0], head[1] | bit, ...raw]))).toBe(false)
    }
    for (const body of [raw.slice(1), [...raw, 0], raw.slice(2), [...raw, 0, 0], []]) {
      expect(isPublic(write([prefix, ...body]))).toBe(false)
      expect(isSeed(write([...head, ...body]))).toBe(false)
    }
    for (const wrong of [0, crc ^ 1, ((crc & 255) << 8) | (crc >> 8), ~crc & 0xffff])
      expect(isPublic(write([prefix, ...raw], { crc: wrong }))).toBe(false)
    expect(isSeed(write([...head, ...raw], { spare: '1' }))).toBe(false)
  })

  it('are none of the values that are read as something else than they look like', () => {
    const isTaken = (value: unknown) =>
      parsePublicNkey(value, kind) !== undefined || (typeof value === 'string' && parseSeed(value, kind) !== undefined)
    expect(trapValues.filter(isTaken).map(nameOfTrap)).toEqual([])
  })
})

describe('what is wrong with a seed', () => {
  const account = createSeed('account')

  it.each<[string, string, NkeyKind, string]>([
    ['another kind', createSeed('user'), 'account', 'is a user seed (SU), not an account seed (SA)'],
    ['a curve seed', createSeed('curve'), 'user', 'is a curve seed (SX), not a user seed (SU)'],
    ['an operator seed', createSeed('operator'), 'server', 'is an operator seed (SO), not a server seed (SN)'],
    ['a public key', publicNkeyOf(account, 'account'), 'account', 'is a public key, not an account seed (SA)'],
    ['a letter wrong', `${account.slice(0, -1)}a`, 'account', 'is not an account seed (SA), or has a letter wrong'],
    ['a cluster seed', clusterSeed, 'account', 'is not an account seed (SA), or has a letter wrong'],
    ['nothing', '', 'curve', 'is not a curve seed (SX), or has a letter wrong'],
  ])('%s', (_what, given, kind, rule) => {
    expect(seedFault(given, kind)?.rule).toBe(rule)
    expect(seedFault(given, kind)?.mend).toContain(`(S${letterOf[kind]})`)
  })

  it('never shows it, nor does an error, nor a signer', () => {
    for (const kind of kinds) {
      const seed = createSeed(kind)
      for (const given of [seed, `${seed}A`, seed.slice(0, -1), `${seed.slice(0, -1)}a`, `X${seed}`])
        for (const wanted of kinds) {
          if (given === seed && wanted === kind) continue
          const shown = JSON.stringify(seedFault(given, wanted)) + errorOf(() => publicNkeyOf(given, wanted))
          const opened = wanted === 'curve' ? '' : errorOf(() => openSigner(given, wanted))
          expect(shown + opened).not.toMatch(/[A-Z2-7]{6}/)
        }
    }
    const seed = createSeed('account')
    const signer = openSigner(seed, 'account')
    const shown = inspect(signer, { depth: 9, showHidden: true }) + JSON.stringify(signer)
    expect(shown).not.toContain(seed.slice(4, 40))
  })

  function errorOf(run: () => unknown): string {
    try {
      run()
    } catch (error) {
      expect(error).toBeInstanceOf(TypeError)
      return inspect(error).split('\n')[0] as string
    }
    throw new Error('it was taken')
  }
})

describe('signatures', () => {
  it.each(signingKinds)('of %s keys are what @nats-io/nkeys makes and accepts', (kind) => {
    for (let count = 0; count < 4; count++) {
      const seed = createSeed(kind)
      const { publicKey, sign } = openSigner(seed, kind)
      const message = Buffer.from('x'.repeat(count * 100))
      const signature = sign(message)
      // RFC 8032: Ed25519 leaves the signer no choice.
      expect(signature).toEqual(Buffer.from(theirs(seed).sign(message)))
      expect(fromPublic(publicKey).verify(message, signature)).toBe(true)
      expect(verifyNkey(publicKey, kind, message, signature)).toBe(true)
    }
  })

  const { publicKey, sign } = openSigner(createSeed('account'), 'account')
  const signature = sign(data)
  const accepts = (signature: Uint8Array, message: Uint8Array = data, key = publicKey) =>
    verifyNkey(key, 'account', message, signature)

  it('are refused with any bit changed, and in any other length', () => {
    expect(accepts(signature)).toBe(true)
    for (let bit = 0; bit < 512; bit += 3) {
      const changed = Buffer.from(signature)
      changed.writeUInt8(changed.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
      expect(accepts(changed)).toBe(false)
    }
    for (const length of [0, 1, 32, 63]) expect(accepts(signature.subarray(0, length))).toBe(false)
    expect(accepts(Buffer.concat([signature, Buffer.alloc(1)]))).toBe(false)
    expect(accepts(Buffer.alloc(64))).toBe(false)
  })

  it('are refused in their other form, which has the order of the group added (RFC 8032, section 5.1.7)', () => {
    const order = 2n ** 252n + 27742317777372353535851937790883648493n
    const scalar = BigInt(`0x${Buffer.from(signature.subarray(32)).reverse().toString('hex')}`) + order
    const other = Buffer.from(scalar.toString(16).padStart(64, '0'), 'hex').reverse()
    expect(accepts(Buffer.concat([signature.subarray(0, 32), other]))).toBe(false)
  })

  it('are refused for other data, by another key, and by the same key as another kind', () => {
    expect(accepts(signature, Buffer.from('usheR'))).toBe(false)
    expect(accepts(signature, Buffer.alloc(0))).toBe(false)
    expect(accepts(signature, data, openSigner(createSeed('account'), 'account').publicKey)).toBe(false)
    const raw = parsePublicNkey(publicKey, 'account') as Buffer
    for (const kind of kinds.filter((kind) => kind !== 'account')) {
      expect(accepts(signature, data, toPublicNkey(kind, raw))).toBe(false)
      if (kind !== 'curve') expect(verifyNkey(publicKey, kind, data, signature)).toBe(false)
    }
  })

  it('are refused, without an error, for what is no key, and for 32 bytes that are no point', () => {
    for (const key of ['', 'A', `${publicKey} `, publicKey.toLowerCase(), clusterSeed, '\ud800'.repeat(56)])
      expect(accepts(signature, data, key)).toBe(false)
    for (let byte = 0; byte < 256; byte++)
      expect(accepts(signature, data, toPublicNkey('account', Buffer.alloc(32, byte)))).toBe(false)
  })
})
