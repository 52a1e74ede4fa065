// What nats-server is answered. It owns the response JWT around the user JWT or an error, sealed (ADR-26; facts/nats.md 1.3).

import { encodeNatsJwt } from '../jwt.ts'
import { toUserClaims } from '../user-jwt.ts'
import type { Authorization } from './authorize.ts'
import type { CalloutRequest } from './request.ts'

/** @param error goes to the log of nats-server; the client hears "Authorization Violation", whatever it is */
export function toResponse(
  { serverId, serverXkey, xkey, issuer, userNkey }: CalloutRequest,
  outcome: Authorization | { readonly error: string },
  nowMs: number,
): Uint8Array {
  const issuedAt = Math.floor(nowMs / 1000)
  const result =
    'error' in outcome
      ? { error: outcome.error }
      : {
          jwt: encodeNatsJwt(
            toUserClaims({ ...outcome, subject: userNkey, issuedAt, audience: outcome.rights.account }),
            issuer,
          ),
        }
  const claims = {
    sub: userNkey,
    aud: serverId,
    iat: issuedAt,
    nats: { ...result, type: 'authorization_response', version: 2 },
  }
  return xkey.seal(Buffer.from(encodeNatsJwt(claims, issuer), 'latin1'), serverXkey)
}
