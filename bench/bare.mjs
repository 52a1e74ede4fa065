// The yardstick: Fastify with its defaults, the same methods and schemas, and static answers of the same size.
import fastify from 'fastify'

const { answers, port } = JSON.parse(process.env.BENCH ?? '{}')
const app = fastify({ logger: false })
const text = { type: 'string' }
const object = (properties) => ({ type: 'object', properties })

for (const { method, url, answer } of answers) {
  const properties = Object.fromEntries(
    Object.entries(answer).map(([key, value]) => [
      key,
      Array.isArray(value)
        ? { type: 'array', items: text }
        : value === null
          ? { type: 'null' }
          : { type: typeof value },
    ]),
  )
  const body = {
    ...object({
      channelName: { ...text, maxLength: 64 },
      uid: { type: 'integer' },
      role: { type: 'integer', enum: [1, 2] },
    }),
    required: ['channelName', 'role'],
  }
  app.route({
    method,
    url,
    schema: { ...(method === 'POST' ? { body } : {}), response: { 200: object(properties) } },
    handler: () => answer,
  })
}
await app.listen({ host: '127.0.0.1', port })
process.send?.('listening')
