// What a request carries through Fastify. It owns the one decorator, and the data by which routes differ.

import type { FastifyRequest } from 'fastify'
import type { ErrorBody } from '../errors.ts'
import type { Caller } from '../identity/caller.ts'
import type { Identify } from '../identity/identify.ts'
import type { LoadedPolicy } from '../policy/load.ts'

/** How a route’s clients need their errors. */
export interface ErrorDialect {
  /** Fields beside `error`. */
  readonly fields?: (body: ErrorBody) => Readonly<Record<string, unknown>>
  readonly headers?: (body: ErrorBody) => Readonly<Record<string, string>>
  /** Whether a 401 names its scheme (RFC 6750, section 3). */
  readonly challenge: boolean
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The provider whose tokens the route issues; its decisions are audited. */
    provider?: string
    dialect?: ErrorDialect
  }
  interface FastifyRequest {
    admission: Admission | undefined
  }
}

/** Identity and policy of one moment; a reload replaces both at once. */
export interface InForce {
  readonly policy: LoadedPolicy
  readonly identify: Identify
}

/** A request is judged from its head to its answer by the policy under which its caller was identified. */
export interface Admission {
  readonly caller: Caller
  readonly policy: LoadedPolicy
}

/** What identity found. Throws where identity did not run: a route outside the token scope cannot issue. */
export function admissionOf(request: FastifyRequest): Admission {
  if (request.admission === undefined) throw new Error('this route is outside the token scope')
  return request.admission
}
