// The gateway in front, which logs users in and names them in a plain header. It owns when that header is believed.
// Anybody can write a header: it counts only from a listed socket peer that also knows the secret (facts 3c iii).

import { createHash, timingSafeEqual } from 'node:crypto'
import { type Refusal, refusal } from '../errors.ts'
import type { Report } from '../policy/faults.ts'
import type { CallersDocument } from '../policy/schema.ts'
import { type Caller, isSubject, toClaims } from './caller.ts'
import { openNetworks, parseNetwork } from './networks.ts'

export type GatewayDocument = NonNullable<CallersDocument['gateway']>

export interface Gateway {
  readonly header: string
  readonly secretHeader: string
  /** @param peer address of the socket, never of a forwarded header. @param secrets every value of the secret header. */
  identify(peer: string, subject: string, secrets: readonly string[]): Caller | Refusal
}

export const defaultSecretHeader = 'x-gateway-secret'
const noClaims = toClaims({})

/** @param accepted the secrets in force: one, or two while it is rotated. @throws where `checkGateway` reports a fault. */
export function openGateway(document: GatewayDocument, accepted: readonly string[]): Gateway {
  const isTrusted = openNetworks(document.trustedProxies)
  const digests = accepted.filter((secret) => secret !== '').map(sha256)
  // Every digest is compared, so that the time does not tell which one was near.
  const isSecret = (given: string): boolean => {
    const digest = sha256(given)
    return digests.reduce((found, right) => timingSafeEqual(digest, right) || found, false)
  }

  return {
    header: document.header,
    secretHeader: document.secretHeader ?? defaultSecretHeader,
    identify(peer, subject, secrets) {
      if (!isTrusted(peer)) return refuse(`security: identity header from ${peer}, which is not in trustedProxies`)
      const [secret] = secrets
      if (secret === undefined || secrets.length > 1 || !isSecret(secret))
        return refuse(`security: identity header from ${peer} without the gateway's secret`)
      // A comma is how proxies join two headers into one.
      if (!isSubject(subject) || subject.includes(',')) return refuse('the identity header does not hold one subject')
      return { kind: 'gateway', source: 'gateway', subject, claims: noClaims, isAmbient: true }
    },
  }
}

/** Reports what `openGateway` cannot use. */
export function checkGateway({ trustedProxies }: GatewayDocument, report: Report): void {
  trustedProxies.forEach((cidr, index) => {
    const network = parseNetwork(cidr)
    if (typeof network === 'string')
      report.fault(`callers.gateway.trustedProxies[${index}]`, network, 'Correct the network')
  })
}

const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest()
const refuse = (detail: string): Refusal => refusal('unauthenticated', undefined, detail)
