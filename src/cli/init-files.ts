// What `usher init` writes. It owns the three texts: .env, policy.yaml, nats.conf. docker-compose.yml reads them too.

import { toEnvFile } from './env-file.ts'
import { natsConf, natsSettings } from './nats-conf.ts'

export interface InitFile {
  readonly name: string
  readonly text: string
  readonly mode: number
}

interface ApiKey {
  readonly id: string
  readonly sha256: string
}

export const initFiles = (apiKey: ApiKey): readonly InitFile[] => [
  { name: '.env', text: toEnvFile({ ...settings, ...natsSettings() }), mode: 0o600 },
  { name: 'policy.yaml', text: toPolicy(apiKey), mode: 0o644 },
  { name: 'nats.conf', text: natsConf, mode: 0o644 },
]

const settings = { HOST: '127.0.0.1', PORT: '8082', USHER_POLICY: './policy.yaml' }

const toPolicy = ({ id, sha256 }: ApiKey): string => `\
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

  # The one token of the NATS server: whoever has it may do everything there, and it has no end.
  - id: bus
    when: { client: ${id} }
    nats: { shared: true }
`
