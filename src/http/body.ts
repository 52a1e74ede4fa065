// Bodies. It owns how bytes become fields: JSON whatever its Content-Type, or JSON and forms.

import { isUtf8 } from 'node:buffer'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { refusal } from '../errors.ts'

type Fields = Record<string, unknown>

/** Agora’s own samples send JSON as text/plain, as a form, or without a type (facts/agora.md 0). */
export function readJsonOfAnyType(scope: FastifyInstance): void {
  const parse = jsonParser(scope)
  scope.removeAllContentTypeParsers()
  scope.addContentTypeParser('*', { parseAs: 'buffer' }, (request, body, done) => parse(request, body as Buffer, done))
}

/** JSON objects and forms; no body at all is fine. */
export function readJsonAndForms(scope: FastifyInstance): void {
  const parse = jsonParser(scope)
  scope.removeAllContentTypeParsers()
  scope.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body, done) =>
    parse(request, body as Buffer, done),
  )
  scope.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'buffer' }, (_request, body, done) => {
    const text = decode(body as Buffer)
    if (text === undefined) done(notUtf8())
    else done(null, toFields(text))
  })
}

type Done = (error: Error | null, body?: unknown) => void

function jsonParser(scope: FastifyInstance) {
  // Fastify’s own parser refuses __proto__ and constructor keys.
  const parse = scope.getDefaultJsonParser('error', 'error') as (
    request: FastifyRequest,
    body: string,
    done: Done,
  ) => void
  return (request: FastifyRequest, body: Buffer, done: Done) => {
    const text = decode(body)
    if (text === undefined) done(notUtf8())
    else if (text === '') done(null, {})
    else parse(request, text, done)
  }
}

/** The error handler takes a refusal as it is; only Fastify’s type wants an Error here. */
const notUtf8 = () =>
  refusal('invalid_request', 'body: is not UTF-8, or begins with a byte order mark') as unknown as Error

/** Undefined where it is not UTF-8, or begins with a byte order mark: Fastify’s parser skips it, a form would keep it in a key. */
function decode(body: Buffer): string | undefined {
  if (!isUtf8(body)) return undefined
  const text = body.toString()
  return text.startsWith('\ufeff') ? undefined : text
}

/** A key that stands twice becomes a list, which no field accepts. */
function toFields(text: string): Fields {
  const fields: Fields = Object.create(null)
  for (const [key, value] of new URLSearchParams(text)) {
    const before = fields[key]
    if (before === undefined) fields[key] = value
    else if (Array.isArray(before)) before.push(value)
    else fields[key] = [before, value]
  }
  return fields
}

/** Query and body as one; a key in both counts as given twice. */
export function mergeFields(query: unknown, body: unknown): unknown {
  if (body === undefined || body === null) return query
  if (typeof body !== 'object' || Array.isArray(body)) return body
  const merged: Fields = Object.assign(Object.create(null), query)
  for (const [key, value] of Object.entries(body)) merged[key] = key in merged ? [merged[key], value] : value
  return merged
}
