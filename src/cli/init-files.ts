// What `usher init` writes. It owns the texts of .env and policy.yaml, and that nats.conf goes with them; docker-compose.yml reads
// them too.

import type { NatsMode } from '../providers/nats/ask.ts'
import { toEnvFile } from './env-file.ts'
import { createNatsSetup } from './nats-conf.ts'
import { composeConf, usualServer } from './nats-server-conf.ts'
import { openFile, secretFile, type TextFile } from './write-files.ts'

interface ApiKey {
  readonly id: string
  readonly sha256: string
}

export interface InitOptions {
  readonly nats: NatsMode
  /** Unix milliseconds. */
  readonly nowMs: number
}

export function initFiles(apiKey: ApiKey, { nats, nowMs }: InitOptions): readonly TextFile[] {
  // In a container nats-server runs as nobody, and reads nats.conf: that must hold no secret.
  const { files, settings: natsSettings } = createNatsSetup(nats, { ...usualServer, nowMs, tokenFromEnv: true })
  return [
    secretFile('.env', toEnvFile({ ...settings, ...natsSettings })),
    openFile('policy.yaml', toPolicy(apiKey, nats)),
    ...files,
    openFile('nats-compose.conf', composeConf),
  ]
}

const settings = {
  HOST: '127.0.0.1',
  PORT: '8082',
  USHER_POLICY: './policy.yaml',
  REVOCATIONS_FILE: './revocations.jsonl',
}

const toPolicy = ({ id, sha256 }: ApiKey, nats: NatsMode): string => `\
# Who may have what, written by \`usher init\`. policy.example.yaml shows every key; \`usher policy check\` judges this file.
callers:
  apiKeys:
    # Your backend. It names its user in the header Usher-On-Behalf-Of. Only the digest of its key stands here.
    - { id: ${id}, name: backend, sha256: ${sha256}, onBehalfOf: "[A-Za-z0-9_-]{1,64}" }

vars:
  user: { from: sub, match: "[A-Za-z0-9_-]{1,64}" }
  room: { from: ask, match: "[A-Za-z0-9_-]{1,40}" }

grants:
  # A user enters any room-…, as himself. Needs AGORA_APP_ID and AGORA_APP_CERTIFICATE.
  - id: rtc
    when: { client: ${id} }
    agora: { channel: "room-{room}", account: "{user}", role: publisher }
    ttl: { default: 10m, max: 1h }

  # He talks in any chat:…, and hears what is his own. Needs ABLY_API_KEY.
  - id: chat
    when: { client: ${id} }
    ably:
      clientId: "{user}"
      capability: { "chat:{room}": [subscribe, publish, presence], "user:{user}": [subscribe] }
    ttl: { default: 15m, max: 1h }

${nats === 'static' ? sharedGrant(id) : ownGrant(id)}
  # Your backend may revoke: POST /revoke.
  - { id: ops, when: { client: ${id} }, admin: [revoke] }
`

const sharedGrant = (id: string): string => `\
  # The one token of the NATS server: whoever has it may do everything there, and it has no end.
  - id: bus
    when: { client: ${id} }
    nats: { shared: true }
`

const ownGrant = (id: string): string => `\
  # He hears what is below user.<himself>, sends below user.<himself>.out, and talks in each chat.<room> that he asks for by name.
  - id: bus
    when: { client: ${id} }
    nats:
      account: APP
      publish: ["user.{user}.out.>", "chat.{room}"]
      subscribe: ["user.{user}.>", "chat.{room}"]
    ttl: { default: 15m, max: 1h }
`
