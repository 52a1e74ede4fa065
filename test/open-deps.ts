// What a provider is opened with, where a test has no service around it.

import { createAudit } from '../src/audit.ts'
import { openLog } from '../src/log.ts'
import { createMetrics } from '../src/metrics.ts'
import type { Grounds } from '../src/policy/decide.ts'
import type { OpenDeps } from '../src/providers/module.ts'

const unused = (what: string) => (): never => {
  throw new Error(`${what} is not part of this test`)
}

export const openDeps = (over: Partial<OpenDeps> = {}): OpenDeps => {
  const now = over.now ?? Date.now
  return {
    now,
    fetch: () => Promise.reject(new Error('no network in this test')),
    log: openLog('silent'),
    audit: createAudit(async () => {}, now),
    metrics: createMetrics(() => undefined),
    policy: unused('the policy'),
    revocations: { refuse: () => undefined, entries: () => [], onAdded: () => () => {} },
    ...over,
  }
}

/** For providers whose tokens hold their rights. */
export const noGrounds = { policy: undefined, basis: unused('what a decision rests on') } as unknown as Grounds
