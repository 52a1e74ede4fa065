// `usher nats setup`. It owns that keys are made, and that a nats-server and an Usher that belong together come of them: as files
// that nobody else reads, or on paper.

import { isIP } from 'node:net'
import { join, resolve } from 'node:path'
import { type NatsMode, natsModes } from '../providers/nats/ask.ts'
import { natsSettings } from '../providers/nats/settings.ts'
import { toList } from '../settings.ts'
import { badInput, exit, type Io, isStop, parseFlags, type Stop, stop, usage } from './command.ts'
import { createNatsSetup } from './nats-conf.ts'
import { type NatsSetupOptions, usualServer } from './nats-server-conf.ts'
import { secretFile, type TextFile, writeFiles } from './write-files.ts'

const text = { type: 'string' } as const
const options = {
  mode: { type: 'string', default: 'callout' },
  dir: text,
  print: { type: 'boolean', default: false },
  accounts: { type: 'string', default: usualServer.accounts.join(',') },
  'server-name': { type: 'string', default: usualServer.serverName },
  listen: { type: 'string', default: usualServer.listen },
} as const

export async function natsSetup(argv: readonly string[], io: Io): Promise<number> {
  const flags = parseFlags(argv, { options })
  if (isStop(flags)) return stop(flags, io)
  const { mode, dir, print, listen } = flags.values
  if (!isNatsMode(mode)) return stop(usage(`--mode is one of ${natsModes.join(', ')}`), io)
  if (print && dir !== undefined) return stop(usage('--print and --dir exclude each other'), io)
  const wanted = parseOptions(flags.values, io.now())
  if (isStop(wanted)) return stop(wanted, io)

  const { files: ofServer, settings } = createNatsSetup(mode, wanted)
  const files = [...ofServer, secretFile('nats.env', toEnv(mode, settings))]
  const folder = resolve(dir ?? '.')
  if (print) {
    io.stdout.write(files.map(toPrint).join('\n'))
    io.stderr.write('Secrets were shown: whoever reads this terminal or its log has them.\n')
  } else {
    const fault = writeFiles(folder, files)
    if (fault !== undefined) return stop(fault, io)
    for (const { name } of files) io.stdout.write(`${join(folder, name)}\n`)
    io.stderr.write(nextSteps(mode, wanted))
  }
  if (!isLoopback(listen)) io.stderr.write(beyondLoopback)
  return exit.ok
}

export const isNatsMode = (text: string): text is NatsMode => (natsModes as readonly string[]).includes(text)

const namesOfTheServer = natsSettings.find(({ name }) => name === 'NATS_ACCOUNTS')

function parseOptions(
  flags: { accounts: string; 'server-name': string; listen: string },
  nowMs: number,
): NatsSetupOptions | Stop {
  const fault = namesOfTheServer?.faultIn?.(flags.accounts)
  if (fault !== undefined) return badInput(`--accounts ${fault.rule}. ${fault.mend}`)
  const accounts = [...new Set(toList(flags.accounts))]
  const { 'server-name': serverName, listen } = flags
  if (!/^[A-Za-z0-9_-]{1,64}$/.test(serverName))
    return badInput('--server-name must be 1 to 64 letters, digits, - and _')
  // Both go into the configuration as they are.
  if (isIP(listen) === 0 && !/^[A-Za-z0-9]([A-Za-z0-9.-]{0,253})$/.test(listen))
    return badInput('--listen must be an IP address or a host name, without a port')
  return { accounts, serverName, listen, nowMs, tokenFromEnv: false }
}

const toPrint = ({ name, text }: TextFile): string => `# ======== ${name} ========\n${text}`

const toEnv = (mode: NatsMode, settings: Readonly<Record<string, string>>): string => `\
# What Usher needs for the nats-server of nats.conf (NATS_MODE ${mode}), written by usher. It holds secrets.
${Object.entries(settings)
  .map(([name, value]) => `${name}=${value}\n`)
  .join('')}`

const isLoopback = (listen: string): boolean => /^(127\.|localhost$|::1$)/.test(listen)
const beyondLoopback = `
nats.conf listens beyond this machine and has no TLS: add tls { … } to it. NATS_URLS and NATS_WS_URLS are what clients are told:
correct them.
`

const nextSteps = (mode: NatsMode, { accounts: [account] }: NatsSetupOptions): string => `\
nats.conf is for nats-server, nats.env for the environment of Usher: add it to your .env.
${mode === 'jwt' ? 'nats-operator.keys owns the server, and nobody needs it to run: keep it offline.\n' : ''}${
  mode === 'callout'
    ? `Start Usher first: a server that asks it, while nobody answers, lets nobody in. A grant that gives something:

  - id: bus
    when: …
    nats: { account: ${account}, publish: ["user.{user}.out.>"], subscribe: ["user.{user}.>"] }

`
    : ''
}\`usher nats check --env-file nats.env\` says in words whether it works.
`
