// nats-server with one shared token. It owns its configuration, and the token.

import { generateToken } from '../providers/nats/static-token.ts'
import { type NatsSetup, type NatsSetupOptions, serverPart } from './nats-server-conf.ts'
import { openFile, secretFile } from './write-files.ts'

export function staticSetup(options: NatsSetupOptions): NatsSetup {
  const token = generateToken()
  const conf = options.tokenFromEnv
    ? openFile('nats.conf', toConf(options, '$NATS_TOKEN', 'It comes from the variable NATS_TOKEN, which is in .env.'))
    : secretFile('nats.conf', toConf(options, `"${token}"`, '`usher nats passwd` makes a hash to put here instead.'))
  return { files: [conf], settings: { NATS_TOKEN: token } }
}

const toConf = (options: NatsSetupOptions, token: string, about: string): string => `\
# nats-server with one token for everybody, written by usher.
${serverPart(options)}
# Whoever has it may do everything here. ${about}
authorization { token: ${token} }
`
