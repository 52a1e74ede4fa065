// The settings of the revocation list. It owns their names, rules and defaults.

import type { Setting, SettingFault } from '../settings.ts'

const outages: readonly string[] = ['refuse', 'allow']

export const revocationSettings: readonly Setting[] = [
  {
    name: 'REDIS_URL',
    secret: true,
    about:
      'Redis 7 or Valkey that holds who is revoked, for several replicas; where it is set, REVOCATIONS_FILE is not used',
    example: 'redis://:your-password@redis:6379',
    faultIn: redisUrlFault,
  },
  {
    name: 'REVOCATIONS_FILE',
    about: 'file that holds who is revoked, for one replica; its folder must exist and keep what is in it',
    example: './revocations.jsonl',
  },
  {
    name: 'REVOCATIONS_OUTAGE',
    about:
      'while Redis cannot tell who is revoked: refuse = nobody gets anything, allow = who is not known as revoked does',
    example: 'refuse',
    fallback: 'refuse',
    faultIn: (text) =>
      outages.includes(text)
        ? undefined
        : { rule: 'is not one of the allowed values', mend: `Write one of: ${outages.join(', ')}` },
  },
]

/** What the client library would ignore or throw at is refused here, in words without the value. */
function redisUrlFault(text: string): SettingFault | undefined {
  const mend = 'Write redis://user:password@host:6379, or rediss:// for TLS; /1 at the end names a database'
  if (!URL.canParse(text))
    return { rule: 'is not a URL', mend: `${mend}; percent-encode what is special in the password` }
  const { protocol, hostname, pathname, search, hash, username, password } = new URL(text)
  if (protocol !== 'redis:' && protocol !== 'rediss:') return { rule: 'is neither redis:// nor rediss://', mend }
  if (hostname === '') return { rule: 'names no host', mend }
  if (!/^\/?\d{0,4}$/.test(pathname) || search !== '' || hash !== '')
    return { rule: 'has more behind its host than a database number', mend }
  if (![username, password].every(isPercentEncoded))
    return { rule: 'has a % that encodes nothing', mend: 'Write %25 for a % of the password' }
  return undefined
}

function isPercentEncoded(text: string): boolean {
  try {
    decodeURIComponent(text)
    return true
  } catch {
    return false
  }
}
