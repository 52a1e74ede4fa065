// node scripts/env-example.mjs: writes .env.example from the settings. A test holds the file against them.
import { writeFileSync } from 'node:fs'
import { build, install, root } from './prepare.mjs'

install()
build()
const { toEnvFile } = await import('../dist/cli/env-file.js')
writeFileSync(`${root}.env.example`, toEnvFile())
