// The revocation list as plain JavaScript, for processes that a test kills. It owns that only this folder is compiled: a fault
// anywhere else in the tree is no fault of it.

import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { afterAll } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))

const folders: string[] = []
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

/** @returns the URL of src/revocations/open.ts, compiled; inside of the repository, where packages are found. */
export function compileRevocations(): string {
  const cache = join(root, 'node_modules/.cache/usher')
  mkdirSync(cache, { recursive: true })
  const folder = mkdtempSync(join(cache, 'revocations-'))
  folders.push(folder)
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
  writeFileSync(
    join(folder, 'tsconfig.json'),
    JSON.stringify({
      extends: join(root, 'tsconfig.build.json'),
      compilerOptions: { outDir: folder, rootDir: join(root, 'src'), noCheck: true, sourceMap: false },
      include: [],
      files: [join(root, 'src/revocations/open.ts')],
    }),
  )
  execFileSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', folder], { stdio: 'pipe' })
  return pathToFileURL(join(folder, 'revocations/open.js')).href
}
