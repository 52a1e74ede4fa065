// Health. It owns whether this replica wants requests; the public answers say yes or no, and nothing more.

import type { FastifyInstance } from 'fastify'
import Type from 'typebox'

export interface Health {
  isReady(): boolean
  isStopping(): boolean
  ready(): void
  stop(): void
}

/** @param isAble whether what requests need is there, beside the process itself */
export function createHealth(isAble: () => boolean = () => true): Health {
  let state: 'starting' | 'ready' | 'stopping' = 'starting'
  return {
    isReady: () => state === 'ready' && isAble(),
    isStopping: () => state === 'stopping',
    ready: () => {
      if (state === 'starting') state = 'ready'
    },
    stop: () => {
      state = 'stopping'
    },
  }
}

const answer = Type.Object({ status: Type.Enum(['ok', 'unavailable']) })

export function answerHealth(app: FastifyInstance, health: Health): void {
  const shared = { tags: ['health'], security: [] }
  app.get(
    '/livez',
    { schema: { ...shared, operationId: 'live', summary: 'Whether the process lives', response: { 200: answer } } },
    () => ({
      status: 'ok',
    }),
  )
  app.get(
    '/readyz',
    {
      schema: {
        ...shared,
        operationId: 'ready',
        summary: 'Whether it wants requests',
        response: { 200: answer, 503: answer },
      },
    },
    (_request, reply) => (health.isReady() ? { status: 'ok' } : reply.code(503).send({ status: 'unavailable' })),
  )
}
