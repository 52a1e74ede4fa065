// The shape of a policy file. It owns which keys exist; what they mean stands in the modules that compile them.

import Type, { type Static } from 'typebox'

const closed = { additionalProperties: false }
const text = (description: string) => Type.String({ minLength: 1, maxLength: 512, description })
const name = Type.String({
  pattern: '^[a-z][a-z0-9-]{0,31}$',
  description: 'lower-case letters, digits and -, 32 at most',
})
const duration = Type.String({ pattern: '^[1-9][0-9]{0,5}(s|m|h)$', description: 'such as 45s, 10m or 1h' })

const JwtIssuer = Type.Object(
  {
    name,
    issuer: text('compared byte for byte with iss'),
    jwksUri: Type.Optional(text('https address of the key set')),
    jwksFile: Type.Optional(text('path of the key set, relative to this file')),
    audience: Type.Array(text('one of these must stand in aud'), { minItems: 1 }),
    algorithms: Type.Array(
      // Asymmetric only: whoever can verify a symmetric signature can also forge it (RFC 8725, section 3.2).
      Type.Enum(['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA']),
      { minItems: 1 },
    ),
    header: Type.Optional(
      Type.String({
        pattern: '^[a-z0-9-]{1,64}$',
        description: 'a signed assertion stands here, in place of Authorization',
      }),
    ),
    typ: Type.Optional(text('required typ of the JOSE header, such as at+jwt')),
    requiredClaims: Type.Optional(Type.Array(text('must be present, besides iss, aud, sub, exp and iat'))),
    maxLifetime: Type.Optional(duration),
    clockTolerance: Type.Optional(duration),
  },
  closed,
)

const ApiKey = Type.Object(
  {
    id: Type.String({ pattern: '^[a-z0-9]{8,12}$', description: 'the id inside the key' }),
    name: text('for the audit'),
    sha256: Type.String({
      pattern: '^[0-9a-f]{64}$',
      description: 'SHA-256 of the whole key in hex; `usher key new` prints it',
    }),
    onBehalfOf: Type.Optional(text('pattern of the subjects that this key may act for')),
    claims: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
    notAfter: Type.Optional(
      Type.String({
        pattern: '^\\d{4}-\\d{2}-\\d{2}(T\\d{2}:\\d{2}:\\d{2}Z)?$',
        description: 'a date, or a time in UTC',
      }),
    ),
  },
  closed,
)

const Gateway = Type.Object(
  {
    header: Type.String({ pattern: '^[a-z0-9-]{1,64}$', description: 'holds the subject, lower-case' }),
    trustedProxies: Type.Array(text('CIDR of socket peers'), { minItems: 1 }),
    secretHeader: Type.Optional(Type.String({ pattern: '^[a-z0-9-]{1,64}$' })),
  },
  closed,
)

export const Callers = Type.Object(
  {
    jwt: Type.Optional(Type.Array(JwtIssuer, { minItems: 1 })),
    apiKeys: Type.Optional(Type.Array(ApiKey, { minItems: 1 })),
    gateway: Type.Optional(Gateway),
  },
  closed,
)

const Var = Type.Object(
  {
    from: Type.Unsafe<string | string[]>({ anyOf: [{ type: 'string' }, { type: 'array', items: { type: 'string' } }] }),
    match: Type.Optional(text('pattern of the whole value')),
    type: Type.Optional(Type.Enum(['string', 'set', 'uint32'])),
    values: Type.Optional(Type.Array(text('member'), { minItems: 1 })),
    min: Type.Optional(Type.Integer()),
    max: Type.Optional(Type.Integer()),
  },
  closed,
)

/** Conditions are checked by when.ts, which knows the vars. */
const When = Type.Record(Type.String(), Type.Unknown())
const id = Type.String({
  pattern: '^[a-z0-9][a-z0-9-]{0,31}$',
  description: 'lower-case letters, digits and -, 32 at most',
})

/** The file, given what each provider reads below its own name in a grant. */
export const policySchema = (providerSchemas: Readonly<Record<string, Type.TSchema>>) =>
  Type.Object(
    {
      callers: Type.Optional(Callers),
      vars: Type.Optional(Type.Record(Type.String(), Var)),
      grants: Type.Array(
        Type.Object(
          {
            id,
            when: Type.Optional(When),
            note: Type.Optional(Type.String()),
            iKnow: Type.Optional(Type.Enum(['full-access'], { description: 'allows a right to everything' })),
            ttl: Type.Optional(Type.Object({ default: Type.Optional(duration), max: Type.Optional(duration) }, closed)),
            ...Object.fromEntries(
              Object.entries(providerSchemas).map(([name, schema]) => [name, Type.Optional(schema)]),
            ),
          },
          closed,
        ),
      ),
      deny: Type.Optional(Type.Array(Type.Object({ id, when: When, note: Type.Optional(Type.String()) }, closed))),
    },
    closed,
  )

export type CallersDocument = Static<typeof Callers>
export type VarDocument = Static<typeof Var>
export interface GrantDocument {
  id: string
  when?: Record<string, unknown>
  ttl?: { default?: string; max?: string }
  iKnow?: 'full-access'
  [provider: string]: unknown
}
export interface PolicyDocument {
  callers?: CallersDocument
  vars?: Record<string, VarDocument>
  grants: GrantDocument[]
  deny?: { id: string; when: Record<string, unknown>; note?: string }[]
}

const units: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600 }
/** `10m` → 600. The schema has checked the form. */
export const toSeconds = (duration: string): number =>
  Number(duration.slice(0, -1)) * (units[duration.at(-1) as string] as number)
