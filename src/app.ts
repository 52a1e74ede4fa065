// The composition root. It owns the order in which the service is put together; no autoload.

import cors from '@fastify/cors'
import fastify, { type FastifyInstance } from 'fastify'
import type { Audit } from './audit.ts'
import { refusal } from './errors.ts'
import { admissionOf, type InForce } from './http/context.ts'
import { addHeaders } from './http/headers.ts'
import { answerUnknownRoutes } from './http/methods.ts'
import { describe, serveDocs } from './http/openapi.ts'
import { limits, serverOptions } from './http/options.ts'
import { bareAnswer, createRefuse, rawAnswer, toRefusal } from './http/refuse.ts'
import { revokeRoute } from './http/revoke-route.ts'
import { protect } from './http/token-scope.ts'
import { type IssueDeps, issue } from './issue.ts'
import type { Gate } from './limits.ts'
import type { Log } from './log.ts'
import { answerHealth, type Health } from './ops/health.ts'
import { type AnyProvider, registry } from './providers/registry.ts'
import type { RevocationList } from './revocations/list.ts'
import { revoke } from './revoke.ts'

export interface AppDeps {
  readonly inForce: () => InForce
  /** Those that are configured. */
  readonly providers: ReadonlyMap<string, AnyProvider>
  readonly audit: Audit
  readonly log: Log
  readonly health: Health
  /** Unix milliseconds. */
  readonly now: () => number
  readonly isListedOrigin: (origin: string) => boolean
  readonly trustedProxies: readonly string[]
  readonly gate: Gate
  readonly sandbox: boolean
  readonly docs: boolean
  readonly refuseRevoked: IssueDeps['refuseRevoked']
  /** Undefined where none is configured. */
  readonly revocations: RevocationList | undefined
}

export async function buildApp(deps: AppDeps): Promise<FastifyInstance> {
  const { log, health, gate, sandbox, isListedOrigin } = deps
  const refuse = createRefuse(deps)
  const app: FastifyInstance = fastify({
    ...serverOptions(deps.trustedProxies),
    frameworkErrors: (error, request, reply) => {
      const { status, headers, body } = bareAnswer(toRefusal(error, log, request.id), request.id)
      reply.raw.writeHead(status, headers).end(body)
    },
    clientErrorHandler: (error, socket) => {
      if (socket.writable) socket.end(rawAnswer(error.code))
      else socket.destroy()
    },
  })
  app.server.maxConnections = limits.maxConnections
  // Node drops the headers beyond its count in silence; the bytes are bounded already.
  app.server.maxHeadersCount = 0
  app.server.on('checkExpectation', (_request, response) => {
    const { status, headers, body } = bareAnswer(
      refusal('invalid_request', 'Expect: only 100-continue is understood'),
      '',
    )
    response.writeHead(status, headers).end(body)
  })
  app.addHook('onRequest', (request, reply, done) => {
    // RFC 9112, section 3.2.
    if (request.headers.host !== undefined || request.raw.httpVersion === '1.0') done()
    else refuse(request, reply, refusal('invalid_request', 'Host: is missing')).catch(done)
  })
  app.decorateRequest('admission', undefined)
  // Asks are checked by the providers; the schemas describe and serialize (docs/decisions/0002).
  app.setValidatorCompiler(() => () => true)
  app.setErrorHandler((error, request, reply) => refuse(request, reply, toRefusal(error, log, request.id)))
  addHeaders(app, { sandbox, isStopping: health.isStopping })

  await app.register(cors, {
    origin: (origin, decide) => decide(null, origin !== undefined && isListedOrigin(origin)),
    credentials: true,
    methods: ['GET', 'POST'],
    // `*` would not cover Authorization (https://fetch.spec.whatwg.org/#cors-non-wildcard-request-header-name).
    allowedHeaders: ['Authorization', 'Content-Type', 'Usher-On-Behalf-Of'],
    exposedHeaders: ['Retry-After', 'X-Request-Id', 'X-Ably-Errorcode', 'X-Ably-Errormessage'],
    maxAge: 600,
    // An OPTIONS that is no preflight is answered like one: the plugin’s own 400 is plain text.
    strictPreflight: false,
  })
  answerUnknownRoutes(app, refuse)
  await describe(app)
  answerHealth(app, health)

  for (const { entitlement, routes } of registry) {
    const provider = deps.providers.get(entitlement.name)
    await app.register(async (scope) => {
      protect(scope, { inForce: deps.inForce, refuse, gate, isListedOrigin })
      routes(scope, {
        refuse,
        issue: async (request, input) => {
          if (!gate.enter()) return refusal('overloaded')
          try {
            return await issue(deps, provider, {
              ...admissionOf(request),
              input,
              requestId: request.id,
              address: request.ip,
            })
          } finally {
            gate.leave()
          }
        },
      })
    })
  }
  const cutOffs = new Map([...deps.providers].map(([name, { cutOff }]) => [name, cutOff]))
  await app.register(async (scope) => {
    protect(scope, { inForce: deps.inForce, refuse, gate, isListedOrigin })
    revokeRoute(scope, {
      refuse,
      revoke: (request) =>
        revoke(
          { ...deps, list: deps.revocations, cutOffs },
          { ...admissionOf(request), input: request.body ?? {}, requestId: request.id, address: request.ip },
        ),
    })
  })
  if (deps.docs) await serveDocs(app, refuse)
  return app
}
