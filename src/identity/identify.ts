// From a request to its caller. It owns: which credentials a request carries, that it carries one, and who may be anonymous.
// Headers are counted as they came: Node joins some that stand twice and drops others (facts, D15), a gateway may not.

import { type Refusal, refusal } from '../errors.ts'
import { type IdentifyApiKey, looksLikeApiKey } from './api-key.ts'
import { type Caller, toClaims } from './caller.ts'
import type { Gateway } from './gateway.ts'
import type { VerifyJwt } from './jwt.ts'

export interface IdentityRequest {
  /** Names and values in turn, as Node’s `IncomingMessage.rawHeaders`. */
  readonly rawHeaders: readonly string[]
  /** Address of the socket’s other end; never of a forwarded header. */
  readonly peer: string
}

export interface Sources {
  readonly verifyJwt?: VerifyJwt | undefined
  /** The `header:` of every issuer that has one. */
  readonly assertionHeaders?: readonly string[]
  readonly identifyApiKey?: IdentifyApiKey | undefined
  readonly gateway?: Gateway | undefined
  /** Whether some grant is for the anonymous caller. */
  readonly allowsAnonymous: boolean
}

export type Identify = (request: IdentityRequest) => Caller | Refusal | Promise<Caller | Refusal>

const anonymous: Caller = Object.freeze({ kind: 'anonymous', source: 'anonymous', claims: toClaims({}) })
export const onBehalfOfHeader = 'usher-on-behalf-of'
/** RFC 6750, section 2.1; RFC 9110, section 11.1: the scheme is case-insensitive. */
const bearerForm = /^bearer +([A-Za-z0-9._~+/-]+=*)$/i

/** Answers without a promise where no key set is needed: this runs before every mint. */
export function createIdentify(sources: Sources): Identify {
  const { verifyJwt, assertionHeaders = [], identifyApiKey, gateway, allowsAnonymous } = sources
  const credentialHeaders = new Set(['authorization', ...assertionHeaders])
  if (gateway !== undefined) credentialHeaders.add(gateway.header)
  const identityHeaders = new Set([...credentialHeaders, onBehalfOfHeader])
  if (gateway !== undefined) identityHeaders.add(gateway.secretHeader)

  return ({ rawHeaders, peer }) => {
    // 1. One pass over the headers as they came.
    let header: string | undefined
    let credential = ''
    const subjects: string[] = []
    const secrets: string[] = []
    for (let index = 0; index < rawHeaders.length; index += 2) {
      const name = (rawHeaders[index] as string).toLowerCase()
      const value = rawHeaders[index + 1] as string
      // CVE-2025-64484: a gateway that strips X-User lets X_User pass, and what stands behind it reads both as one.
      if (name.includes('_') && identityHeaders.has(name.replaceAll('_', '-')))
        return refusal('invalid_request', `The header ${name} is spelled with underscores.`)
      if (name === onBehalfOfHeader) subjects.push(value)
      else if (name === gateway?.secretHeader) secrets.push(value)
      else if (credentialHeaders.has(name)) {
        if (header !== undefined) return refusal('ambiguous_credentials', undefined, `${header} and ${name}`)
        header = name
        credential = value
      }
    }

    // 2. Exactly one credential, and a subject to act for only beside an API key.
    const bearer = header === 'authorization' ? bearerForm.exec(credential)?.[1] : undefined
    const isApiKey = bearer !== undefined && looksLikeApiKey(bearer)
    if (subjects.length > (isApiKey ? 1 : 0))
      return refusal('ambiguous_credentials', 'Usher-On-Behalf-Of goes with one API key, and stands once.')

    // 3. Whoever presents nothing may be anonymous; whoever presents something wrong never is.
    if (header === undefined) return allowsAnonymous ? anonymous : refuse('there is no credential')
    if (header === gateway?.header) return gateway.identify(peer, credential, secrets)
    if (header !== 'authorization') return verifyJwt?.(credential, header) ?? refuse('no issuer is configured')
    if (bearer === undefined) return refuse('Authorization is not one Bearer token')
    if (isApiKey) return identifyApiKey?.(bearer, subjects[0]) ?? refuse('no API key is configured')
    return verifyJwt?.(bearer, undefined) ?? refuse('no issuer is configured')
  }
}

const refuse = (detail: string): Refusal => refusal('unauthenticated', undefined, detail)
