// The zlib stream around a token. It owns the stored block (RFC 1951, section 3.2.4): the same stream to every inflater, without
// a compressor, whose tables cost more than the rest of a token.

import { inflateSync } from 'node:zlib'

/** A zlib stream (RFC 1950) of one stored block: header, block header, bytes, Adler-32. */
export function storedBlock(content: Buffer): Buffer {
  const { length } = content
  const stream = Buffer.allocUnsafe(length + 11)
  stream.writeUInt16BE(0x789c, 0)
  stream[2] = 1 // last block, stored
  stream.writeUInt16LE(length, 3)
  stream.writeUInt16LE(~length & 0xffff, 5)
  content.copy(stream, 7)
  stream.writeUInt32BE(adler32(content), length + 7)
  return stream
}

/** Inflates; a stored block, which is what we pack, is read in place. */
export function inflate(stream: Buffer): Buffer {
  const end = stream.length - 4
  const length = end - 7
  // Header, block header, length and its complement, as storedBlock writes them; anything else is zlib's to judge.
  const isStored =
    length > 0 &&
    stream.readUInt16BE(0) === 0x789c &&
    stream[2] === 1 &&
    stream.readUInt16LE(3) === length &&
    stream.readUInt16LE(5) === (~length & 0xffff)
  if (!isStored) return inflateSync(stream, { maxOutputLength: 65_536 })
  const content = stream.subarray(7, end)
  if (stream.readUInt32BE(end) !== adler32(content)) throw new RangeError('not a zlib stream')
  return content
}

/** RFC 1950, section 8.2. Sums stay below 2^32 for the at most 5,552 bytes of a run. */
function adler32(bytes: Buffer): number {
  let a = 1
  let b = 0
  for (let at = 0; at < bytes.length; ) {
    for (const end = Math.min(at + 5552, bytes.length); at < end; at++) {
      a += bytes[at] as number
      b += a
    }
    a %= 65_521
    b %= 65_521
  }
  return b * 65_536 + a
}
