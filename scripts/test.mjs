// npm test: installs and builds if needed, runs all suites, and leaves the counts in .cache/test-results.json for .ci/run.
import { spawnSync } from 'node:child_process'
import { build, install, root } from './prepare.mjs'

install()
build()
const reporters = ['--reporter=default', '--reporter=json', '--outputFile.json=.cache/test-results.json']
const { status } = spawnSync(
  process.execPath,
  [`${root}node_modules/vitest/vitest.mjs`, 'run', ...reporters, ...process.argv.slice(2)],
  {
    cwd: root,
    stdio: 'inherit',
  },
)
process.exit(status ?? 1)
