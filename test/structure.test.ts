// The house, held by reading the source tree: who imports whom, who reads the environment, how long a file is.

import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const src = fileURLToPath(new URL('../src', import.meta.url))
const files = (readdirSync(src, { recursive: true }) as string[])
  .filter((path) => path.endsWith('.ts'))
  .map((path) => {
    const text = readFileSync(join(src, path), 'utf8')
    const imports = [
      ...text.matchAll(/^(import|export)( type)? [^']*? from '(\.[^']+)'/gms),
      ...text.matchAll(/(import)()\('(\.[^']+)'\)/g),
    ]
    return {
      path,
      text,
      lines: text.split('\n').length,
      imports: imports.map(([, , type, target]) => ({
        type: type === ' type',
        to: relative(src, join(src, dirname(path), target as string)),
      })),
    }
  })

/** Edges of the code that runs; types cross borders freely, downwards only where a rule says so. */
const running = files.flatMap(({ path, imports }) =>
  imports.filter(({ type }) => !type).map(({ to }) => ({ path, to })),
)
const vendorOf = (path: string) => /^providers\/([a-z]+)\//.exec(path)?.[1]

test('the tree is read', () => {
  expect(files.length).toBeGreaterThan(50)
  expect(running.length).toBeGreaterThan(150)
})

test('a provider never imports another', () => {
  const crossing = files.flatMap(({ path, imports }) =>
    imports
      .filter(({ to }) => vendorOf(path) !== undefined && vendorOf(to) !== undefined && vendorOf(to) !== vendorOf(path))
      .map(({ to }) => `${path} → ${to}`),
  )
  expect(crossing).toEqual([])
})

test('only the registry names all providers', () => {
  const naming = files.filter(
    ({ path, imports }) => vendorOf(path) === undefined && imports.some(({ to }) => vendorOf(to) !== undefined),
  )
  // The command line has subcommands of NATS, which are that provider's own, and `usher init` sets a server up.
  expect(naming.map(({ path }) => path).filter((path) => !/^cli\/(nats-|init)/.test(path))).toEqual([
    'providers/registry.ts',
  ])
})

test('policy knows no vendor, no HTTP and no I/O', () => {
  const policy = files.filter(({ path }) => path.startsWith('policy/'))
  expect(
    policy
      .filter(({ text }) => /agora|ably|nats/i.test(text.replace(/`[^`]*`|\/\/.*|\/\*[\s\S]*?\*\//g, '')))
      .map(({ path }) => path),
  ).toEqual([])
  expect(
    policy
      .filter(({ text }) => /from '(node:(?!crypto)|fastify)|process\.|fetch\(|Date\.now|Promise|await /.test(text))
      .map(({ path }) => path),
  ).toEqual([])
})

test('imports go one way', () => {
  const layers = [
    ['errors.ts', 'secret.ts', 'settings.ts', 'limits.ts', 'log.ts', 'audit.ts', 'metrics.ts'],
    ['policy/', 'identity/', 'revocations/', 'providers/provider.ts', 'providers/fields.ts'],
    ['issue.ts', 'revoke.ts', 'http/', 'providers/'],
    ['app.ts', 'ops/', 'core-settings.ts', 'config.ts', 'policy-file.ts'],
    ['service.ts'],
    ['main.ts', 'cli/'],
  ]
  const layerOf = (path: string) =>
    layers.findIndex((layer) =>
      layer.some(
        (prefix) => path === prefix || (prefix.endsWith('/') && path.startsWith(prefix) && !layers[1]?.includes(path)),
      ),
    )
  expect(files.filter(({ path }) => layerOf(path) < 0).map(({ path }) => path)).toEqual([])
  const allowed = (path: string) => path === 'http/openapi-file.ts'
  const upward = running.filter(({ path, to }) => layerOf(to) > layerOf(path) && !allowed(path))
  expect(upward.map(({ path, to }) => `${path} → ${to}`)).toEqual([])
})

test('only main.ts and cli/main.ts read the environment', () => {
  expect(files.filter(({ text }) => text.includes('process.env')).map(({ path }) => path)).toEqual(
    expect.arrayContaining(['main.ts']),
  )
  expect(
    files
      .filter(({ path, text }) => text.includes('process.env') && !['main.ts', 'cli/main.ts'].includes(path))
      .map(({ path }) => path),
  ).toEqual([])
})

test('a file is one idea: about 200 lines at most, and it says what it owns', () => {
  expect(files.filter(({ lines }) => lines > 220).map(({ path, lines }) => `${path}: ${lines}`)).toEqual([])
  const silent = files.filter(({ text }) => !/^(#!.*\n)?\/\/ /.test(text))
  expect(silent.map(({ path }) => path)).toEqual([])
})

test('names are those of the house', () => {
  const bad = files.filter(
    ({ path }) => /(^|\/)(utils?|helpers?|common|services|managers?)(\/|\.ts)/.test(path) || /[A-Z_]/.test(path),
  )
  expect(bad.map(({ path }) => path)).toEqual([])
  expect(
    files.filter(({ text }) => /^\s*(enum|namespace|export default|export \*)\b/m.test(text)).map(({ path }) => path),
  ).toEqual([])
})
