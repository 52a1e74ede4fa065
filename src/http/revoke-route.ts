// POST /revoke. It owns the wire: whom, and what became of it at each provider.

import type { FastifyInstance, FastifyRequest } from 'fastify'
import Type from 'typebox'
import { isRefusal, type Refusal } from '../errors.ts'
import type { Revoked } from '../revoke.ts'
import { readJsonAndForms } from './body.ts'
import type { Refuse } from './refuse.ts'
import { tokenRouteSchema } from './schemas.ts'

const text = Type.String()
const whom = {
  source: Type.Optional(
    Type.String({ description: 'Who vouches for the subject: the name of an issuer, the id of an API key, gateway.' }),
  ),
  subject: Type.Optional(text),
  tokenId: Type.Optional(Type.String({ description: 'In place of source and subject: one token, by its id.' })),
}

const answer = Type.Object(
  {
    revoked: Type.Object({
      ...whom,
      until: Type.Integer({ description: 'Unix seconds: until then nothing is issued to him.' }),
    }),
    outcomes: Type.Record(text, Type.Object({ done: Type.Boolean(), detail: text }), {
      description: 'By provider: whether what he had is ended too.',
    }),
  },
  {
    description: 'It is in force.',
    examples: [
      {
        revoked: { source: 'main', subject: 'alice', until: 1795306234 },
        outcomes: { nats: { done: true, detail: 'Connects are refused, and 2 connections were told to end' } },
      },
    ],
  },
)

const schema = {
  ...tokenRouteSchema({
    operationId: 'revoke',
    summary: 'Cut a user off',
    description:
      'For callers with the grant `admin: [revoke]`. By source and subject nothing more is issued to the user by any provider, for a ' +
      'day; by tokenId that NATS token alone is refused. What he has already is ended where the vendor allows it.',
    body: Type.Object(whom, { additionalProperties: false }),
    answer,
  }),
  tags: ['administration'],
}

export function revokeRoute(
  scope: FastifyInstance,
  { revoke, refuse }: { revoke: (request: FastifyRequest) => Promise<Revoked | Refusal>; refuse: Refuse },
): void {
  readJsonAndForms(scope)
  scope.post('/revoke', { schema, config: { provider: 'admin' } }, async (request, reply) => {
    const outcome = await revoke(request)
    return isRefusal(outcome) ? refuse(request, reply, outcome) : outcome
  })
}
