// Answers the auth callout of nats-server. It owns the subscription, and that each request gets one answer or none, in bounded
// work, and never an exception.

import type { Msg, NatsConnection, Subscription } from '@nats-io/transport-node'
import type { Audit } from '../../../audit.ts'
import { isRefusal } from '../../../errors.ts'
import type { Gate } from '../../../limits.ts'
import { type Log, toErrorFields } from '../../../log.ts'
import type { Metrics } from '../../../metrics.ts'
import { toTokenId } from '../../../revocations/token-id.ts'
import { toInboxPrefix } from '../holder.ts'
import { toPermissions } from '../permissions.ts'
import { type Authorization, type AuthorizeDeps, authorize } from './authorize.ts'
import { type CalloutRequest, openRequest, type RequestKeys } from './request.ts'
import { toResponse } from './respond.ts'

export const calloutSubject = '$SYS.REQ.USER.AUTH'
/** All replicas are one queue group: nats-server gives each request to one of them. */
export const queue = 'usher'

export interface ResponderDeps extends Omit<AuthorizeDeps, 'policy'> {
  readonly requestKeys: RequestKeys
  readonly policy: () => { readonly compiled: ReturnType<AuthorizeDeps['policy']>; readonly digest: string }
  readonly audit: Audit
  readonly metrics: Metrics
  readonly log: Log
  /** How many answers may wait for their audit line; more requests are dropped, and their clients come again. */
  readonly gate: Gate
  /** Hears of each canary that was answered here. */
  readonly onCanary: (serial: string) => void
  /** Hears of each connection that was let in. */
  readonly onAuthorized: (connection: { serverId: string; connectionId: number; expiresAt: number }) => void
}

/**
 * Subscribes on a connection of the AUTH account; the subscription lives as long as that, or until it is refused.
 * @param underWay holds each answer until it is on its way
 */
export function respondOn(connection: NatsConnection, deps: ResponderDeps, underWay: Set<Promise<void>>): Subscription {
  return connection.subscribe(calloutSubject, {
    queue,
    callback: (error, message) => {
      if (error !== null)
        return deps.log.error({ provider: 'nats', ...toErrorFields(error) }, 'the callout subscription was refused')
      const answering = answer(message, deps).finally(() => underWay.delete(answering))
      underWay.add(answering)
    },
  })
}

async function answer(message: Msg, deps: ResponderDeps): Promise<void> {
  const { gate, metrics, log, now } = deps
  const startedAt = performance.now()
  const count = (outcome: string) => metrics.callout(outcome, (performance.now() - startedAt) / 1000)
  if (!gate.enter()) return count('shed')
  try {
    const sender = message.headers?.get('Nats-Server-Xkey') ?? ''
    const request = openRequest(message.data, sender, { ...deps.requestKeys, nowMs: now() })
    if ('unanswerable' in request) {
      if (request.unanswerable === 'invalid')
        log.warn({ provider: 'nats', detail: request.detail }, 'security: a callout request was dropped')
      return count(request.unanswerable)
    }
    const { outcome, reply } = await decideOn(request, deps)
    message.respond(reply)
    count(outcome)
  } catch (error) {
    log.error({ provider: 'nats', ...toErrorFields(error) }, 'a callout request failed')
    count('failed')
  } finally {
    gate.leave()
  }
}

/** Decides and records; a connect that cannot be recorded is refused. */
async function decideOn(request: CalloutRequest, deps: ResponderDeps): Promise<{ outcome: string; reply: Uint8Array }> {
  const { audit, policy: inForce, now, onAuthorized, log } = deps
  const { compiled, digest } = inForce()
  const { serverId, connectionId, host, token } = request
  const decided = authorize(request, { ...deps, policy: () => compiled })
  const refuse = (outcome: string, error: string) => ({ outcome, reply: toResponse(request, { error }, now()) })
  const entry = { requestId: `${serverId}:${connectionId}`, provider: 'nats', address: host, policy: digest }
  try {
    if (isRefusal(decided)) {
      const { reason, detail, content } = decided
      const caller = content && { ...content.basis.caller, claims: {} }
      await audit.record({ ...entry, outcome: 'refused', reason, detail, caller, identifies: content && token })
      return refuse(reason, `${reason}${detail === undefined ? '' : `: ${detail}`}`)
    }
    if (decided.content === undefined) {
      deps.onCanary(decided.serial)
      return { outcome: 'canary', reply: toResponse(request, decided, now()) }
    }
    await audit.record({ ...entry, outcome: 'connected', ...toRecord(decided), identifies: token })
  } catch (error) {
    log.error({ provider: 'nats', ...toErrorFields(error) }, 'a connect could not be recorded')
    return refuse('audit_unavailable', 'audit_unavailable')
  }
  onAuthorized({ serverId, connectionId, expiresAt: decided.expiresAt })
  return { outcome: 'authorized', reply: toResponse(request, decided, now()) }
}

const toRecord = ({ rights, owner, serial, expiresAt, grantIds, content }: Authorization) => ({
  caller: content && { ...content.basis.caller, claims: {} },
  rights: { account: rights.account, ...toPermissions(rights, toInboxPrefix(owner, serial)) },
  expiresAt,
  tokenId: toTokenId(owner, serial),
  grants: grantIds,
})
