// The way out for every refusal. It owns the error answer: status, body, headers, and its audit line.

import { STATUS_CODES } from 'node:http'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { type Audit, refuseUnrecorded } from '../audit.ts'
import { isRefusal, type Reason, type Refusal, refusal, retryAfterSeconds, statusOf, toErrorBody } from '../errors.ts'
import { type Log, toErrorFields } from '../log.ts'
import type { InForce } from './context.ts'
import { fixedHeaders } from './headers.ts'

export type Refuse = (request: FastifyRequest, reply: FastifyReply, refusal: Refusal) => Promise<FastifyReply>

export function createRefuse({ audit, inForce, log }: { audit: Audit; inForce: () => InForce; log: Log }): Refuse {
  return async (request, reply, refused) => {
    const { provider, dialect } = request.routeOptions.config
    const sent = provider === undefined ? refused : await recorded(request, provider, refused)
    const status = statusOf(sent.reason)
    const fields = {
      requestId: request.id,
      reason: sent.reason,
      ...(sent.detail !== undefined && { detail: sent.detail }),
    }
    if (status >= 500) log.error(fields, 'refused')
    else if (sent.detail?.startsWith('security:')) log.warn(fields, 'refused')
    const body = toErrorBody(sent, request.id)
    reply.code(status)
    const wait = retryAfterSeconds(sent.reason)
    if (wait !== undefined) reply.header('retry-after', String(wait))
    if (status === 401 && dialect?.challenge !== false) reply.header('www-authenticate', 'Bearer')
    if (dialect?.headers !== undefined) reply.headers(dialect.headers(body))
    return reply.send({ ...dialect?.fields?.(body), ...body })
  }

  /** A refusal that cannot be recorded is still one, by another name. */
  async function recorded(request: FastifyRequest, provider: string, refused: Refusal): Promise<Refusal> {
    try {
      await audit.record({
        requestId: request.id,
        provider,
        outcome: 'refused',
        caller: request.admission?.caller,
        address: request.ip,
        reason: refused.reason,
        detail: refused.detail ?? refused.message,
        ask: refused.ask,
        policy: (request.admission?.policy ?? inForce().policy).digest,
      })
      return refused
    } catch (error) {
      return refuseUnrecorded(error)
    }
  }
}

/** Errors of Fastify and of the request’s stream, by their code; whatever is not here is ours, and its message stays inside. */
const ofFastify: Readonly<Record<string, readonly [reason: Reason, message?: string]>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: ['body_too_large'],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: ['invalid_request', 'body: its length differs from Content-Length'],
  FST_ERR_CTP_INVALID_MEDIA_TYPE: ['unsupported_media_type'],
  FST_ERR_CTP_INVALID_JSON_BODY: ['invalid_request', 'body: is not valid JSON'],
  FST_ERR_CTP_EMPTY_JSON_BODY: ['invalid_request', 'body: is empty'],
  FST_ERR_BAD_URL: ['invalid_request', 'path: is not a valid URL'],
  FST_ERR_MAX_PARAM_LENGTH: ['uri_too_long'],
  FST_ERR_HANDLER_TIMEOUT: ['overloaded'],
  // The client went away, or broke its chunks: nothing of ours failed.
  ECONNRESET: ['invalid_request', 'body: did not arrive whole'],
}

export function toRefusal(error: unknown, log: Log, requestId: string): Refusal {
  if (isRefusal(error)) return error
  const [reason, message] = ofFastify[String((error as { code?: unknown }).code)] ?? []
  if (reason !== undefined) return refusal(reason, message)
  log.error({ requestId, ...toErrorFields(error) }, 'unexpected error')
  return refusal('internal')
}

/** What Node’s parser refuses, before there is a request: https://nodejs.org/api/errors.html */
const ofParser: Readonly<Record<string, Reason>> = {
  HPE_HEADER_OVERFLOW: 'headers_too_large',
  ERR_HTTP_REQUEST_TIMEOUT: 'request_timeout',
}

/** The same answer where no route was reached: no hook runs for it, so it brings its headers along. */
export function bareAnswer(refused: Refusal, requestId: string) {
  const body = JSON.stringify(toErrorBody(refused, requestId))
  return {
    status: statusOf(refused.reason),
    headers: {
      ...fixedHeaders,
      ...(requestId === '' ? {} : { 'x-request-id': requestId }),
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      connection: 'close',
    },
    body,
  }
}

/** And as bytes, for a connection that never became a request. */
export function rawAnswer(code: string | undefined): string {
  const { status, headers, body } = bareAnswer(refusal(ofParser[code ?? ''] ?? 'invalid_request'), '')
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  return `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n${body}`
}
