// The service, opened from its configuration. It owns what there is in a running Usher, and nothing of the process.

import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import type { FastifyInstance } from 'fastify'
import { buildApp } from './app.ts'
import { type Audit, createAudit, type Sink } from './audit.ts'
import type { Config } from './config.ts'
import type { InForce } from './http/context.ts'
import { limits } from './http/options.ts'
import { isLoopbackOrigin } from './identity/loopback.ts'
import { checkIdentity, type IdentityDeps, type OpenIdentity, openIdentity } from './identity/open.ts'
import { identifySandbox } from './identity/sandbox.ts'
import { createGate } from './limits.ts'
import type { Log } from './log.ts'
import { createHealth, type Health } from './ops/health.ts'
import { buildOps } from './ops/ops.ts'
import type { Fault } from './policy/faults.ts'
import { loadPolicy } from './policy/load.ts'
import { openPolicyFile } from './policy-file.ts'
import { type AnyProvider, entitlements, registry } from './providers/registry.ts'

export interface ServiceDeps {
  readonly log: Log
  readonly auditSink: Sink
  /** Unix milliseconds. */
  readonly now: () => number
  readonly fetch: typeof fetch
}

export interface Service {
  readonly app: FastifyInstance
  readonly ops: FastifyInstance
  readonly health: Health
  readonly audit: Audit
  /** Loads what the first request would otherwise wait for; never rejects. */
  warm(): Promise<void>
  reloadPolicy(): void
  close(): Promise<void>
}

/** The sandbox’s policy: a file of this repository, run by the same engine as any other. */
export const sandboxPolicy = fileURLToPath(new URL('../policy.sandbox.yaml', import.meta.url))

/** @returns the service, or the faults of its policy file */
export async function openService(
  config: Config,
  { log, auditSink, now, fetch }: ServiceDeps,
): Promise<Service | readonly Fault[]> {
  const path = config.policyFile ?? sandboxPolicy
  const identityDeps: IdentityDeps = {
    gatewaySecrets: config.gatewaySecrets,
    fetch,
    now,
    keySets: new Map(),
  }
  let inForce: (InForce & { identity: OpenIdentity }) | undefined
  const current = () => {
    if (inForce === undefined) throw new Error('no policy is in force')
    return inForce
  }
  const policyFile = openPolicyFile({
    path,
    log,
    now,
    load: (text, readText) =>
      loadPolicy(text, readText, {
        entitlements,
        checkCallers: (callers, report, read) => checkIdentity(callers, report, identityDeps, read),
      }),
    apply: (policy) => {
      const identity = openIdentity(policy, identityDeps)
      inForce = { policy, identity, identify: config.sandbox ? identifySandbox : identity.identify }
    },
  })
  if (!('reload' in policyFile)) return policyFile

  const providers = new Map<string, AnyProvider>()
  for (const { entitlement, open } of registry) {
    const settings = config.providers.get(entitlement.name)
    if (settings !== undefined) providers.set(entitlement.name, open(settings, { now, fetch }))
  }
  const audit = createAudit(auditSink, now)
  const health = createHealth()
  const gate = createGate(config.maxInFlight)
  const listed = new Set(config.corsOrigins)
  const app = await buildApp({
    inForce: current,
    providers,
    audit,
    log,
    health,
    gate,
    now,
    isListedOrigin: config.sandbox ? isLoopbackOrigin : (origin) => listed.has(origin),
    trustedProxies: config.trustedProxies,
    sandbox: config.sandbox,
    docs: config.docs,
  })
  const destroySilent = watchSilentSockets(app.server)
  const ops = buildOps(health, config.opsHost, () => ({
    sandbox: config.sandbox,
    inFlight: gate.inFlight(),
    providers: Object.fromEntries(
      registry.map(({ entitlement: { name } }) => [name, providers.has(name) ? 'on' : 'off']),
    ),
    policy: policyFile.state(),
    keys: current().identity.keys(),
  }))
  return {
    app,
    ops,
    health,
    audit,
    warm: async () => {
      await Promise.allSettled([
        current().identity.warm(),
        ...[...providers.values()].map((provider) => provider.warm?.()),
      ])
    },
    reloadPolicy: policyFile.reload,
    close: async () => {
      policyFile.close()
      const closed = Promise.all([app.close(), ops.close()])
      // Node watches no timeouts any more once a server closes: what has not come by then would hold it open for ever.
      destroySilent()
      const timer = setTimeout(() => app.server.closeAllConnections(), limits.requestTimeoutMs)
      await closed.finally(() => clearTimeout(timer))
    },
  }
}

/** A socket that has sent nothing (a probe, a browser's preconnect) is no request under way. @returns destroys all such */
function watchSilentSockets(server: Server): () => void {
  const sockets = new Set<Socket>()
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  return () => {
    for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy()
  }
}
