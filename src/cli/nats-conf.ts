// The nats-server of docker-compose.yml. It owns its configuration, and the settings of Usher that go with it.

import { generateToken } from '../providers/nats/static-token.ts'

export const natsSettings = () => ({
  NATS_TOKEN: generateToken(),
  NATS_URLS: 'nats://127.0.0.1:4222',
  NATS_WS_URLS: 'ws://127.0.0.1:4223',
})

export const natsConf = `\
# nats-server for docker-compose.yml, written by \`usher init\`. The token comes from the variable NATS_TOKEN, which is in .env.
# Compose publishes these ports on loopback only; without a container, listen on 127.0.0.1.
listen: "0.0.0.0:4222"
authorization { token: $NATS_TOKEN }
# Without TLS: for pages on this machine. Elsewhere give it a certificate, and say wss in NATS_WS_URLS.
websocket { listen: "0.0.0.0:4223", no_tls: true }
# For the health check inside the container. Never publish it: /connz of older servers shows the token.
http: "127.0.0.1:8222"
`
