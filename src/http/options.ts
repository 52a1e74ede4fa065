// Fastify's options. It owns what a server that issues credentials switches on, off, and bounds (facts: each default leaks or hangs).

import { randomUUID } from 'node:crypto'
import type { Server } from 'node:http'
import type { FastifyHttpOptions } from 'fastify'

export const limits = {
  bodyBytes: 4096,
  /** A capability can be long. */
  ablyBodyBytes: 65_536,
  headerBytes: 16_384,
  urlCharacters: 8192,
  headersTimeoutMs: 5_000,
  requestTimeoutMs: 10_000,
  /** A connection on which nothing moves, before its first byte too. Above what the slowest answer takes (a token from Ably). */
  connectionTimeoutMs: 15_000,
  /** Above the idle timeout of usual gateways (60 s), so that they close first and never write into a closed socket. */
  keepAliveTimeoutMs: 65_000,
  maxConnections: 10_000,
} as const

export function serverOptions(trustedProxies: readonly string[]) {
  return {
    logger: false,
    // The client address as the trusted proxies tell it; never from anybody else.
    trustProxy: trustedProxies.length === 0 ? false : [...trustedProxies],
    bodyLimit: limits.bodyBytes,
    connectionTimeout: limits.connectionTimeoutMs,
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: limits.keepAliveTimeoutMs,
    // HEAD would mint, count and audit.
    exposeHeadRoutes: false,
    // A request that came in before the socket closed is still answered; new ones go to another replica.
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    onProtoPoisoning: 'error',
    onConstructorPoisoning: 'error',
    genReqId: () => randomUUID(),
    requestIdHeader: false,
    routerOptions: {
      caseSensitive: true,
      ignoreTrailingSlash: false,
      ignoreDuplicateSlashes: false,
      maxParamLength: 100,
    },
    http: {
      headersTimeout: limits.headersTimeoutMs,
      requestTimeout: limits.requestTimeoutMs,
      // Node looks for slow requests every 30 s otherwise.
      connectionsCheckingInterval: 1_000,
      maxHeaderSize: limits.headerBytes,
      insecureHTTPParser: false,
      // Node’s own answer to a missing one has no body and no headers of ours: see app.ts.
      requireHostHeader: false,
    },
  } as const satisfies FastifyHttpOptions<Server>
}
