// What the README shows is true: its policy loads, its table names every setting, its links lead somewhere.

import { existsSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { allSettings } from '../src/config.ts'
import { checkCallers } from '../src/identity/check.ts'
import { loadPolicy } from '../src/policy/load.ts'
import { entitlements } from '../src/providers/registry.ts'

const root = new URL('../', import.meta.url)
const readme = readFileSync(new URL('README.md', root), 'utf8')

test('its policy loads without a fault or a warning', () => {
  const block = readme.slice(readme.indexOf('    callers:\n'), readme.indexOf('Read it so:'))
  const { loaded, faults } = loadPolicy(block.replaceAll(/^ {4}/gm, ''), () => '', {
    entitlements,
    checkCallers: (callers, report) => checkCallers(callers, report),
  })
  expect(faults).toEqual([])
  expect(loaded?.compiled.grants.get('agora')?.map(({ id }) => id)).toEqual(['teacher', 'pupil'])
})

test('its table names every setting', () => {
  const table = readme.slice(readme.indexOf('## Configuration'), readme.indexOf('## A policy'))
  expect(allSettings.filter(({ name }) => !table.includes(`\`${name}\``)).map(({ name }) => name)).toEqual([])
})

test('its links lead somewhere', () => {
  const links = [...readme.matchAll(/\]\(([^)#]+)\)/g)].map(([, path]) => path as string)
  expect(links.length).toBeGreaterThan(5)
  expect(links.filter((path) => !existsSync(new URL(path, root)))).toEqual([])
})
