// The configuration of nats-server, whatever the mode. It owns where the server listens and what it stores, here and in compose.

import { serviceInbox } from '../providers/nats/connection.ts'
import type { TextFile } from './write-files.ts'

export interface NatsSetupOptions {
  /** Accounts for users. */
  readonly accounts: readonly string[]
  /** Unique in a cluster. */
  readonly serverName: string
  /** IP address or host name to listen on. */
  readonly listen: string
  /** Unix milliseconds. */
  readonly nowMs: number
  /** Whether nats-server reads the token of static mode from a variable, so that nats.conf holds no secret. */
  readonly tokenFromEnv: boolean
}

export interface NatsSetup {
  /** nats.conf first, then what the mode has beside it. */
  readonly files: readonly TextFile[]
  /** The settings of Usher that go with it, secrets too. */
  readonly settings: Readonly<Record<string, string>>
}

export const usualServer = { accounts: ['APP'], serverName: 'nats-1', listen: '127.0.0.1' }

/** What every user may ask: who he is to the server. */
export const whoAmI = '$SYS.REQ.USER.INFO'

export const findSubject = '$SYS.REQ.SERVER.PING.CONNZ'
export const kickSubject = (serverId: string): string => `$SYS.REQ.SERVER.${serverId}.KICK`

/** The least that finds connections and ends them (facts/nats.md 1.5). */
export const systemPermissions = {
  pub: { allow: [kickSubject('*'), findSubject, whoAmI] },
  sub: { allow: [`${serviceInbox}.>`] },
}

/** As it stands before a port. */
export const toHost = (listen: string): string => (listen.includes(':') ? `[${listen}]` : listen)

/** What stands in every nats.conf. */
export const serverPart = ({ listen, serverName }: Pick<NatsSetupOptions, 'listen' | 'serverName'>): string => `\
# Unique in a cluster.
server_name: "${serverName}"
# Clients. Beyond this machine add tls { cert_file: "…", key_file: "…" }: credentials cross the wire as they are.
listen: "${toHost(listen)}:4222"
# Browsers. no_tls is for pages on this machine; elsewhere tls { … } in its place, and wss in NATS_WS_URLS.
websocket { listen: "${toHost(listen)}:4223", no_tls: true }
# Streams, key-value buckets and objects, in a folder of where the server is started.
jetstream { store_dir: "./jetstream", max_memory_store: 64MB, max_file_store: 1GB }
`

/** The same server inside docker-compose.yml: what is said twice counts as it is said last. */
export const composeConf = `\
# nats.conf as docker-compose.yml runs it: that publishes these ports on loopback only.
include "nats.conf"
listen: "0.0.0.0:4222"
websocket { listen: "0.0.0.0:4223", no_tls: true }
# For the health check inside the container. Never publish it: it lists connections and their users.
http: "127.0.0.1:8222"
# The tmpfs of docker-compose.yml.
jetstream { store_dir: "/data", max_memory_store: 32MB, max_file_store: 96MB }
`
