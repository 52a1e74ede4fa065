// Ids of tokens. It owns their form: an id tells whose token it is, so that he is found without a record of who got what.

import { randomBytes } from 'node:crypto'
import type { Caller } from '../identity/caller.ts'

export type Owner = Pick<Caller, 'source' | 'subject'>

/** 96 random bits, in 16 characters. */
export const newSerial = (): string => randomBytes(12).toString('base64url')

/** base64url of `source/subject`, or of `source:` where there is no subject; a dot; the serial. */
export const toTokenId = ({ source, subject }: Owner, serial: string): string =>
  `${Buffer.from(subject === undefined ? `${source}:` : `${source}/${subject}`).toString('base64url')}.${serial}`

/** Undefined where it is not an id that toTokenId made. */
export function parseTokenId(tokenId: unknown): { owner: Owner; serial: string } | undefined {
  if (typeof tokenId !== 'string') return undefined
  const [, name = '', serial = ''] = /^([\w-]{1,400})\.([\w-]{16})$/.exec(tokenId) ?? []
  const text = Buffer.from(name, 'base64url').toString('latin1')
  // A source has neither mark in its name.
  const [, source, mark, subject = ''] = /^([A-Za-z0-9-]{1,32})([/:])([\x21-\x7e]{0,255})$/.exec(text) ?? []
  if (source === undefined || (mark === '/') !== (subject !== '')) return undefined
  const owner = { source, ...(subject === '' ? {} : { subject }) }
  return toTokenId(owner, serial) === tokenId ? { owner, serial } : undefined
}
