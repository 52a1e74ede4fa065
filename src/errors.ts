// The closed table of refusals. It owns: which reasons exist, what status and Ably code each has, and the one error body.
// A refusal is a value that travels back to the edge; only programming faults are thrown.

/**
 * One row a reason. `code` follows Ably's list (https://help.ably.io/error/<code>), so that every Ably SDK understands the
 * body; the token-error range 40140 to 40149 is never used, because SDKs answer it by asking again.
 * `status` decides what a client does: 401 log in again, 403 stop, 429 and 503 come back later.
 */
const table = {
  invalid_request: [
    400,
    40000,
    'The request is outside the grammar of this route.',
    'Correct the field that the message names.',
  ],
  credential_in_query: [
    400,
    40000,
    'A credential stands in the query string, where logs keep it.',
    'Send it in the Authorization header.',
  ],
  ambiguous_credentials: [400, 40000, 'The request carries more than one credential.', 'Send exactly one.'],
  unauthenticated: [401, 40101, 'The caller could not be identified.', 'Log in again and send a valid credential.'],
  credential_expiring: [
    401,
    40101,
    "The caller's own credential ends in less than 30 seconds.",
    'Renew it, then ask again.',
  ],
  beyond_grant: [
    403,
    40300,
    "The request asks for more than the caller's grants allow.",
    'Ask for less, or have the operator extend the grant.',
  ],
  client_id_mismatch: [
    403,
    40102,
    'The caller may not use this clientId.',
    "Leave clientId out, or ask for the caller's own.",
  ],
  no_grant: [
    403,
    40300,
    'No grant applies to this caller here.',
    'Have the operator add a grant; `usher policy explain` shows why none applies.',
  ],
  denied: [403, 40300, 'The caller is denied.', 'Ask the operator.'],
  not_on_behalf: [
    403,
    40300,
    'This API key may not act for that subject.',
    'Check onBehalfOf of the key in the policy file.',
  ],
  foreign_origin: [
    403,
    40300,
    'The request comes from an origin that is not listed.',
    'Add the origin to CORS_ORIGINS.',
  ],
  sandbox_only: [
    403,
    40300,
    'The sandbox answers this machine only.',
    'Call it on a loopback address, without a proxy, or configure a policy.',
  ],
  not_found: [404, 40400, 'There is nothing here.', 'The routes are listed in openapi.yaml.'],
  provider_off: [404, 40400, 'This provider is not configured here.', 'Set its variables; .env.example lists them.'],
  revocation_off: [404, 40400, 'Nothing can be revoked here.', 'Set REVOCATIONS_FILE, or REDIS_URL.'],
  method_not_allowed: [405, 40500, 'This method is not allowed here.', 'Use one that the Allow header names.'],
  request_timeout: [408, 40000, 'The request did not arrive in time.', 'Send it again.'],
  body_too_large: [413, 40009, 'The body is too large.', 'Send less.'],
  uri_too_long: [414, 40000, 'The address is too long.', 'Send the parameters in the body.'],
  unsupported_media_type: [415, 40000, 'The content type is not understood here.', 'Send one that openapi.yaml names.'],
  token_too_large: [
    422,
    40000,
    'The token would be larger than a client can send.',
    'Ask for fewer subjects, or have the operator shorten the grant.',
  ],
  rate_limited: [429, 42910, 'Too many requests.', 'Wait for the seconds in Retry-After.'],
  headers_too_large: [431, 40000, 'The headers are too large.', 'Send fewer or shorter headers.'],
  internal: [500, 50000, 'Something failed on our side.', 'Give the request id to the operator.'],
  provider_failed: [502, 50000, 'The provider refused or garbled the request.', 'Give the request id to the operator.'],
  overloaded: [503, 50003, 'The service is busy.', 'Wait for the seconds in Retry-After.'],
  identity_unavailable: [
    503,
    50003,
    "The caller's identity cannot be checked at the moment.",
    'Wait for the seconds in Retry-After.',
  ],
  audit_unavailable: [
    503,
    50003,
    'The decision could not be recorded, so nothing was issued.',
    'Give the request id to the operator.',
  ],
  revocations_unavailable: [
    503,
    50003,
    'It cannot be known at the moment who has been revoked.',
    'Wait for the seconds in Retry-After.',
  ],
  provider_unavailable: [
    503,
    50003,
    'The provider cannot be reached at the moment.',
    'Wait for the seconds in Retry-After.',
  ],
} as const satisfies Record<string, readonly [status: number, code: number, message: string, hint: string]>

/** The stable reasons; a public promise. */
export type Reason = keyof typeof table
export const reasons = Object.keys(table) as readonly Reason[]

const refused = Symbol('refused')

/** A decision against the caller. `message` goes to the caller, `detail` to the audit only. */
export interface Refusal {
  readonly [refused]: true
  readonly reason: Reason
  readonly message: string
  readonly detail: string | undefined
  /** What was asked, where that is known; for the audit only. */
  readonly ask?: object
}

/** `message` names the field, the rule and the mend where the table’s sentence cannot; it never holds a credential. */
export const refusal = (reason: Reason, message: string = table[reason][2], detail?: string): Refusal => ({
  [refused]: true,
  reason,
  message,
  detail,
})

export const isRefusal = (value: unknown): value is Refusal =>
  typeof value === 'object' && value !== null && refused in value

export const statusOf = (reason: Reason): number => table[reason][0]
export const codeOf = (reason: Reason): number => table[reason][1]

/** Seconds after which a client should come back, with jitter so that a crowd does not return as one. */
export const retryAfterSeconds = (reason: Reason): number | undefined => {
  const status = statusOf(reason)
  return status === 429 || status === 503 ? 1 + Math.floor(Math.random() * 3) : undefined
}

/** The one error body, in the shape that Ably’s SDKs read (https://ably.com/docs/api/rest-api#error-codes). */
export interface ErrorBody {
  error: { code: number; statusCode: number; reason: Reason; message: string; hint: string; requestId: string }
}

export const toErrorBody = ({ reason, message }: Refusal, requestId: string): ErrorBody => ({
  error: { code: codeOf(reason), statusCode: statusOf(reason), reason, message, hint: table[reason][3], requestId },
})
