// Reading untrusted fields. It owns the wording that all asks share: which field, which rule, which mend.

import { type Refusal, refusal } from '../errors.ts'

export type Fields = Readonly<Record<string, unknown>>

export const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

export const badField = (field: string, rule: string): Refusal => refusal('invalid_request', `${field}: ${rule}`)

/** The first key that is not allowed, as a refusal. */
export function refuseUnknownFields(fields: Fields, allowed: readonly string[]): Refusal | undefined {
  const unknown = Object.keys(fields).find((key) => !allowed.includes(key))
  if (unknown === undefined) return undefined
  // The key is the caller's text: shown only as far as it is harmless in a log or a page, and too short for a secret.
  return badField(
    /^[A-Za-z0-9_-]{1,20}$/.test(unknown) ? unknown : 'a field',
    `is not known here; allowed ${allowed.length === 0 ? 'is none' : `are ${allowed.join(', ')}`}`,
  )
}

const maxLifetimeMs = 86_400_000

/** A whole number of seconds or milliseconds, above 0 and up to 24 hours. */
export const isLifetime = (value: unknown, unitMs: 1 | 1000): value is number =>
  Number.isSafeInteger(value) && (value as number) > 0 && (value as number) * unitMs <= maxLifetimeMs

export const lifetimeRule = (unitMs: 1 | 1000): string =>
  `must be a whole number of ${unitMs === 1 ? 'milliseconds' : 'seconds'}, 1 to ${maxLifetimeMs / unitMs} (24 hours)`
