// The scope that every token route lives in. It owns what happens before a handler runs: identity, and nothing optional.

import type { FastifyInstance, FastifyRequest } from 'fastify'
import { isRefusal, type Refusal, refusal } from '../errors.ts'
import type { Caller } from '../identity/caller.ts'
import type { Identify } from '../identity/identify.ts'
import { isForeignOrigin } from '../identity/origin.ts'
import type { Gate } from '../limits.ts'
import type { InForce } from './context.ts'
import { limits } from './options.ts'
import type { Refuse } from './refuse.ts'

export interface TokenScopeOptions {
  readonly inForce: () => InForce
  readonly refuse: Refuse
  readonly gate: Gate
  readonly isListedOrigin: (origin: string) => boolean
}

/** Query keys that hold credentials elsewhere; here they would end in every log on the way. */
const credentialKeys = ['token', 'access_token', 'api_key', 'key']

export function protect(scope: FastifyInstance, { inForce, refuse, gate, isListedOrigin }: TokenScopeOptions): void {
  scope.addHook('onRequest', (request, reply, done) => {
    const { policy, identify } = inForce()
    const admit = (identified: Caller | Refusal) => {
      if (!isRefusal(identified)) request.admission = { caller: identified, policy }
      const refused = isRefusal(identified) ? identified : refuseForeign(request, identified)
      if (refused === undefined) done()
      else refuse(request, reply, refused).catch(done)
    }
    const early = refuseEarly(request)
    if (early !== undefined) {
      admit(early)
      return
    }
    // Signatures are checked in the thread pool, whose queue has no bound of its own: who does not get in starts nothing.
    if (!gate.enter()) {
      admit(refusal('overloaded'))
      return
    }
    let identified: ReturnType<Identify>
    try {
      identified = identify({ rawHeaders: request.raw.rawHeaders, peer: request.socket.remoteAddress ?? '' })
    } catch (error) {
      gate.leave()
      throw error
    }
    if (identified instanceof Promise) identified.finally(gate.leave).then(admit, done)
    else {
      gate.leave()
      admit(identified)
    }
  })

  /** A browser sends the gateway’s cookie along with any page’s request, and reaches the sandbox from any page. */
  function refuseForeign({ headers }: FastifyRequest, caller: Caller): Refusal | undefined {
    if (caller.isAmbient !== true) return undefined
    const secFetchSite = headers['sec-fetch-site'] as string | undefined
    return isForeignOrigin({ origin: headers.origin, secFetchSite, isListed: isListedOrigin })
      ? refusal('foreign_origin')
      : undefined
  }
}

function refuseEarly({ raw, query }: FastifyRequest): Refusal | undefined {
  const url = raw.url ?? ''
  if (url.length > limits.urlCharacters) return refusal('uri_too_long')
  const hasCredential = credentialKeys.some((key) => Object.hasOwn(query as object, key))
  return hasCredential ? refusal('credential_in_query') : undefined
}
