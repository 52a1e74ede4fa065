// A responder for the canary of `usher nats check`, while no Usher answers. It owns what is seen of a callout request; it answers
// none but the canary's.

import type { Msg, NatsConnection } from '@nats-io/transport-node'
import { type CalloutRequest, openRequest, type RequestKeys } from '../providers/nats/callout/request.ts'
import { toResponse } from '../providers/nats/callout/respond.ts'
import { calloutSubject, queue } from '../providers/nats/callout/responder.ts'
import { canaryRights, isCanary } from '../providers/nats/canary.ts'
import { decodeNatsJwt } from '../providers/nats/jwt.ts'
import type { TokenKeys } from '../providers/nats/token.ts'
import { isSealed } from '../providers/nats/xkey.ts'

/** A request as it came. */
export interface Seen {
  readonly isEncrypted: boolean
  /** Undefined where it is sealed for another xkey. */
  readonly opened:
    | {
        /** Public key of auth_callout.issuer. */
        readonly issuer: string
        /** How long the server waits for an answer. */
        readonly timeoutSeconds: number
        /** Of its clock before ours. */
        readonly aheadSeconds: number
      }
    | undefined
  readonly isAnswered: boolean
}

export interface Watch {
  /** The first that was answered, or else the last. */
  seen(): Seen | undefined
  /** Whether nats-server refused the subscription. */
  isRefused(): boolean
  close(): void
}

export interface WatchOptions extends RequestKeys {
  readonly keys: TokenKeys
  /** Where the canary is placed. */
  readonly account: string
  /** Unix milliseconds. */
  readonly now: () => number
}

export async function watchCallouts(connection: NatsConnection, options: WatchOptions): Promise<Watch> {
  let last: Seen | undefined
  let isRefused = false
  const subscription = connection.subscribe(calloutSubject, {
    queue,
    callback: (error, message) => {
      if (error !== null) isRefused = true
      else if (last?.isAnswered !== true) last = answer(message, options)
    },
  })
  // By its PONG the server has taken the subscription, or has refused it.
  await connection.flush()
  return { seen: () => last, isRefused: () => isRefused, close: () => subscription.unsubscribe() }
}

function answer(message: Msg, options: WatchOptions): Seen {
  const nowMs = options.now()
  const sender = message.headers?.get('Nats-Server-Xkey') ?? ''
  const isEncrypted = isSealed(message.data)
  const text = isEncrypted ? open(message.data, sender, options) : Buffer.from(message.data)
  const claims = text && decodeNatsJwt(text.toString('latin1'))?.claims
  if (claims === undefined) return { isEncrypted, opened: undefined, isAnswered: false }
  const { sub, iat, exp } = claims as { sub: string; iat: number; exp: number }
  const opened = { issuer: sub, timeoutSeconds: exp - iat, aheadSeconds: iat - Math.floor(nowMs / 1000) }
  // Ours, as the service judges it: the canary has to pass the same checks.
  const request = openRequest(message.data, sender, { ...options, nowMs })
  const reply = 'unanswerable' in request ? undefined : toReply(request, options, nowMs)
  return { isEncrypted, opened, isAnswered: reply !== undefined && message.respond(reply) }
}

function open(data: Uint8Array, sender: string, { xkeys }: RequestKeys): Buffer | undefined {
  for (const xkey of xkeys) {
    const plain = xkey.open(data, sender)
    if (plain !== undefined) return plain
  }
  return undefined
}

function toReply(request: CalloutRequest, { keys, account }: WatchOptions, nowMs: number): Uint8Array | undefined {
  const payload = keys.open(request.token ?? '')
  if (payload === undefined || !isCanary(payload)) return undefined
  const rights = canaryRights(payload, account, Math.floor(nowMs / 1000))
  return rights && toResponse(request, rights, nowMs)
}
