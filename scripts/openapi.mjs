// npm run openapi: writes openapi.yaml from the routes. A test holds the file against them.
import { writeFileSync } from 'node:fs'
import { build, install, root } from './prepare.mjs'

install()
build()
const { openApiYaml } = await import('../dist/http/openapi-file.js')
writeFileSync(`${root}openapi.yaml`, await openApiYaml())
