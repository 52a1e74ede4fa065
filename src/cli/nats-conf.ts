// A nats-server for Usher. It owns which configuration goes with which NATS_MODE, and the settings of Usher that go with it.

import type { NatsMode } from '../providers/nats/ask.ts'
import { calloutSetup } from './nats-conf-callout.ts'
import { jwtSetup } from './nats-conf-jwt.ts'
import { staticSetup } from './nats-conf-static.ts'
import { type NatsSetup, type NatsSetupOptions, toHost } from './nats-server-conf.ts'

const modes: Record<NatsMode, (options: NatsSetupOptions) => NatsSetup> = {
  static: staticSetup,
  callout: calloutSetup,
  jwt: jwtSetup,
}

/** New keys, each time. */
export function createNatsSetup(mode: NatsMode, options: NatsSetupOptions): NatsSetup {
  const { files, settings } = modes[mode](options)
  return { files, settings: { NATS_MODE: mode, ...addresses(options.listen), ...settings } }
}

function addresses(listen: string) {
  // An address to listen on is not always one to call.
  const host = ['0.0.0.0', '::'].includes(listen) ? '127.0.0.1' : toHost(listen)
  return { NATS_URLS: `nats://${host}:4222`, NATS_WS_URLS: `ws://${host}:4223` }
}
