// GET|POST /nats/token. It owns the wire: the token, where to connect, and what the token is good for.

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import Type, { type TSchema } from 'typebox'
import { isRefusal } from '../../errors.ts'
import { mergeFields, readJsonAndForms } from '../../http/body.ts'
import { tokenRouteSchema } from '../../http/schemas.ts'
import type { RouteDeps } from '../module.ts'
import { connectionTypes, natsModes } from './ask.ts'
import type { NatsCredential } from './credential.ts'

/** With where to connect; no address holds a token. */
export interface AddressedCredential extends NatsCredential {
  readonly urls: readonly string[]
  readonly wsUrls: readonly string[]
}

const texts = Type.Array(Type.String())
const orNull = (schema: TSchema) => Type.Union([schema, Type.Null()])
const side = Type.Object({ allow: texts, deny: texts })
const answer = Type.Object(
  {
    token: Type.String({ description: "For the client's token option; in jwt mode the user JWT." }),
    mode: Type.Enum([...natsModes]),
    shared: Type.Boolean({ description: 'true: one token for the whole server, without user, permissions or end.' }),
    user: orNull(Type.String({ description: 'The user, as nats-server shows him.' })),
    account: orNull(Type.String()),
    tokenId: orNull(Type.String({ description: 'What POST /revoke takes.' })),
    expiresAt: orNull(Type.Integer({ description: 'Unix seconds. nats-server ends the connection then.' })),
    urls: texts,
    wsUrls: texts,
    inboxPrefix: orNull(
      Type.String({ description: 'For the client’s inboxPrefix option: replies arrive there only.' }),
    ),
    permissions: orNull(
      Type.Object({
        publish: side,
        subscribe: side,
        responses: Type.Optional(Type.Object({ max: Type.Integer(), ttlMs: Type.Integer() })),
      }),
    ),
    creds: Type.Optional(Type.String({ description: 'A creds file, where one was asked for.' })),
  },
  {
    description: 'The token.',
    examples: [
      {
        token: 'ntk_k1.eyJpIjoi….X7Yk…',
        mode: 'callout',
        shared: false,
        user: 'main/alice',
        account: 'APP',
        tokenId: 'bWFpbi9hbGljZQ.m7MRJSPON8dwp1bH',
        expiresAt: 1795219774,
        urls: ['nats://127.0.0.1:4222'],
        wsUrls: ['ws://127.0.0.1:4223'],
        inboxPrefix: '_INBOX_2bd806c97f0e00af1a1fc3328fa763',
        permissions: {
          publish: { allow: ['orders.alice.new'], deny: [] },
          subscribe: { allow: ['orders.alice.>', '_INBOX_2bd806c97f0e00af1a1fc3328fa763.>'], deny: [] },
        },
      },
      {
        token: 'm7MRJSPON8dwp1bH6MRkDw',
        mode: 'static',
        shared: true,
        user: null,
        account: null,
        tokenId: null,
        expiresAt: null,
        urls: ['nats://127.0.0.1:4222'],
        wsUrls: ['ws://127.0.0.1:4223'],
        inboxPrefix: null,
        permissions: null,
      },
    ],
  },
)

const subjects = (what: string) => Type.Optional(Type.Array(Type.String(), { description: what, maxItems: 200 }))
const ttl = Type.Optional(Type.Integer({ minimum: 1, maximum: 86_400, description: 'Seconds.' }))
const ask = Type.Object(
  {
    ttl,
    account: Type.Optional(Type.String({ description: "Where the caller's grants are for more than one." })),
    publish: subjects('Subjects in place of all that the grants give; empty for none.'),
    subscribe: subjects('The same for subscriptions; "jobs.> workers" is for that queue alone.'),
    connectionTypes: Type.Optional(Type.Array(Type.Enum([...connectionTypes]), { minItems: 1 })),
    publicKey: Type.Optional(Type.String({ description: "jwt mode: the client's public user nkey, U…" })),
    creds: Type.Optional(Type.Literal(true, { description: 'jwt mode: a creds file in place of publicKey.' })),
  },
  { additionalProperties: false },
)

const route = {
  summary: 'A NATS token',
  description:
    'callout: a token of the user’s own, for the token option of any client. static: the one of the server, for the grant ' +
    '`nats: { shared: true }`. jwt: a user JWT for the key that the client made. The addresses hold no token.',
  answer,
}

export function natsRoutes(scope: FastifyInstance, { issue, refuse }: RouteDeps<AddressedCredential>): void {
  readJsonAndForms(scope)
  const handler = async (request: FastifyRequest, reply: FastifyReply) => {
    const minted = await issue(request, mergeFields(request.query, request.body))
    if (isRefusal(minted)) return refuse(request, reply, minted)
    const { own, ...credential } = minted.credential
    return { ...credential, ...(own ?? nobody), shared: own === undefined, expiresAt: minted.expiresAt }
  }
  const config = { provider: 'nats' }
  scope.get(
    '/nats/token',
    {
      schema: tokenRouteSchema({ ...route, operationId: 'getNatsToken', querystring: Type.Object({ ttl }) }),
      config,
    },
    handler,
  )
  scope.post(
    '/nats/token',
    { schema: tokenRouteSchema({ ...route, operationId: 'postNatsToken', body: ask }), config },
    handler,
  )
}

const nobody = { user: null, account: null, tokenId: null, inboxPrefix: null, permissions: null }
