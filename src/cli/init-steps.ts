// What `usher init` says at its end. It owns the way from its files to a first client, in commands for a POSIX shell.

import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { NatsMode } from '../providers/nats/ask.ts'

const packageRoot = resolve(fileURLToPath(new URL('../..', import.meta.url)))

const tokenRoute = 'http://127.0.0.1:8082/nats/token'

interface Written {
  readonly folder: string
  readonly files: readonly string[]
  readonly nats: NatsMode
}

export const nextSteps = ({ folder, files, nats }: Written): string => `\
Written to ${folder}: ${files.join(', ')}.
The line above is the API key of your backend. It is shown this once: keep it where the backend keeps its secrets.
${nats === 'jwt' ? 'nats-operator.keys owns the NATS server, and nobody needs it to run: keep it offline.\n' : ''}
${nats === 'static' ? sharedSteps(folder) : ownSteps(folder, nats)}
docker compose up starts it together with a nats-server. For Agora and Ably put their keys into .env.
`

const sharedSteps = (folder: string): string => `\
Start the service:

  ${startCommand(folder)}

Then ask for the NATS token on behalf of alice, with the key in the variable USHER_KEY:

  ${curl}
`

const curl = `curl -s ${tokenRoute} -H "Authorization: Bearer $USHER_KEY" -H 'Usher-On-Behalf-Of: alice'`

const ownSteps = (folder: string, nats: 'callout' | 'jwt'): string => `\
Start the service and a nats-server, each in a terminal of its own:

  ${startCommand(folder)}
  cd ${quote(folder)} && nats-server -c nats.conf
${nats === 'callout' ? `\nAsk for alice's own NATS token, with the key in the variable USHER_KEY:\n\n  ${curl}\n` : ''}
Connect as alice, with the key in the variable USHER_KEY. She is refused what is bob's:

  cd ${quote(packageRoot)} && node --input-type=module -e '${clients[nats]}'

Where that fails, this says why:

  cd ${quote(folder)} && node ${quote(join(packageRoot, 'dist/cli/main.js'))} nats check --env-file .env
`

/** Beyond her subjects nats-server says so once, to the callback of the subscription. */
const tryOut = `
  console.log("connected as alice")
  for (const subject of ["user.alice.>", "user.bob.>"])
    nats.subscribe(subject, { callback: (refused, message) => console.log(refused?.message ?? message.subject + " arrived") })
  nats.publish("user.alice.out.hello")
  await nats.flush()
  await nats.close()
`
const ask = `fetch("${tokenRoute}", `
const headers = '{ authorization: "Bearer " + env.USHER_KEY, "usher-on-behalf-of": "alice" }'

const clients = {
  callout: `
  import { env } from "node:process"
  import { connect } from "@nats-io/transport-node"
  const headers = ${headers}
  const { token, urls, inboxPrefix } = await (await ${ask}{ headers })).json()
  const nats = await connect({ servers: urls, token, inboxPrefix })${tryOut}`,
  jwt: `
  import { env } from "node:process"
  import { connect, jwtAuthenticator, nkeys } from "@nats-io/transport-node"
  const user = nkeys.createUser()
  const headers = ${headers.replace('{ ', '{ "content-type": "application/json", ')}
  const body = JSON.stringify({ publicKey: user.getPublicKey() })
  const { token, urls, inboxPrefix } = await (await ${ask}{ method: "POST", headers, body })).json()
  const nats = await connect({ servers: urls, authenticator: jwtAuthenticator(token, user.getSeed()), inboxPrefix })${tryOut}`,
}

const startCommand = (folder: string): string =>
  packageRoot === folder
    ? 'npm start'
    : `cd ${quote(folder)} && node --env-file=.env ${quote(join(packageRoot, 'dist/main.js'))}`

/** For a POSIX shell. */
const quote = (text: string): string => (/^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`)
