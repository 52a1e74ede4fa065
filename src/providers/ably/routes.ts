// GET|POST /api/ably-token. It owns the wire of Ably's authUrl and authCallback: bare TokenRequest or TokenDetails, no envelope.

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import Type from 'typebox'
import { isRefusal } from '../../errors.ts'
import { mergeFields, readJsonAndForms } from '../../http/body.ts'
import type { ErrorDialect } from '../../http/context.ts'
import { limits } from '../../http/options.ts'
import { tokenRouteSchema } from '../../http/schemas.ts'
import type { RouteDeps } from '../module.ts'
import { modes } from './ask.ts'
import type { AblyCredential } from './credentials.ts'

const dialect: ErrorDialect = {
  // ably-java fails on any scheme that it does not know (HttpAuth.sortAuthenticateHeaders).
  challenge: false,
  headers: ({ error }) => ({ 'x-ably-errorcode': String(error.code), 'x-ably-errormessage': error.message }),
}

const parameters = {
  clientId: Type.Optional(Type.String({ description: "Absent = the one of the caller's grant.", examples: ['me'] })),
  capability: Type.Optional(
    Type.String({
      description: "JSON text; absent = all that the caller's grants name.",
      examples: ['{"sandbox:room":["subscribe"]}'],
    }),
  ),
  ttl: Type.Optional(Type.String({ pattern: '^\\d{1,9}$', description: 'Milliseconds, 1 to 86400000.' })),
  mode: Type.Optional(
    Type.Enum([...modes], { description: 'request = a signed TokenRequest; token = a token from Ably.' }),
  ),
}

const text = Type.Optional(Type.String())
const number = Type.Optional(Type.Integer())
/** Either shape whole: an undeclared field would be dropped, and a request without its mac is worthless. */
const answer = Type.Object(
  {
    keyName: text,
    ttl: number,
    capability: Type.String({ description: 'Canonical JSON text.' }),
    clientId: text,
    timestamp: number,
    nonce: text,
    mac: text,
    token: text,
    issued: number,
    expires: number,
  },
  {
    description: "A TokenRequest (mode=request) or TokenDetails (mode=token), as Ably's SDKs take them.",
    examples: [
      {
        keyName: 'appId.keyId',
        ttl: 3_600_000,
        capability: '{"sandbox:*":["*"]}',
        clientId: 'me',
        timestamp: 1_795_219_785_000,
        nonce: '884cb08b-7a19-4b4c-8e27-0446951d9053',
        mac: '80WMgz6xxU/EeMMUNvebh78xCPFSE2ogJVeeeDhZ6cU=',
      },
    ],
  },
)

const texts = {
  summary: 'An Ably TokenRequest or token',
  description: 'For authUrl and authCallback of any Ably SDK. Unknown parameters are ignored, as the SDKs need.',
  answer,
}

export function ablyRoutes(scope: FastifyInstance, { issue, refuse }: RouteDeps<AblyCredential>): void {
  readJsonAndForms(scope)
  const handler = async (request: FastifyRequest, reply: FastifyReply) => {
    const minted = await issue(request, mergeFields(request.query, request.body))
    return isRefusal(minted) ? refuse(request, reply, minted) : minted.credential
  }
  const config = { provider: 'ably', dialect }
  const url = '/api/ably-token'
  scope.get(
    url,
    {
      schema: tokenRouteSchema({ ...texts, operationId: 'getAblyToken', querystring: Type.Object(parameters) }),
      config,
    },
    handler,
  )
  const consumes = ['application/x-www-form-urlencoded', 'application/json']
  const body = Type.Object(parameters)
  scope.post(
    url,
    {
      schema: tokenRouteSchema({ ...texts, operationId: 'postAblyToken', body, consumes }),
      config,
      bodyLimit: limits.ablyBodyBytes,
    },
    handler,
  )
}
