// The responder of this replica. It owns its connection, and whether it is known to work.

import { setTimeout as sleep } from 'node:timers/promises'
import type { NatsConnection, Subscription } from '@nats-io/transport-node'
import type { Log } from '../../../log.ts'
import { keepConnection } from '../connection.ts'
import type { Signer } from '../nkeys.ts'
import type { TokenKeys } from '../token.ts'
import { proveChain } from './proof.ts'
import { type ResponderDeps, respondOn } from './responder.ts'

export interface Responder {
  /** Whether the broker has confirmed the subscription and a canary went the whole way since. */
  isReady(): boolean
  /** Leaves the queue group, and answers what it was given. */
  close(): Promise<void>
}

/** A server that is away, or an audit that hangs, is not waited for. */
const leaveMs = 2000

export function openResponder({
  servers,
  login,
  keys,
  log,
  ...deps
}: Omit<ResponderDeps, 'onCanary'> & {
  servers: readonly string[]
  login: Signer
  keys: TokenKeys
  log: Log
}): Responder {
  let isReady = false
  let lastCanary = ''
  const onCanary = (serial: string) => {
    lastCanary = serial
  }
  let subscription: Subscription | undefined
  const underWay = new Set<Promise<void>>()
  let proof = new AbortController()

  function prove(up: NatsConnection): void {
    isReady = false
    proof.abort()
    proof = new AbortController()
    const { signal } = proof
    const subscribe = () => {
      // It is kept over an interruption; one that was refused is gone, and may be taken now.
      if (subscription === undefined || subscription.isClosed())
        subscription = respondOn(up, { ...deps, keys, log, onCanary }, underWay)
      return subscription
    }
    const isOwn = (serial: string) => serial === lastCanary
    void proveChain(up, { servers, keys, now: deps.now, log, subscribe, isOwn }, signal).then((isProven) => {
      if (isProven && !signal.aborted) isReady = true
    })
  }

  const connection = keepConnection({
    servers,
    login,
    name: 'callout',
    log,
    onUp: prove,
    // A reload of nats-server can take a right away. Where it took the subscription, the client library believes that it has it.
    onRefused: (up, { operation }) => {
      if (operation === 'subscription') subscription?.unsubscribe()
      if (isReady) prove(up)
    },
    onDown: () => {
      proof.abort()
      isReady = false
    },
  })
  /** NATS drains its messages, and knows nothing of the answers that they began. */
  async function leave(): Promise<void> {
    await subscription?.drain()
    await Promise.all(underWay)
  }

  return {
    isReady: () => isReady,
    close: async () => {
      proof.abort()
      isReady = false
      await Promise.race([leave(), sleep(leaveMs, undefined, { ref: false })]).catch(() => {})
      await connection.close()
    },
  }
}
