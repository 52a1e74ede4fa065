// openapi.yaml. It owns how the document is made without a running service: the routes say all there is to say.

import { buildApp } from '../app.ts'
import { createGate } from '../limits.ts'
import { openLog } from '../log.ts'
import { createHealth } from '../ops/health.ts'

/** The document of a service in which nothing is configured: the routes are the same. */
export async function openApiYaml(): Promise<string> {
  const unused = () => {
    throw new Error('the document is made without a request')
  }
  const app = await buildApp({
    inForce: unused,
    providers: new Map(),
    audit: { record: unused },
    log: openLog('silent'),
    health: createHealth(),
    gate: createGate(1),
    now: Date.now,
    isListedOrigin: () => false,
    trustedProxies: [],
    sandbox: false,
    docs: false,
    refuseRevoked: unused,
    revocations: undefined,
  })
  await app.ready()
  return app.swagger({ yaml: true })
}
