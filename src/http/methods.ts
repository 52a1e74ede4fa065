// 404 and 405. It owns the table of paths and their methods, which the router does not tell.

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { refusal } from '../errors.ts'
import type { Refuse } from './refuse.ts'

export function answerUnknownRoutes(app: FastifyInstance, refuse: Refuse): void {
  const methodsOf = new Map<string, string[]>()
  app.addHook('onRoute', ({ url, method }) => {
    methodsOf.set(url, [...(methodsOf.get(url) ?? []), ...[method].flat()])
  })
  const answer = (request: FastifyRequest, reply: FastifyReply) => {
    const methods = methodsOf.get(request.url.split('?', 1)[0] as string)
    if (methods === undefined) return refuse(request, reply, refusal('not_found'))
    reply.header('allow', [...methods, 'OPTIONS'].join(', '))
    return refuse(request, reply, refusal('method_not_allowed', `Allowed here: ${methods.join(', ')}.`))
  }
  // Before the body is looked at: what is wrong with a body that nobody wants is not worth a word.
  app.addHook('onRequest', (request, reply, done) => {
    if (request.is404) answer(request, reply).catch(done)
    else done()
  })
  // For OPTIONS that is no preflight of a listed origin.
  app.setNotFoundHandler(answer)
}
