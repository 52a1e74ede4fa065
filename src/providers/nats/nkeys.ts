// Nkeys. It owns their text (nats-io/nkeys, strkey.go) and their Ed25519 signatures, by node:crypto: the JavaScript of the NATS
// client takes a hundred times as long (facts/nats.md 2).

import { createPrivateKey, createPublicKey, type KeyObject, randomBytes, sign, verify } from 'node:crypto'
import type { SettingFault } from '../../settings.ts'

export type NkeyKind = 'account' | 'user' | 'server' | 'operator' | 'curve'
type SigningKind = Exclude<NkeyKind, 'curve'>

/** nats-io/nkeys, strkey.go, PrefixByte…; each is the first letter of the text. */
const prefixes: Record<NkeyKind, number> = {
  account: 0 << 3,
  user: 20 << 3,
  server: 13 << 3,
  operator: 14 << 3,
  curve: 23 << 3,
}
const seedPrefix = 18 << 3

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

/** RFC 4648, section 6, without padding. */
function toBase32(bytes: Uint8Array): string {
  let text = ''
  let bits = 0
  let value = 0
  for (const byte of bytes) {
    value = ((value << 8) | byte) & 0xfff
    bits += 8
    for (; bits >= 5; bits -= 5) text += alphabet[(value >> (bits - 5)) & 31]
  }
  return bits === 0 ? text : text + alphabet[(value << (5 - bits)) & 31]
}

const digits: readonly (number | undefined)[] = Array.from({ length: 128 }, (_, code) => {
  const digit = alphabet.indexOf(String.fromCharCode(code))
  return digit < 0 ? undefined : digit
})

/** Undefined for another alphabet, or where the bits that are left over are not 0. */
function fromBase32(text: string): Buffer | undefined {
  const bytes = Buffer.alloc(Math.floor((text.length * 5) / 8))
  let at = 0
  let bits = 0
  let value = 0
  for (let index = 0; index < text.length; index++) {
    const digit = digits[text.charCodeAt(index)]
    if (digit === undefined) return undefined
    value = ((value << 5) | digit) & 0xfff
    bits += 5
    if (bits >= 8) {
      bits -= 8
      bytes[at++] = (value >> bits) & 0xff
    }
  }
  return (value & ((1 << bits) - 1)) === 0 ? bytes : undefined
}

/** CRC-16/XMODEM, by nibbles. */
const crcTable = Array.from({ length: 16 }, (_, nibble) => {
  let crc = nibble << 12
  for (let bit = 0; bit < 4; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1
  return crc & 0xffff
})
function crc16(bytes: Uint8Array): number {
  let crc = 0
  for (const byte of bytes) {
    crc = ((crc << 4) & 0xffff) ^ (crcTable[(crc >> 12) ^ (byte >> 4)] as number)
    crc = ((crc << 4) & 0xffff) ^ (crcTable[(crc >> 12) ^ (byte & 15)] as number)
  }
  return crc
}

function toText(bytes: Uint8Array): string {
  const crc = crc16(bytes)
  return toBase32(Buffer.from([...bytes, crc & 0xff, crc >> 8]))
}

/** What the text holds before its checksum; undefined where that is wrong. */
function fromText(text: string, length: number): Buffer | undefined {
  if (text.length !== Math.ceil((length * 8) / 5)) return undefined
  const bytes = fromBase32(text)
  if (bytes === undefined) return undefined
  const body = bytes.subarray(0, -2)
  return crc16(body) === bytes.readUInt16LE(length - 2) ? body : undefined
}

/** The 32 bytes of a public key of this kind; undefined for anything else. */
export function parsePublicNkey(text: unknown, kind: NkeyKind): Buffer | undefined {
  const body = typeof text === 'string' ? fromText(text, 35) : undefined
  return body?.[0] === prefixes[kind] ? body.subarray(1) : undefined
}

export const toPublicNkey = (kind: NkeyKind, raw: Uint8Array): string => toText(Buffer.from([prefixes[kind], ...raw]))

/** A new random seed, `S` and the letter of its kind first. */
export const createSeed = (kind: NkeyKind): string => toSeed(kind, randomBytes(32))

/** The kind is spread over two bytes, so that both letters show. */
const seedHead = (kind: NkeyKind) => [seedPrefix | (prefixes[kind] >> 5), (prefixes[kind] & 31) << 3]
const toSeed = (kind: NkeyKind, raw: Uint8Array): string => toText(Buffer.from([...seedHead(kind), ...raw]))

/** The 32 bytes of a seed of this kind; undefined for anything else. */
export function parseSeed(text: string, kind: NkeyKind): Buffer | undefined {
  const body = fromText(text, 36)
  const [first, second] = seedHead(kind)
  return body !== undefined && body[0] === first && body[1] === second ? body.subarray(2) : undefined
}

/** What is wrong with a seed, for settings; undefined where nothing is. No text holds the seed. */
export function seedFault(text: string, kind: NkeyKind): SettingFault | undefined {
  if (parseSeed(text, kind) !== undefined) return undefined
  const wanted = nameOfSeed(kind)
  const mend = `Write ${wanted}, all of its 58 letters and digits`
  const other = kinds.find((other) => parseSeed(text, other) !== undefined)
  if (other !== undefined) return { rule: `is ${nameOfSeed(other)}, not ${wanted}`, mend }
  const isPublic = kinds.some((other) => parsePublicNkey(text, other) !== undefined)
  return { rule: isPublic ? `is a public key, not ${wanted}` : `is not ${wanted}, or has a letter wrong`, mend }
}

const kinds = Object.keys(prefixes) as NkeyKind[]
const letterOf = (kind: NkeyKind): string => alphabet[prefixes[kind] >> 3] as string
const nameOfSeed = (kind: NkeyKind): string => `${/^[ao]/.test(kind) ? 'an' : 'a'} ${kind} seed (S${letterOf(kind)})`

export interface Signer {
  readonly publicKey: string
  sign(data: Uint8Array): Buffer
}

/** RFC 8410, section 7: what stands before the 32 bytes of a private key in DER. */
const derHead = { signing: '302e020100300506032b657004220420', curve: '302e020100300506032b656e04220420' }

const toPrivateKey = (raw: Uint8Array, use: keyof typeof derHead): KeyObject =>
  createPrivateKey({ key: Buffer.concat([Buffer.from(derHead[use], 'hex'), raw]), format: 'der', type: 'pkcs8' })

const publicOf = (key: KeyObject): Buffer =>
  Buffer.from(createPublicKey(key).export({ format: 'jwk' }).x as string, 'base64url')

/** @throws where it is not a seed of this kind; the message does not hold it */
export function openSigner(seed: string, kind: SigningKind): Signer {
  const key = toPrivateKey(rawOf(seed, kind), 'signing')
  return { publicKey: toPublicNkey(kind, publicOf(key)), sign: (data) => sign(null, data, key) }
}

/** The public key that belongs to a seed. @throws as openSigner */
export const publicNkeyOf = (seed: string, kind: NkeyKind): string =>
  toPublicNkey(kind, publicOf(toPrivateKey(rawOf(seed, kind), kind === 'curve' ? 'curve' : 'signing')))

function rawOf(seed: string, kind: NkeyKind): Buffer {
  const raw = parseSeed(seed, kind)
  if (raw === undefined) throw new TypeError(`not ${nameOfSeed(kind)}`)
  return raw
}

/** Whether `publicKey` is a public key of this kind, and signed the data. */
export function verifyNkey(publicKey: string, kind: SigningKind, data: Uint8Array, signature: Uint8Array): boolean {
  const key = keyObjectOf(publicKey, kind)
  return key !== undefined && verify(null, data, key, signature)
}

/** A nats-server signs all of its requests with one key, and making that anew takes a tenth of a verification. */
const keyObjects = new Map<string, KeyObject>()
const maxKeyObjects = 1024

function keyObjectOf(publicKey: string, kind: SigningKind): KeyObject | undefined {
  const name = `${kind} ${publicKey}`
  let key = keyObjects.get(name)
  if (key === undefined) {
    const raw = parsePublicNkey(publicKey, kind)
    if (raw === undefined) return undefined
    // OpenSSL 3.0 takes 140 µs for a key in DER, longer than the verification, and 5 for this.
    key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: raw.toString('base64url') }, format: 'jwk' })
    // The oldest gives way; a Map lists them as they came.
    if (keyObjects.size >= maxKeyObjects) keyObjects.delete(keyObjects.keys().next().value as string)
    keyObjects.set(name, key)
  }
  return key
}
