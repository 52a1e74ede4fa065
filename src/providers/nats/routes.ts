// GET|POST /nats/token. It owns the wire: the token, where to connect, and what the token is not.

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import Type from 'typebox'
import { isRefusal } from '../../errors.ts'
import { mergeFields, readJsonAndForms } from '../../http/body.ts'
import { tokenRouteSchema } from '../../http/schemas.ts'
import type { RouteDeps } from '../module.ts'
import type { NatsCredential } from './mint.ts'

const addresses = Type.Array(Type.String())
const answer = Type.Object(
  {
    token: Type.String({ description: "For the client's token option." }),
    mode: Type.Literal('static'),
    shared: Type.Boolean({ description: 'true: one token for the whole server, without user, permissions or end.' }),
    user: Type.Null(),
    expiresAt: Type.Null(),
    urls: addresses,
    wsUrls: addresses,
    inboxPrefix: Type.Null(),
    permissions: Type.Null(),
  },
  {
    description: 'The token.',
    examples: [
      {
        token: 'm7MRJSPON8dwp1bH6MRkDw',
        mode: 'static',
        shared: true,
        user: null,
        expiresAt: null,
        urls: ['nats://127.0.0.1:4222'],
        wsUrls: ['ws://127.0.0.1:4223'],
        inboxPrefix: null,
        permissions: null,
      },
    ],
  },
)

const texts = {
  summary: 'The shared NATS token',
  description:
    'For callers with the grant `nats: { shared: true }`. The addresses hold no token: most clients take it as an option.',
  answer,
}

export function natsRoutes(scope: FastifyInstance, { issue, refuse }: RouteDeps<NatsCredential>): void {
  readJsonAndForms(scope)
  const handler = async (request: FastifyRequest, reply: FastifyReply) => {
    const minted = await issue(request, mergeFields(request.query, request.body))
    if (isRefusal(minted)) return refuse(request, reply, minted)
    const { token, urls, wsUrls } = minted.credential
    return {
      token,
      mode: 'static',
      shared: true,
      user: null,
      expiresAt: minted.expiresAt,
      urls,
      wsUrls,
      inboxPrefix: null,
      permissions: null,
    }
  }
  const config = { provider: 'nats' }
  const nothing = Type.Object({}, { additionalProperties: false })
  scope.get('/nats/token', { schema: tokenRouteSchema({ ...texts, operationId: 'getNatsToken' }), config }, handler)
  scope.post(
    '/nats/token',
    { schema: tokenRouteSchema({ ...texts, operationId: 'postNatsToken', body: nothing }), config },
    handler,
  )
}
