// The OpenAPI document. It owns what is said of the service as a whole; the routes say the rest.

import swagger from '@fastify/swagger'
import type { FastifyInstance } from 'fastify'
import { refusal } from '../errors.ts'
import type { Refuse } from './refuse.ts'
import { agoraErrorSchema, errorSchema } from './schemas.ts'

export async function describe(app: FastifyInstance): Promise<void> {
  app.addSchema(errorSchema)
  app.addSchema(agoraErrorSchema)
  await app.register(swagger, {
    refResolver: {
      buildLocalReference: (schema, _base, _fragment, index) => String(schema['$id'] ?? `schema-${index}`),
    },
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Usher',
        version: '0.1.0',
        description:
          'Short-lived, least-privilege credentials for Agora, Ably and NATS. Every error has one body, whose `reason` is stable.',
        license: { name: 'MIT', identifier: 'MIT' },
      },
      servers: [{ url: 'http://127.0.0.1:8082', description: 'The sandbox.' }],
      tags: [
        { name: 'tokens', description: 'Credentials for callers.' },
        { name: 'health', description: 'For gateways and orchestrators.' },
      ],
      components: {
        securitySchemes: {
          bearer: {
            type: 'http',
            scheme: 'bearer',
            description: 'A JWT of a configured issuer, or an API key. A gateway may vouch for the caller instead.',
          },
        },
      },
    },
  })
}

/** Nothing from elsewhere, and nothing inline but the one style that Swagger UI 5 makes; its icons are data: URLs. */
const docsPolicy =
  "default-src 'none'; script-src 'self'; style-src 'self' 'sha256-RL3ie0nH+Lzz2YNqQN83mnU0J1ot4QL7b99vMdIX99w='; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

/** /openapi.yaml and /docs, where the operator switched them on. */
export async function serveDocs(app: FastifyInstance, refuse: Refuse): Promise<void> {
  const { default: swaggerUi } = await import('@fastify/swagger-ui')
  await app.register(async (scope) => {
    // After the one for all answers, whose policy allows nothing.
    scope.addHook('onSend', (_request, reply, payload, done) => {
      reply.header('content-security-policy', docsPolicy)
      done(null, payload)
    })
    // Its files are all there is: whatever goes wrong on the way to one, there is nothing at that path.
    scope.setErrorHandler((_error, request, reply) => refuse(request, reply, refusal('not_found')))
    scope.get('/openapi.yaml', { schema: { hide: true } }, (_request, reply) =>
      reply.type('application/yaml').send(app.swagger({ yaml: true })),
    )
    await scope.register(swaggerUi, {
      routePrefix: '/docs',
      uiConfig: { tryItOutEnabled: false, docExpansion: 'list', layout: 'BaseLayout' },
      theme: { title: 'Usher' },
    })
  })
}
