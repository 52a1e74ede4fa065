// `usher nats passwd`. It owns: how a shared NATS token is asked for, and the configuration line for nats-server.
// The clear token stands in no argument and not on stdout; stdout carries the line and nothing else.

import { createInterface } from 'node:readline'
import { type Readable, Writable } from 'node:stream'
import { parseArgs } from 'node:util'
import { generateToken, isUrlSafeToken, natsTokenFault, toBcrypt } from '../providers/nats/static-token.ts'

export interface Terminal {
  readonly stdin: Readable
  readonly stdout: Writable
  readonly stderr: Writable
  /** Whether stdin is a terminal. */
  readonly isTTY: boolean
}

// sysexits.h for the first two; 128 + SIGINT, as a shell reports it.
const exit = { usage: 64, data: 65, interrupted: 130 } as const

/** A refusal of the input, or the user's ^C. */
interface Stop {
  readonly exitCode: number
  readonly message: string
}

const usage = (rule: string): Stop => ({
  exitCode: exit.usage,
  message: `${rule}.\nUsage: usher nats passwd [--stdin | --generate] [--cost 4…31, 11 unless given]`,
})
const badToken = (rule: string, mend: string): Stop => ({
  exitCode: exit.data,
  message: `the token ${rule}. ${mend}.`,
})

/** @param argv what follows `usher nats passwd`; @returns the exit code: 0, 64 usage, 65 refused token, 130 ^C */
export async function natsPasswd(argv: readonly string[], io: Terminal): Promise<number> {
  const say = (line: string) => io.stderr.write(`${line}\n`)
  const stop = ({ exitCode, message }: Stop) => {
    say(`usher nats passwd: ${message}`)
    return exitCode
  }

  const options = parseOptions(argv, io.isTTY)
  if ('message' in options) return stop(options)
  const token = await obtainToken(options.source, io)
  if (typeof token !== 'string') return stop(token)
  const fault = natsTokenFault(token)
  if (fault) return stop(badToken(fault.rule, fault.mend))

  if (options.source === 'generate') say(`Generated token: ${token}`)
  for (const note of notesOn(token, options.cost)) say(`- ${note}`)
  io.stdout.write(`authorization { token: "${await toBcrypt(token, options.cost)}" }\n`)
  return 0
}

type Source = 'terminal' | 'stdin' | 'generate'

function parseOptions(argv: readonly string[], isTTY: boolean): { source: Source; cost: number } | Stop {
  const parsed = parseFlags(argv)
  // Node's own message quotes the argument, which may be the token.
  if (parsed === undefined)
    return usage('an argument is unknown or lacks its value. A token is never one: ps and shell history would show it')
  const { stdin, generate, cost } = parsed.values
  if (stdin && generate) return usage('--stdin and --generate exclude each other')
  if (stdin && isTTY) return usage('--stdin on a terminal would show the token. Leave it out and type, or use a pipe')
  if (!stdin && !generate && !isTTY) return usage('stdin is not a terminal. Use --stdin or --generate')
  if (!/^\d{1,2}$/.test(cost) || Number(cost) < 4 || Number(cost) > 31)
    return usage('--cost must be a whole number from 4 to 31')
  return { source: generate ? 'generate' : stdin ? 'stdin' : 'terminal', cost: Number(cost) }
}

function parseFlags(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      options: {
        stdin: { type: 'boolean', default: false },
        generate: { type: 'boolean', default: false },
        cost: { type: 'string', default: '11' },
      },
    })
  } catch {
    return undefined
  }
}

const obtainToken = (source: Source, io: Terminal): Promise<string | Stop> | string =>
  ({ generate: generateToken, stdin: () => readLine(io.stdin), terminal: () => askTwice(io) })[source]()

/** All of stdin without its last line break; any other line break is a fault of the token. */
async function readLine(stdin: Readable): Promise<string> {
  let text = ''
  for await (const chunk of stdin.setEncoding('utf8')) {
    text += chunk
    // Far over the limit of a token: a stream without end is not read to its end.
    if (text.length > 1024) break
  }
  return text.replace(/\r?\n$/, '')
}

async function askTwice({ stdin, stderr }: Terminal): Promise<string | Stop> {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() })
  // `terminal` sets raw mode, so the terminal echoes nothing; without history the arrow keys bring nothing back.
  const lines = createInterface({ input: stdin, output: nowhere, terminal: true, historySize: 0 })
  const answers = lines[Symbol.asyncIterator]()
  const ask = async (prompt: string): Promise<string | undefined> => {
    stderr.write(prompt)
    const { value } = await answers.next()
    stderr.write('\n')
    return value
  }
  try {
    const first = await ask('NATS token (nothing is shown): ')
    const second = first === undefined ? undefined : await ask('The same again: ')
    if (first === undefined || second === undefined) return { exitCode: exit.interrupted, message: 'interrupted.' }
    return first === second ? first : badToken('was not typed the same twice', 'Type it again')
  } finally {
    lines.close()
  }
}

function notesOn(token: string, cost: number): readonly string[] {
  // Measured: cost 11 takes nats-server about 120 ms; each step doubles it.
  const milliseconds = Math.round(120 * 2 ** (cost - 11))
  return [
    'Clients and Usher (NATS_TOKEN) need the clear token; only nats-server gets the hash.',
    `At cost ${cost} nats-server spends about ${milliseconds} ms of CPU on every connect.`,
    // nats.go, DefaultTimeout; nats-py, DEFAULT_CONNECT_TIMEOUT.
    ...(milliseconds > 1500 ? ['The Go and Python clients give up after 2 s unless told otherwise.'] : []),
    'Cluster routes take no token: give `cluster { authorization }` a user and a password.',
    ...(isUrlSafeToken(token) ? [] : ['As part of nats://TOKEN@host it would arrive changed; pass it as an option.']),
  ]
}
