// What nats-server asks. It owns the checks that make an authorization request believable (ADR-26; facts/nats.md 1.2).

import type { ConnectionType } from '../ask.ts'
import { decodeNatsJwt } from '../jwt.ts'
import { parsePublicNkey, type Signer } from '../nkeys.ts'
import { isSealed, type Xkey } from '../xkey.ts'

export interface CalloutRequest {
  /** The asking server’s id, which is its public key. */
  readonly serverId: string
  readonly serverXkey: string
  /** Which of our xkeys it sealed for. */
  readonly xkey: Xkey
  /** Which of our keys it wants the answer signed with. */
  readonly issuer: Signer
  /** Made for this one connect: both JWTs of the answer are about it. */
  readonly userNkey: string
  /** What the client gave; undefined for none. */
  readonly token: string | undefined
  /** Undefined for a kind of connection that Usher does not know. */
  readonly connectionType: ConnectionType | undefined
  /** Address of the client. */
  readonly host: string
  /** Number of the connection on that server. */
  readonly connectionId: number
}

/** Why there is nothing to answer: late = the server has given up already; invalid = whoever asks is no server of ours. */
export interface Unanswerable {
  readonly unanswerable: 'late' | 'invalid'
  readonly detail: string
}

export interface RequestKeys {
  readonly issuers: ReadonlyMap<string, Signer>
  readonly xkeys: readonly Xkey[]
}

const invalid = (detail: string): Unanswerable => ({ unanswerable: 'invalid', detail })

/** @param sender value of the header Nats-Server-Xkey */
export function openRequest(
  data: Uint8Array,
  sender: string,
  { issuers, xkeys, nowMs }: RequestKeys & { nowMs: number },
): CalloutRequest | Unanswerable {
  if (!isSealed(data)) return invalid('not encrypted: set auth_callout.xkey in the configuration of nats-server')
  const opened = openSealed(data, sender, xkeys)
  if (opened === undefined) return invalid('sealed for another xkey than those of NATS_XKEY_SEEDS')
  const jwt = decodeNatsJwt(opened.text)
  const { claims } = jwt ?? {}
  // A server leaves out what it has not; null would be somebody else’s.
  const nats = (claims?.['nats'] ?? undefined) as Partial<RequestClaims> | undefined
  if (jwt === undefined || claims === undefined || nats === undefined) return invalid('not a JWT')
  // Before anything that costs: a crowd that connects at once leaves many behind that nobody waits for any more.
  if (!((claims['exp'] as number) * 1000 > nowMs)) return { unanswerable: 'late', detail: 'past its exp' }
  if (claims['aud'] !== 'nats-authorization-request' || nats.type !== 'authorization_request')
    return invalid('not an authorization request')
  const { id: serverId, xkey: serverXkey } = nats.server_id ?? {}
  if (typeof serverId !== 'string' || claims['iss'] !== serverId || serverXkey !== sender)
    return invalid('signed by another server than it names')
  if (!jwt.verify('server')) return invalid('not signed by the server that it names')
  const issuer = issuers.get(String(claims['sub']))
  if (issuer === undefined) return invalid('asks for an issuer that is not one of NATS_ISSUER_SEEDS')
  if (parsePublicNkey(nats.user_nkey, 'user') === undefined) return invalid('names no user nkey')
  const [client, options] = [nats.client_info ?? {}, nats.connect_opts ?? {}]
  return {
    serverId,
    serverXkey: sender,
    xkey: opened.xkey,
    issuer,
    userNkey: nats.user_nkey as string,
    token: options.auth_token || undefined,
    connectionType: toConnectionType(client),
    host: String(client.host ?? ''),
    connectionId: Number(client.id),
  }
}

/** nats-io/jwt, v2/authorization_claims.go. client_info.user can be the token itself: it is not read, and never logged. */
interface RequestClaims {
  readonly type: string
  readonly server_id: { readonly id?: string; readonly xkey?: string }
  readonly user_nkey: string
  readonly client_info: { readonly host?: string; readonly id?: number; readonly kind?: string; readonly type?: string }
  readonly connect_opts: { readonly auth_token?: string }
}

function openSealed(
  data: Uint8Array,
  sender: string,
  xkeys: readonly Xkey[],
): { text: string; xkey: Xkey } | undefined {
  for (const xkey of xkeys) {
    const plain = xkey.open(data, sender)
    if (plain !== undefined) return { text: plain.toString('latin1'), xkey }
  }
  return undefined
}

const clientTypes: ReadonlySet<string | undefined> = new Set(['nats', 'websocket', 'mqtt'])

function toConnectionType({ kind, type }: RequestClaims['client_info']): ConnectionType | undefined {
  if (kind === 'Leafnode') return 'leafnode'
  return kind === 'Client' && clientTypes.has(type) ? (type as ConnectionType) : undefined
}
