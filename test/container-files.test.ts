// Dockerfile and .dockerignore as texts: there is no Docker engine where the tests run.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { allSettings } from '../src/config.ts'
import { copiesOf, parseDockerfile, restsOf } from './dockerfile.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const read = (name: string) => readFileSync(join(root, name), 'utf8')
const { globals, stages } = parseDockerfile(read('Dockerfile'))
const [build, final] = stages
if (build === undefined || final === undefined) throw new Error('the Dockerfile has two stages')
const everything = [...globals, ...build.instructions, ...final.instructions]

describe('the image', () => {
  it('is built in one stage and runs in another, both of the same Node, whose tags are pinned', () => {
    expect(stages).toHaveLength(2)
    expect(globals).toEqual([{ keyword: 'ARG', rest: 'NODE_VERSION=22' }])
    const images = stages.map(({ image }) => image)
    for (const image of images) expect(image).toMatch(/\$\{NODE_VERSION\}.*/)
    for (const image of images) expect(image).toMatch(/:(?!latest)[\w${}.-]+$/)
  })

  it('has no shell: the final stage is distroless, and every command is in exec form', () => {
    expect(final.image).toMatch(/^gcr\.io\/distroless\/nodejs\$\{NODE_VERSION\}-debian13:nonroot$/)
    const keywords = final.instructions.map(({ keyword }) => keyword)
    expect(keywords).not.toContain('RUN')
    for (const keyword of ['ENTRYPOINT', 'CMD'])
      expect(JSON.parse(restsOf(final.instructions, keyword)[0] as string)).toEqual(expect.any(Array))
  })

  it('says that its files are ESM: without package.json Node would parse each of them twice to find out', () => {
    const copied = copiesOf(final.instructions).flatMap(({ sources }) => sources)
    expect(copied).toEqual(['/app/package.json', '/app/node_modules', '/app/dist', 'policy.sandbox.yaml', '/app/state'])
  })

  it('has one folder that its user may write, for a volume: an empty one that the build made', () => {
    const owned = restsOf(final.instructions, 'COPY').filter((rest) => rest.includes('--chown'))
    expect(owned).toEqual(['--from=build --chown=65532:65532 /app/state /var/lib/usher'])
    // Where the build makes it, and nothing is put there.
    expect(restsOf(build.instructions, 'RUN').at(-1)).toMatch(/ && mkdir state$/)
    expect(copiesOf(build.instructions).flatMap(({ sources }) => sources)).not.toContain('state')
  })

  it('runs as nobody', () => {
    expect(restsOf(final.instructions, 'USER')).toEqual(['65532:65532'])
    // Everything after USER that writes would be that user's own.
    const after = final.instructions.slice(final.instructions.findIndex(({ keyword }) => keyword === 'USER'))
    expect(after.map(({ keyword }) => keyword)).not.toContain('COPY')
  })

  it('asks the service itself whether it lives', () => {
    const [healthcheck = ''] = restsOf(final.instructions, 'HEALTHCHECK')
    const command = JSON.parse(healthcheck.slice(healthcheck.indexOf('CMD ') + 4))
    expect(command).toEqual(['/nodejs/bin/node', 'dist/cli/main.js', 'health'])
  })

  it('holds no secret, and listens where a container is reached', () => {
    const named = everything.filter(({ keyword }) => keyword === 'ARG' || keyword === 'ENV')
    expect(named.map(({ rest }) => rest)).toEqual(['NODE_VERSION=22', 'NODE_ENV=production HOST=0.0.0.0'])
    for (const { name, secret } of allSettings) if (secret) expect(read('Dockerfile')).not.toContain(name)
    expect(everything.map(({ keyword }) => keyword)).not.toContain('ADD')
  })

  it('gets production dependencies alone, by the lock file and without scripts', () => {
    expect(restsOf(build.instructions, 'RUN')).toEqual([
      'npm ci',
      'npm run build && npm prune --omit=dev && mkdir state',
    ])
    expect(copiesOf(build.instructions)[0]?.sources).toEqual(['package.json', 'package-lock.json', '.npmrc'])
    expect(read('.npmrc')).toContain('ignore-scripts=true')
  })

  it('has every package that the service imports', () => {
    const { dependencies } = JSON.parse(read('package.json')) as { dependencies: Record<string, string> }
    const sources = (readdirSync(join(root, 'src'), { recursive: true }) as string[]).filter((path) =>
      path.endsWith('.ts'),
    )
    const imported = sources.flatMap((path) =>
      [...read(`src/${path}`).matchAll(/^(?!import type).*(?:from|import\()\s*'((?!node:)[^.'][^']*)'/gm)].map(
        ([, name]) =>
          (name as string)
            .split('/')
            .slice(0, name?.startsWith('@') ? 2 : 1)
            .join('/'),
      ),
    )
    expect(imported).toContain('fastify')
    expect([...new Set(imported)].filter((name) => !(name in dependencies))).toEqual([])
  })
})

describe('.dockerignore', () => {
  const [first, ...allowed] = read('.dockerignore')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))

  it('lets in what the Dockerfile copies, and nothing else', () => {
    expect(first).toBe('*')
    const copied = stages.flatMap(({ instructions }) => copiesOf(instructions)).filter(({ from }) => from === undefined)
    const sources = new Set(copied.flatMap(({ sources }) => sources))
    expect([...allowed].sort()).toEqual([...sources].map((source) => `!${source}`).sort())
  })

  it.each([
    '.env',
    '.git',
    'policy.yaml',
    'nats.conf',
    'nats-operator.keys',
    'revocations.jsonl',
    'test',
    'node_modules',
    'dist',
  ])('keeps %s out', (name) => {
    expect(allowed.some((line) => line === `!${name}` || line.startsWith(`!${name}/`) || /[*?[]/.test(line))).toBe(
      false,
    )
  })
})
