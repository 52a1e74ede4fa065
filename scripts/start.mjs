// npm start: installs and builds if needed, then runs in this very process, so that signals need no forwarding.
import { build, install, loadEnv } from './prepare.mjs'

install()
build()
loadEnv()
await import('../dist/main.js')
