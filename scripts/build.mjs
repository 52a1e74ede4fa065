import { rmSync } from 'node:fs'
import { build, install, root } from './prepare.mjs'

install()
rmSync(`${root}dist`, { recursive: true, force: true })
build({ force: true })
