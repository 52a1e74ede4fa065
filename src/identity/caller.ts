// Who asks. It owns the one type that identity makes and policy reads.

export type CallerKind = 'jwt' | 'apiKey' | 'gateway' | 'sandbox' | 'anonymous'
export const callerKinds: readonly CallerKind[] = ['jwt', 'apiKey', 'gateway', 'sandbox', 'anonymous']

/** An identified caller. (source, subject) is its identity: a subject means nothing without the source that vouches for it. */
export interface Caller {
  readonly kind: CallerKind
  /** The issuer’s configured name, the API key’s id, or the kind where there is only one of it. */
  readonly source: string
  /** 1 to 255 printable ASCII characters; absent for anonymous callers and for API keys that act for nobody. */
  readonly subject?: string
  readonly claims: Claims
  /** Whether a gateway added the credential: then any page that the user opens can ride on it. */
  readonly isAmbient?: true
  /** When the caller’s own credential ends, in Unix seconds; absent where it has no end. */
  readonly expiresAt?: number
}

export type Claims = Readonly<Record<string, unknown>>

/** Printable ASCII without space, 1 to 255: what a subject may be, whoever vouches for it. */
export const isSubject = (value: unknown): value is string =>
  typeof value === 'string' && /^[\x21-\x7e]{1,255}$/.test(value)

/** Without a prototype a claim named `__proto__` is a claim like any other, and a missing `constructor` is missing. */
export const toClaims = (source: object): Claims => Object.freeze(Object.assign(Object.create(null), source))
