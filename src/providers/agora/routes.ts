// POST /fetch_rtc_token. It owns the wire of Agora's own sample servers: body in, `{token, code}` out.

import type { FastifyInstance } from 'fastify'
import Type from 'typebox'
import { isRefusal } from '../../errors.ts'
import { readJsonOfAnyType } from '../../http/body.ts'
import type { ErrorDialect } from '../../http/context.ts'
import { tokenRouteSchema } from '../../http/schemas.ts'
import type { RouteDeps } from '../module.ts'

/** Samples read `code` as text, and take whatever stands in `token` for one: an error never has it. */
const dialect: ErrorDialect = { challenge: true, fields: ({ error }) => ({ code: String(error.statusCode) }) }

const seconds = Type.Integer({ minimum: 1, maximum: 86_400, description: 'Seconds.' })
const channel = Type.String({
  minLength: 1,
  maxLength: 64,
  description: 'One of ChannelName and channelName.',
  examples: ['room-1'],
})

const body = Type.Object(
  {
    channelName: Type.Optional(channel),
    ChannelName: Type.Optional(channel),
    uid: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 0xffff_ffff,
        description: "Absent = the one of the caller's grant. 0 = any user.",
      }),
    ),
    account: Type.Optional(
      Type.String({ minLength: 1, maxLength: 255, description: 'In place of uid; not digits only.' }),
    ),
    role: Type.Integer({ enum: [1, 2], description: '1 = publisher, 2 = subscriber.' }),
    expire: Type.Optional(seconds),
    privileges: Type.Optional(
      Type.Object(
        {
          joinChannel: Type.Optional(seconds),
          publishAudio: Type.Optional(seconds),
          publishVideo: Type.Optional(seconds),
          publishData: Type.Optional(seconds),
        },
        { additionalProperties: false, description: 'Only these besides joinChannel, each for so many seconds.' },
      ),
    ),
  },
  { additionalProperties: false, examples: [{ channelName: 'room-1', uid: 1234, role: 1 }] },
)

const answer = Type.Object(
  {
    token: Type.String({ description: 'AccessToken2, "007…".' }),
    code: Type.Literal('200'),
    expiresAt: Type.Integer({ description: 'Unix seconds.' }),
  },
  { description: 'The token.', examples: [{ token: '007eJw…', code: '200', expiresAt: 1_795_219_785 }] },
)

export function agoraRoutes(scope: FastifyInstance, { issue, refuse }: RouteDeps<string>): void {
  readJsonOfAnyType(scope)
  const schema = tokenRouteSchema({
    summary: 'An Agora RTC token',
    description: "Takes what Agora's own sample clients send, whatever their Content-Type.",
    body,
    answer,
    error: 'AgoraError',
    operationId: 'fetchRtcToken',
  })
  scope.post('/fetch_rtc_token', { schema, config: { provider: 'agora', dialect } }, async (request, reply) => {
    const minted = await issue(request, request.body)
    if (isRefusal(minted)) return refuse(request, reply, minted)
    return { token: minted.credential, code: '200', expiresAt: minted.expiresAt }
  })
}
