// The ops port. It owns what an operator sees and a caller must not: details, policy state, metrics. It listens on loopback unless set.

import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { type Reason, refusal } from '../errors.ts'
import { bareAnswer } from '../http/refuse.ts'
import { isLoopbackHost, isLoopbackName } from '../identity/loopback.ts'
import type { Metrics } from '../metrics.ts'
import { answerHealth, type Health } from './health.ts'

/** @param host where it listens: on loopback it is asked by that name only, so that no page can point its own name there */
export function buildOps(
  health: Health,
  host: string,
  details: () => object,
  metrics: Pick<Metrics, 'render' | 'contentType'>,
): FastifyInstance {
  const ops = fastify({
    logger: false,
    exposeHeadRoutes: false,
    requestTimeout: 5_000,
    forceCloseConnections: true,
    frameworkErrors: (_error, request, reply) => refuse(request, reply as FastifyReply),
  })
  // Fastify’s own 404 repeats the address, and its 500 the error.
  ops.setNotFoundHandler((request, reply) => refuse(request, reply))
  ops.setErrorHandler((_error, request, reply) => refuse(request, reply, 'internal'))
  if (isLoopbackName(host))
    ops.addHook('onRequest', (request, reply, done) => {
      if (isLoopbackHost(request.headers.host ?? '')) done()
      else refuse(request, reply, 'foreign_origin')
    })
  answerHealth(ops, health)
  ops.get('/status', () => details())
  ops.get('/metrics', async (_request, reply) => reply.type(metrics.contentType).send(await metrics.render()))
  return ops
}

function refuse({ id }: Pick<FastifyRequest, 'id'>, reply: FastifyReply, reason: Reason = 'not_found'): void {
  const { status, headers, body } = bareAnswer(refusal(reason), id)
  reply.hijack()
  reply.raw.writeHead(status, headers).end(body)
}
