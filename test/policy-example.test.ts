// policy.example.yaml is the reference of the policy file: it must load, and it must have everything.

import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { parse } from 'yaml'
import { readPolicy } from '../src/cli/read-policy.ts'
import { policySchema } from '../src/policy/schema.ts'
import { entitlements } from '../src/providers/registry.ts'

const path = fileURLToPath(new URL('../policy.example.yaml', import.meta.url))
const text = readFileSync(path, 'utf8')

interface Schema {
  properties?: Record<string, Schema>
  items?: Schema
  patternProperties?: Record<string, Schema>
}

/** Every key that a policy file can have, at any depth. */
function keysOf({ properties = {}, items, patternProperties = {} }: Schema): string[] {
  const below = [...Object.values(properties), ...Object.values(patternProperties), ...(items ? [items] : [])]
  return [...Object.keys(properties), ...below.flatMap(keysOf)]
}
const schema = policySchema(Object.fromEntries(entitlements.map(({ name, grantSchema }) => [name, grantSchema])))
const keys = new Set(keysOf(schema as Schema))

it('loads without a fault or a warning', () => {
  const result = readPolicy(path, Date.now)
  expect(result).toMatchObject({ faults: [], loaded: { texts: new Map([['banned.example.txt', expect.any(String)]]) } })
})

it('has every key of the schema', () => {
  expect(keys.size).toBeGreaterThan(45)
  for (const key of ['jwksFile', 'iKnow', 'modes', 'account', 'shared', 'inFile', 'responses', 'tags', 'admin'])
    expect(text).toContain(`${key}:`)
  expect(
    [...keys].filter((key) => !new RegExp(`\\b${key}: `).test(text) && !new RegExp(`\\b${key}:\n`).test(text)),
  ).toEqual([])
})

it('has a grant for every provider, and every kind of condition', () => {
  const { grants } = parse(text) as { grants: Record<string, unknown>[] }
  for (const { name } of entitlements) expect(grants.some((grant) => name in grant)).toBe(true)
  for (const word of ['caller', 'issuer', 'client', 'in', 'has', 'inFile'])
    expect(text).toMatch(new RegExp(`[{ ]${word}: `))
})
