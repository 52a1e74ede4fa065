// Whether the whole chain works. It owns the canary connect: nats-server asks, a replica answers, and a client is let in.

import { setTimeout as sleep } from 'node:timers/promises'
import { connect, type NatsConnection, type Subscription } from '@nats-io/transport-node'
import { type Log, toErrorFields } from '../../../log.ts'
import { newSerial } from '../../../revocations/token-id.ts'
import { createCanaryToken } from '../canary.ts'
import type { TokenKeys } from '../token.ts'

export interface ProofDeps {
  readonly servers: readonly string[]
  readonly keys: TokenKeys
  /** Unix milliseconds. */
  readonly now: () => number
  readonly log: Log
  /** The subscription to the callouts, made anew where nats-server has refused it. */
  readonly subscribe: () => Subscription
  /** Whether this replica answered it: another one of the queue group may have. */
  readonly isOwn: (serial: string) => boolean
}

/** In a row; then there is a pause. With a hundred replicas one row in three holds one that comes here. */
const maxCanaries = 40
const firstWaitMs = 250
const longestWaitMs = 5000

/**
 * Resolves once nats-server has confirmed the subscription and has let a canary in; tries until `signal` ends it.
 * @param connection the one that answers callouts
 */
export async function proveChain(connection: NatsConnection, deps: ProofDeps, signal: AbortSignal): Promise<boolean> {
  for (let waitMs = firstWaitMs; !signal.aborted; waitMs = Math.min(2 * waitMs, longestWaitMs)) {
    try {
      const subscription = deps.subscribe()
      // PONG comes after the server has read the subscription; another replica may answer where this one may not.
      await connection.flush()
      for (let count = 0; count < maxCanaries && !signal.aborted && !subscription.isClosed(); count++) {
        const serial = newSerial()
        await connectCanary({ ...deps, serial })
        if (deps.isOwn(serial)) return !signal.aborted
      }
      if (subscription.isClosed()) throw new Error('the subscription was refused')
    } catch (error) {
      if (signal.aborted) break
      // Its message is of the client library, and names the refusal of the server; a token is never in it.
      deps.log.error(
        { provider: 'nats', ...toErrorFields(error) },
        'callout: a canary was not let in; `usher nats check` says why',
      )
    }
    await sleep(waitMs, undefined, { signal }).catch(() => {})
  }
  return false
}

/** @throws where the canary is not let in */
async function connectCanary({ servers, keys, now, serial }: ProofDeps & { serial: string }): Promise<void> {
  const canary = await connect({
    servers: [...servers],
    token: createCanaryToken({ keys, nowMs: now(), serial }),
    name: 'usher canary',
    reconnect: false,
    timeout: 12_000,
  })
  await canary.close()
}
