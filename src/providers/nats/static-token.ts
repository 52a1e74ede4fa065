// A shared NATS token. It owns: what such a token may be, how one is made, and the bcrypt form that nats-server keeps.
// Pure; an error never holds the token.

import { randomInt } from 'node:crypto'
import { hash } from 'bcryptjs'

/** Why a token is refused and how to mend it; both read as the rest of a sentence that starts with "the token". */
export interface NatsTokenFault {
  readonly rule: string
  readonly mend: string
}

// Bytes that bcrypt reads: Go refuses more, bcryptjs drops them, and then a prefix of the token opens the door.
const maxBytes = 72

// nats-server/server/auth.go, validBcryptPrefix: it compares such a token as a hash, and no client gets in with the text.
const looksLikeBcrypt = (token: string): boolean => /^\$2[abxy]\$\d{2}\$/.test(token)

const placeholder =
  /changeme|replaceme|password|passw0rd|secret|s3cr3t|example|placeholder|(your|my|nats)token|letmein|qwerty|123456/

// Compared without case and punctuation, so that `Change-Me` and `your_token` are met too.
const isWeak = (token: string): boolean =>
  new Set(token).size < 6 || placeholder.test(token.toLowerCase().replace(/[^a-z0-9]/g, ''))

const rules: readonly (NatsTokenFault & { readonly broken: (token: string) => boolean })[] = [
  {
    // nats.java and nats.c put the token into JSON without escaping it.
    broken: (token) => /[^\x21-\x7e]|["\\]/.test(token),
    rule: 'has a character outside printable ASCII, a space or line break, a quote or a backslash',
    mend: 'Use letters, digits, - and _',
  },
  { broken: (token) => token.length < 10, rule: 'is shorter than 10 bytes', mend: 'Use 22 random characters' },
  {
    broken: (token) => token.length > maxBytes,
    rule: `is longer than ${maxBytes} bytes, where bcrypt stops reading`,
    mend: `Use ${maxBytes} at most; 22 random characters are enough`,
  },
  {
    broken: looksLikeBcrypt,
    rule: 'looks like a bcrypt hash, which nats-server would not compare as text',
    mend: 'Give the clear token; only the configuration of nats-server holds its hash',
  },
  {
    broken: isWeak,
    rule: 'is easy to guess: fewer than 6 different characters, or a word such as secret or changeme',
    mend: 'Make one with `usher nats passwd --generate`',
  },
]

/** The first rule that a shared token breaks, in the server and in bcrypt; the word list is no measure of strength. */
export function natsTokenFault(token: string): NatsTokenFault | undefined {
  const fault = rules.find(({ broken }) => broken(token))
  return fault && { rule: fault.rule, mend: fault.mend }
}

/** RFC 3986 2.3: only unreserved characters arrive unchanged in `nats://TOKEN@host`; Python and Ruby decode no %XX. */
export const isUrlSafeToken = (token: string): boolean => /^[A-Za-z0-9._~-]+$/.test(token)

const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const base62 = `${letters}0123456789`

/**
 * 22 characters, 130 bits. The first is a letter: nats-server parses what `token: $NATS_TOKEN` brings in, and fails on
 * 99k or 1e5x, which start as numbers do (nats-server/conf/parse.go, lookupVariable).
 */
export function generateToken(): string {
  for (;;) {
    const token = Array.from({ length: 22 }, (_, index) => pick(index === 0 ? letters : base62)).join('')
    if (natsTokenFault(token) === undefined) return token
  }
}

const pick = (alphabet: string): string => alphabet.charAt(randomInt(alphabet.length))

/**
 * The hash for `authorization { token: "…" }`.
 * @param cost 4 to 31; each step doubles what nats-server spends on every connect
 * @throws RangeError over 72 bytes
 */
export async function toBcrypt(token: string, cost: number): Promise<string> {
  if (Buffer.byteLength(token) > maxBytes)
    throw new RangeError(`a NATS token over ${maxBytes} bytes has no bcrypt hash`)
  // The same algorithm. Where someone drops the quotes, nats-server reads $2a$ as a hash and $2b$ as the name of a
  // variable (nats-server/conf/parse.go, bcryptPrefix).
  return (await hash(token, cost)).replace(/^\$2b\$/, '$2a$')
}
