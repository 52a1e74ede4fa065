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
import { createMetrics } from './metrics.ts'
import { createHealth, type Health } from './ops/health.ts'
import { buildOps } from './ops/ops.ts'
import type { AnyEntitlement } from './policy/compile.ts'
import type { Fault } from './policy/faults.ts'
import { loadPolicy } from './policy/load.ts'
import { openPolicyFile } from './policy-file.ts'
import type { OpenDeps } from './providers/module.ts'
import { type AnyProvider, entitlements, registry } from './providers/registry.ts'
import { createRevocationCheck } from './revocations/judge.ts'
import { openRevocations } from './revocations/open.ts'

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
  const audit = createAudit(auditSink, now)
  const revocations = await openRevocations({ ...config.revocations, log, now })
  const refuseRevoked = createRevocationCheck({ list: revocations, onOutage: config.revocations.onOutage })
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
        entitlements: entitlementsIn(config),
        checkCallers: (callers, report, read) => checkIdentity(callers, report, identityDeps, read),
      }),
    apply: (policy) => {
      const identity = openIdentity(policy, identityDeps)
      inForce = { policy, identity, identify: config.sandbox ? identifySandbox : identity.identify }
    },
  })
  if (!('reload' in policyFile)) {
    await revocations?.close()
    return policyFile
  }

  const metrics = createMetrics(() => revocations?.state())
  const openDeps: OpenDeps = {
    now,
    fetch,
    log,
    audit,
    metrics,
    policy: () => current().policy,
    revocations: {
      refuse: refuseRevoked,
      entries: () => revocations?.entries() ?? [],
      onAdded: (listener) => revocations?.onAdded(listener) ?? (() => {}),
    },
  }
  const providers = new Map<string, AnyProvider>()
  for (const { entitlement, open } of registry) {
    const settings = config.providers.get(entitlement.name)
    if (settings !== undefined) providers.set(entitlement.name, open(settings, openDeps))
  }
  const health = createHealth(() => [...providers.values()].every(({ isReady }) => isReady?.() ?? true))
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
    refuseRevoked,
    revocations,
  })
  const destroySilent = watchSilentSockets(app.server)
  const details = () => ({
    sandbox: config.sandbox,
    inFlight: gate.inFlight(),
    providers: Object.fromEntries(
      registry.map(({ entitlement: { name } }) => [
        name,
        providers.get(name)?.state?.() ?? (providers.has(name) ? 'on' : 'off'),
      ]),
    ),
    revocations: revocations?.state() ?? 'off',
    policy: policyFile.state(),
    keys: current().identity.keys(),
  })
  const ops = buildOps(health, config.opsHost, details, metrics)
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
      const closed = Promise.all([app.close(), ops.close()])
      // Node watches no timeouts any more once a server closes: what has not come by then would hold it open for ever.
      destroySilent()
      const timer = setTimeout(() => app.server.closeAllConnections(), limits.requestTimeoutMs)
      await closed.finally(() => clearTimeout(timer))
      await Promise.all([...providers.values()].map(({ close }) => close?.()))
      await revocations?.close()
      policyFile.close()
    },
  }
}

/** What a grant can give here: providers that are on know what they can issue. The sandbox’s policy is for all of them. */
const entitlementsIn = ({ providers, sandbox }: Config): readonly AnyEntitlement[] =>
  entitlements.map((entitlement) => {
    if (sandbox) return entitlement
    const settings = providers.get(entitlement.name)
    const module = registry.find((module) => module.entitlement === entitlement)
    return (settings && module?.entitlementIn?.(settings)) ?? entitlement
  })

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
