// NATS_SIGNING_KEYS. It owns its form: for each account a plain key, and for each role of it a scoped one.

import { type SettingFault, toList } from '../../settings.ts'
import { isAccountName } from './ask.ts'
import { openSigner, parsePublicNkey, type Signer, seedFault } from './nkeys.ts'

export interface SigningKey {
  /** The account’s public key, which the user JWT names when another key than its own signs. */
  readonly account: string
  readonly signer: Signer
}

/** `APP`, or `APP:member` for a role. */
export const toKeyName = (account: string, role: string | undefined): string =>
  role === undefined ? account : `${account}:${role}`

const parts = (item: string) => item.split(':') as [name: string, account: string, seed: string, role?: string]

/** @param text as signingKeysFault has checked it; of two keys for the same, the first signs */
export function openSigningKeys(text: string): ReadonlyMap<string, SigningKey> {
  const keys = new Map<string, SigningKey>()
  for (const item of toList(text)) {
    const [name, account, seed, role] = parts(item)
    const key = toKeyName(name, role)
    if (!keys.has(key)) keys.set(key, { account, signer: openSigner(seed, 'account') })
  }
  return keys
}

const mend =
  'Write NAME:A…:SA…, and :role after a scoped key, more after commas; `usher nats setup --mode jwt` makes them'
export function signingKeysFault(text: string): SettingFault | undefined {
  const items = toList(text)
  if (items.length === 0) return { rule: 'names no key', mend }
  for (const [index, item] of items.entries()) {
    // By its place: what stands where the name belongs can be a seed.
    const which = `key ${index + 1} of the list`
    const [name, account, seed = '', role, ...more] = parts(item)
    if (!isAccountName(name) || more.length > 0 || (role !== undefined && !/^[a-z0-9-]{1,32}$/.test(role)))
      return { rule: 'is not a list of signing keys', mend }
    if (parsePublicNkey(account, 'account') === undefined)
      return { rule: `has no public key of an account (A…) in ${which}`, mend }
    const fault = seedFault(seed, 'account')
    if (fault !== undefined) return { rule: `has a signing seed in ${which} that ${fault.rule}`, mend }
  }
  return undefined
}
