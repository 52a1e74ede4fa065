// Metrics, for the ops port. It owns every name and label; none has a caller in it.

import { Counter, Gauge, Histogram, Registry } from 'prom-client'

export interface Metrics {
  /** One authorization request of nats-server. @param seconds from its arrival to the answer */
  callout(outcome: string, seconds: number): void
  /** Connections that were told to end. */
  kicked(why: 'revoked' | 'soft_expiry', connections: number): void
  /** Text in the Prometheus format. */
  render(): Promise<string>
  readonly contentType: string
}

export function createMetrics(revocations: () => { entries: number; isCurrent: boolean } | undefined): Metrics {
  const registry = new Registry()
  const registers = [registry]
  const callouts = new Counter({
    name: 'usher_nats_callouts_total',
    help: 'Authorization requests of nats-server, by what became of them',
    labelNames: ['outcome'],
    registers,
  })
  const calloutSeconds = new Histogram({
    name: 'usher_nats_callout_seconds',
    help: 'From the arrival of an authorization request to its answer',
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5],
    registers,
  })
  const kicks = new Counter({
    name: 'usher_nats_kicks_total',
    help: 'Connections that nats-server was told to end',
    labelNames: ['why'],
    registers,
  })
  new Gauge({
    name: 'usher_revocations',
    help: 'Entries of the revocation list that are in force',
    registers,
    collect() {
      this.set(revocations()?.entries ?? 0)
    },
  })
  new Gauge({
    name: 'usher_revocations_current',
    help: '1 while the revocation list is known to hold what was revoked a second ago; without a list 1',
    registers,
    collect() {
      this.set(revocations()?.isCurrent === false ? 0 : 1)
    },
  })
  return {
    callout: (outcome, seconds) => {
      callouts.inc({ outcome })
      calloutSeconds.observe(seconds)
    },
    kicked: (why, connections) => kicks.inc({ why }, connections),
    render: () => registry.metrics(),
    contentType: registry.contentType,
  }
}
