// openapi.yaml is what the routes say, and it says all of it.

import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { reasons, statusOf } from '../src/errors.ts'
import { openApiYaml } from '../src/http/openapi-file.ts'

const file = readFileSync(new URL('../openapi.yaml', import.meta.url), 'utf8')
const document = parse(file)
type Operation = { responses: Record<string, { description: string }> }
const operations = Object.entries(document.paths as Record<string, Record<string, Operation>>).flatMap(
  ([path, methods]) => Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
)

test('openapi.yaml is what the routes say; `npm run openapi` writes it', async () => {
  expect(file).toBe(await openApiYaml())
})

test('every token route documents every status and every reason', () => {
  const routes = operations.filter(({ path }) => !['/livez', '/readyz'].includes(path))
  expect(routes.map(({ path, method }) => `${method} ${path}`).sort()).toEqual([
    'get /api/ably-token',
    'get /nats/token',
    'post /api/ably-token',
    'post /fetch_rtc_token',
    'post /nats/token',
    'post /revoke',
  ])
  for (const { operation } of routes)
    for (const reason of reasons) expect(operation.responses[String(statusOf(reason))]?.description).toContain(reason)
})

test('the error body names every reason', () => {
  expect(document.components.schemas.Error.properties.error.properties.reason.enum).toEqual(reasons)
})

test('every token has an example, and every reason', () => {
  for (const { path, operation } of operations.filter(({ path }) => !['/livez', '/readyz'].includes(path)))
    expect(JSON.stringify(operation.responses['200']), path).toMatch(/"examples?":\[?\{/)
  const examples: { error: { reason: string } }[] = document.components.schemas.Error.examples
  expect(examples.map(({ error }) => error.reason)).toEqual(reasons)
})
