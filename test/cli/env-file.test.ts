import { readFileSync } from 'node:fs'
import { parseEnv } from 'node:util'
import { expect, it } from 'vitest'
import { toEnvFile } from '../../src/cli/env-file.ts'
import { allSettings, parseConfig } from '../../src/config.ts'

const committed = readFileSync(new URL('../../.env.example', import.meta.url), 'utf8')
const names = allSettings.map(({ name }) => name)

it('is what .env.example holds; `node scripts/env-example.mjs` writes it', () => {
  expect(committed).toBe(toEnvFile())
})

it('has every setting once, in order, commented out, with what it is about', () => {
  expect([...committed.matchAll(/^#([A-Z_]+)=/gm)].map(([, name]) => name)).toEqual(names)
  expect(parseEnv(committed)).toEqual({})
  for (const { name, about, example } of allSettings) {
    const [line = '', next] = committed.slice(committed.indexOf(`# ${about}`)).split('\n')
    expect([line.startsWith(`# ${about}`), next]).toEqual([true, `#${name}=${example}`])
  }
})

it('says where a value comes from whose example is refused', () => {
  expect(committed).toMatch(/Copy it from the Agora console\.\n#AGORA_APP_CERTIFICATE=/)
  expect(committed).toMatch(/Copy the key from the Ably dashboard\.\n#ABLY_API_KEY=/)
})

it('is read as it was written', () => {
  const values = Object.fromEntries(names.map((name) => [name, `v-${name}`]))
  expect(parseEnv(toEnvFile(values))).toEqual(values)
})

it('gives no example of a secret that the service would take', () => {
  const env = Object.fromEntries(allSettings.map(({ name, example }) => [name, example]))
  const result = parseConfig(env, () => '')
  const faulty = 'faults' in result ? result.faults.map(({ name }) => name) : []
  for (const { name, secret } of allSettings) if (secret) expect(faulty).toContain(name)
})
