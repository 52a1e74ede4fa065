// JWT mode. It owns the proof that nats-server takes what each signing key signs, for a user that exists only for this check.

import { jwtAuthenticator } from '@nats-io/transport-node'
import { encodeNatsJwt } from '../providers/nats/jwt.ts'
import { createSeed, publicNkeyOf } from '../providers/nats/nkeys.ts'
import { toPermissionClaims } from '../providers/nats/permissions.ts'
import { openSigningKeys, type SigningKey } from '../providers/nats/signing-keys.ts'
import type { Chain, Probe } from './nats-check-chain.ts'
import { type Failure, isFailure, tryConnect } from './nats-check-connect.ts'
import { type Finding, fault, fine } from './nats-check-report.ts'

export const connectWithJwts: Probe = async (chain) => {
  const findings: Finding[] = []
  for (const [name, key] of openSigningKeys(chain.settings.text('NATS_SIGNING_KEYS')))
    findings.push(await connectWith(name, key, chain))
  return findings
}

const lifetimeSeconds = 30
const nothing = { allow: [], deny: ['>'] }

async function connectWith(name: string, { account, signer }: SigningKey, { server, now }: Chain): Promise<Finding> {
  const [, role] = name.split(':')
  const seed = createSeed('user')
  const issuedAt = Math.floor(now() / 1000)
  const jwt = encodeNatsJwt(
    {
      sub: publicNkeyOf(seed, 'user'),
      name: 'usher-check',
      iat: issuedAt,
      exp: issuedAt + lifetimeSeconds,
      nats: {
        // The template of a role says it: a permission here would be refused.
        ...(role === undefined ? toPermissionClaims({ publish: nothing, subscribe: nothing }) : {}),
        issuer_account: account,
        type: 'user',
        version: 2,
      },
    },
    signer,
  )
  const connection = await tryConnect(server, { authenticator: jwtAuthenticator(jwt, new TextEncoder().encode(seed)) })
  if (isFailure(connection)) {
    if (connection.failed === 'refused') return refused(name, account, signer.publicKey, role)
    return role !== undefined && isCut(connection)
      ? unscoped(name, account, signer.publicKey)
      : unanswered(name, connection)
  }
  const maxPayload = connection.info?.max_payload
  await connection.close()
  if (role !== undefined && maxPayload === 0) return unscoped(name, account, signer.publicKey)
  return fine(`NATS_SIGNING_KEYS: a user that ${name} signs for is let in`)
}

function refused(name: string, account: string, key: string, role: string | undefined): Finding {
  const text = `NATS_SIGNING_KEYS: nats-server refuses what ${name} signs`
  const mend = `Put ${key} among signing_keys of ${account}, whose JWT has to be in the resolver`
  return role === undefined
    ? fault(text, `${mend}, as a plain key: a scoped one needs its role here`)
    : fault(text, `${mend}, as a scoped key; a template that reads tags refuses users without them, as this check's is`)
}

/** Without a template all limits of such a JWT are 0: nats-server says so, or closes after the subscription that it makes itself. */
const isCut = ({ code }: Failure): boolean => ['EPIPE', 'ECONNRESET'].includes(code)

const unscoped = (name: string, account: string, key: string): Finding =>
  fault(
    `NATS_SIGNING_KEYS: ${key} is no scoped key of ${account}, so users of ${name} may do nothing`,
    `Make it a scoped key in the JWT of the account, or take :${name.split(':')[1]} away`,
  )

const unanswered = (name: string, { code }: Failure): Finding =>
  fault(`NATS_SIGNING_KEYS: no answer to a user that ${name} signs for (${code})`, 'Look into the log of nats-server')
