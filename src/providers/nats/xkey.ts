// Xkeys. It owns the boxes that nats-server and Usher seal for each other (nats-io/nkeys, xkeys.go): X25519, XSalsa20, Poly1305.
// OpenSSL has no XSalsa20, hence tweetnacl; the slow part, the shared key, is computed once a server.

import { randomBytes } from 'node:crypto'
import nacl from 'tweetnacl'
import { parsePublicNkey, parseSeed, publicNkeyOf } from './nkeys.ts'

export interface Xkey {
  /** `X…`. */
  readonly publicKey: string
  /** Undefined where it was not sealed for this key, by this sender. @param sender public key, `X…` */
  open(sealed: Uint8Array, sender: string): Buffer | undefined
  /** @throws where the recipient is no public key */
  seal(plain: Uint8Array, recipient: string): Buffer
}

const version = Buffer.from('xkv1')
const headBytes = version.length + nacl.box.nonceLength
const maxPeers = 1024

export const isSealed = (data: Uint8Array): boolean => version.every((byte, index) => data[index] === byte)

/** @param seed `SX…` @throws where it is none; the message does not hold it */
export function openXkey(seed: string): Xkey {
  const publicKey = publicNkeyOf(seed, 'curve')
  const secret = parseSeed(seed, 'curve') as Buffer
  const shared = new Map<string, Uint8Array>()

  /** nats-server makes its xkey once, at start (facts/nats.md 1.4). */
  function sharedWith(peer: string): Uint8Array | undefined {
    let key = shared.get(peer)
    if (key === undefined) {
      const raw = parsePublicNkey(peer, 'curve')
      if (raw === undefined) return undefined
      key = nacl.box.before(raw, secret)
      // The oldest gives way; a Map lists them as they came.
      if (shared.size >= maxPeers) shared.delete(shared.keys().next().value as string)
      shared.set(peer, key)
    }
    return key
  }

  return {
    publicKey,
    open: (sealed, sender) => {
      const key = sharedWith(sender)
      if (key === undefined || !isSealed(sealed) || sealed.length < headBytes + nacl.box.overheadLength)
        return undefined
      const plain = nacl.box.open.after(sealed.subarray(headBytes), sealed.subarray(version.length, headBytes), key)
      return plain === null ? undefined : Buffer.from(plain.buffer, plain.byteOffset, plain.byteLength)
    },
    seal: (plain, recipient) => {
      const key = sharedWith(recipient)
      if (key === undefined) throw new TypeError('the recipient is not a public curve key')
      const nonce = randomBytes(nacl.box.nonceLength)
      return Buffer.concat([version, nonce, nacl.box.after(plain, nonce, key)])
    },
  }
}
