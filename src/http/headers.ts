// Headers of every answer. It owns the fixed ones; CORS is @fastify/cors.

import type { FastifyInstance } from 'fastify'

/** An answer can hold a credential: nobody keeps it, frames it, or loads it as something else. */
export const fixedHeaders: Readonly<Record<string, string>> = {
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
}

/** @param isStopping answers then close their connection, so that the client opens the next one elsewhere */
export function addHeaders(
  app: FastifyInstance,
  { sandbox, isStopping }: { sandbox: boolean; isStopping: () => boolean },
): void {
  const names = Object.entries(fixedHeaders)
  app.addHook('onSend', (request, reply, payload, done) => {
    for (const [name, value] of names) reply.header(name, value)
    reply.header('x-request-id', request.id)
    if (sandbox) reply.header('x-usher-sandbox', 'true')
    if (isStopping()) reply.header('connection', 'close')
    // Ably’s SDKs read an error body only under exactly this type; JSON has no charset parameter anyway (RFC 8259, section 11).
    if (reply.getHeader('content-type') === 'application/json; charset=utf-8')
      reply.header('content-type', 'application/json')
    done(null, payload)
  })
}
