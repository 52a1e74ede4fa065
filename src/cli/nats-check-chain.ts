// The chain of one nats-server that `usher nats check` proves. It owns what a probe is, and what one leaves for those after it.

import type { NatsConnection } from '@nats-io/transport-node'
import type { Settings } from '../settings.ts'
import type { Greeting } from './nats-check-connect.ts'
import type { Finding } from './nats-check-report.ts'

export interface Chain {
  readonly server: string
  readonly greeting: Greeting
  readonly settings: Settings
  /** Unix milliseconds. */
  readonly now: () => number
  /** Usher's login where callouts are answered. */
  callout?: NatsConnection
  /** Its account, where nats-server says it. */
  calloutAccount?: string
  /** Usher's login in the system account. */
  system?: NatsConnection
  /** How many answer callouts; undefined where nobody can be asked. */
  responders?: number
  /** A connection that was let in by a canary token. */
  canary?: NatsConnection
}

export type Probe = (chain: Chain) => Promise<readonly Finding[]>
