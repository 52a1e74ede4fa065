// An entry of the revocation list as text. It owns the line: JSON in printable ASCII, so that a damaged byte shows itself.

import type { Revocation } from './list.ts'

/** Far above any source, subject or token id. */
const longest = 1000
/** The end of year 9999: a later time has no ISO text. */
const latest = 253_402_300_799

const isName = (value: unknown): value is string =>
  typeof value === 'string' && value.length > 0 && value.length <= longest

/** An entry that names neither a subject nor a token would concern nobody, or everybody: it is none. */
export function isRevocation(value: unknown): value is Revocation {
  if (typeof value !== 'object' || value === null) return false
  const { source, subject, tokenId, until } = value as Record<string, unknown>
  return (
    isName(source) &&
    (subject === undefined || isName(subject)) &&
    (tokenId === undefined || isName(tokenId)) &&
    (subject !== undefined || tokenId !== undefined) &&
    Number.isSafeInteger(until) &&
    (until as number) > 0 &&
    (until as number) <= latest
  )
}

export const toEntryText = ({ source, subject, tokenId, until }: Revocation): string =>
  JSON.stringify({ source, subject, tokenId, until }).replace(
    /[\u007f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )

/**
 * Undefined where the text is not an entry. A field that it does not know is left out: an entry of a later version that narrows
 * what is revoked then forbids more, never less.
 */
export function parseEntryText(text: string): Revocation | undefined {
  if (!/^[\x20-\x7e]+$/.test(text)) return undefined
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  if (!isRevocation(value)) return undefined
  const { source, subject, tokenId, until } = value
  return { source, ...(subject !== undefined && { subject }), ...(tokenId !== undefined && { tokenId }), until }
}
