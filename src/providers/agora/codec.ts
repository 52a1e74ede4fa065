// AccessToken2 ("007"): packs and parses. It owns the bytes; it knows no policy.
// Format: https://github.com/AgoraIO/Tools/tree/master/DynamicKey/AgoraDynamicKey (go/src/accesstoken2). Little-endian
// throughout; a string is a uint16 length and its bytes; a map is a uint16 count and ascending (uint16, uint32) pairs.

import { createHmac, randomInt, timingSafeEqual } from 'node:crypto'
import { deflateSync } from 'node:zlib'
import { inflate, storedBlock } from './zlib-stream.ts'

/** Privileges of a service by number; seconds from the token’s issue, 0 = without end. */
export type Privileges = Readonly<Record<number, number>>

export interface Service {
  readonly type: number
  readonly privileges: Privileges
  /** The service’s own texts, in the order of the table below. */
  readonly texts: readonly string[]
}

export interface AccessToken {
  /** 32 hex characters. */
  readonly appId: string
  /** Unix seconds. */
  readonly issuedAt: number
  /** Seconds from `issuedAt`. */
  readonly expiresIn: number
  /** 1 to 99 999 999, random. */
  readonly salt: number
  readonly services: readonly Service[]
}

export interface ParsedToken extends AccessToken {
  /** HMAC-SHA256 over `signedBytes`. */
  readonly signature: Buffer
  readonly signedBytes: Buffer
  /** Whether there is nothing in it that was left out. */
  readonly isWhole: boolean
}

/** How many texts each service carries after its privileges. A type that is not here has an unknown length: parsing ends there. */
const textsOf: ReadonlyMap<number, number> = new Map([
  [1, 2], // RTC: channel, uid or account
  [2, 1], // RTM: user id
  [5, 1], // Chat: user id, empty in an app token
])

export const newSalt = (): number => randomInt(1, 100_000_000)

/**
 * Packs and signs.
 * @param deflate an ordinary zlib stream instead of a stored block (RFC 1951, section 3.2.4). Both inflate to the same bytes;
 *   the stored one costs no compressor, and Agora’s own Rust tests publish such tokens.
 */
export function packToken(token: AccessToken, sign: (issuedAt: number) => Buffer, { deflate = false } = {}): string {
  const signedBytes = packBody(token)
  const signature = createHmac('sha256', hmac(uint32(token.salt), sign(token.issuedAt)))
    .update(signedBytes)
    .digest()
  const content = Buffer.allocUnsafe(2 + signature.length + signedBytes.length)
  content.writeUInt16LE(signature.length, 0)
  signature.copy(content, 2)
  signedBytes.copy(content, 2 + signature.length)
  return `007${(deflate ? deflateSync(content) : storedBlock(content)).toString('base64')}`
}

/** The key of a second: HMAC(key = issue time, message = certificate), in that odd order. It is kept until the second ends. */
export function createTokenKey(certificate: string): (issuedAt: number) => Buffer {
  let second = -1
  let key: Buffer = Buffer.alloc(0)
  return (issuedAt) => {
    if (issuedAt !== second) {
      key = hmac(uint32(issuedAt), certificate)
      second = issuedAt
    }
    return key
  }
}

/** Decodes any 007 token; undefined where it is none. Services after an unknown one are left out, as in Agora’s own parsers. */
export function parseToken(text: string): ParsedToken | undefined {
  if (!text.startsWith('007')) return undefined
  try {
    const content = inflate(Buffer.from(text.slice(3), 'base64'))
    const reader = createReader(content)
    const signature = reader.bytes()
    const signedBytes = content.subarray(reader.position())
    const appId = reader.text()
    const [issuedAt, expiresIn, salt, count] = [reader.uint32(), reader.uint32(), reader.uint32(), reader.uint16()]
    const services: Service[] = []
    for (let index = 0; index < count; index++) {
      const type = reader.uint16()
      const texts = textsOf.get(type)
      if (texts === undefined) break
      const privileges = reader.map()
      services.push({ type, privileges, texts: Array.from({ length: texts }, reader.text) })
    }
    const isWhole = services.length === count && reader.position() === content.length
    return { appId, issuedAt, expiresIn, salt, services, signature, signedBytes, isWhole }
  } catch (error) {
    if (error instanceof RangeError || (error as NodeJS.ErrnoException).code?.startsWith('Z_') === true)
      return undefined
    throw error
  }
}

export function isSignedBy({ issuedAt, salt, signature, signedBytes }: ParsedToken, certificate: string): boolean {
  const expected = hmac(hmac(uint32(salt), hmac(uint32(issuedAt), certificate)), signedBytes)
  return signature.length === expected.length && timingSafeEqual(signature, expected)
}

const hmac = (key: Buffer, message: string | Buffer): Buffer => createHmac('sha256', key).update(message).digest()

function uint32(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4)
  bytes.writeUInt32LE(value, 0)
  return bytes
}

function packBody({ appId, issuedAt, expiresIn, salt, services }: AccessToken): Buffer {
  const body = Buffer.allocUnsafe(16 + appId.length + services.reduce((sum, service) => sum + sizeOf(service), 0))
  let at = writeText(body, appId, 0)
  at = body.writeUInt32LE(issuedAt, at)
  at = body.writeUInt32LE(expiresIn, at)
  at = body.writeUInt32LE(salt, at)
  at = body.writeUInt16LE(services.length, at)
  for (const { type, privileges, texts } of services) {
    at = body.writeUInt16LE(type, at)
    const entries = Object.entries(privileges) // integer keys enumerate in ascending order
    at = body.writeUInt16LE(entries.length, at)
    for (const [privilege, seconds] of entries) {
      at = body.writeUInt16LE(Number(privilege), at)
      at = body.writeUInt32LE(seconds, at)
    }
    for (const text of texts) at = writeText(body, text, at)
  }
  return body
}

const sizeOf = ({ privileges, texts }: Service): number =>
  4 + 6 * Object.keys(privileges).length + texts.reduce((sum, text) => sum + 2 + Buffer.byteLength(text), 0)

function writeText(body: Buffer, text: string, at: number): number {
  const length = body.write(text, at + 2)
  body.writeUInt16LE(length, at)
  return at + 2 + length
}

function createReader(bytes: Buffer) {
  let at = 0
  const take = (length: number) => {
    if (at + length > bytes.length) throw new RangeError('the token ends early')
    at += length
    return at - length
  }
  const uint16 = () => bytes.readUInt16LE(take(2))
  const uint32 = () => bytes.readUInt32LE(take(4))
  /** Where a chunk begins and ends, behind its length. */
  const chunk = (): [from: number, to: number] => {
    const length = uint16()
    return [take(length), at]
  }
  return {
    position: () => at,
    uint16,
    uint32,
    bytes: () => bytes.subarray(...chunk()),
    text: () => bytes.toString('utf8', ...chunk()),
    map: (): Privileges => {
      const entries: Record<number, number> = {}
      for (let left = uint16(); left > 0; left--) entries[uint16()] = uint32()
      return entries
    },
  }
}
