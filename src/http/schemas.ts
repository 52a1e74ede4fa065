// Schemas that all token routes share. They describe and serialize; asks are checked by the providers, which name field, rule
// and mend (docs/decisions/0002).

import Type, { type TSchema } from 'typebox'
import { reasons, refusal, statusOf, toErrorBody } from '../errors.ts'

/** The one error body; routes refer to it. */
export const errorSchema = Type.Object(
  {
    error: Type.Object({
      code: Type.Integer({ description: "Ably's number of the error." }),
      statusCode: Type.Integer(),
      reason: Type.Enum([...reasons], { description: 'Stable name of the refusal.' }),
      message: Type.String({ description: 'Which field, which rule.' }),
      hint: Type.String({ description: 'How to mend it.' }),
      requestId: Type.String({ description: 'As in X-Request-Id and the audit.' }),
    }),
  },
  {
    $id: 'Error',
    description: 'A refusal.',
    examples: reasons.map((reason) => toErrorBody(refusal(reason), '6b1f6a5e-1c0f-4a55-9a44-0d6b1d2f7c11')),
  },
)

/** The same for Agora's clients, which read `code`. */
export const agoraErrorSchema = Type.Object(
  { code: Type.String({ description: 'The status as text.' }), error: Type.Ref('Error#/properties/error') },
  { $id: 'AgoraError', description: 'A refusal, for clients of Agora. It never has `token`.' },
)

const statusTexts: Readonly<Record<string, string>> = {
  400: 'The request is outside the grammar.',
  401: 'Who are you? Log in again.',
  403: 'Inside the grammar, but not yours. Final.',
  404: 'Not here.',
  405: 'Not by this method; Allow names the others.',
  408: 'Too slow.',
  413: 'Too large.',
  414: 'Too long.',
  415: 'Not understood.',
  422: 'Understood, but it cannot be made.',
  429: 'Later; Retry-After says when.',
  431: 'Headers too large.',
  500: 'Our fault.',
  502: "The provider's fault.",
  503: 'Later; Retry-After says when.',
}

const statuses = [...new Set(reasons.map(statusOf))].sort()

const errorAnswers = (schemaId: string): Record<string, object> =>
  Object.fromEntries(
    statuses.map((status) => {
      const own = reasons.filter((reason) => statusOf(reason) === status).join(', ')
      return [status, { description: `${statusTexts[status]} Reasons: ${own}.`, $ref: `${schemaId}#` }]
    }),
  )

export interface TokenRouteText {
  readonly summary: string
  readonly description: string
  readonly body?: TSchema
  readonly querystring?: TSchema
  readonly answer: TSchema
  /** $id of the error body. */
  readonly error?: string
  readonly operationId: string
  readonly consumes?: readonly string[]
}

export const tokenRouteSchema = ({
  summary,
  description,
  body,
  querystring,
  answer,
  error = 'Error',
  operationId,
  consumes,
}: TokenRouteText) => ({
  operationId,
  summary,
  description,
  tags: ['tokens'],
  security: [{ bearer: [] }, {}],
  ...(body === undefined ? {} : { body }),
  ...(querystring === undefined ? {} : { querystring }),
  ...(consumes === undefined ? {} : { consumes: [...consumes] }),
  response: { 200: answer, ...errorAnswers(error) },
})
