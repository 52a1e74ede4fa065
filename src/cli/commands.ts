// The commands of `usher`. It owns their names, their help, and which file each lives in; that is loaded when it runs.

import { exit, type Io, type Run, stop, usage } from './command.ts'

interface Command {
  readonly name: string
  readonly args: string
  readonly about: string
  readonly example: string
  load(): Promise<Run>
}

export const commands: readonly Command[] = [
  {
    name: 'init',
    args: '[--dir .] [--nats callout|static|jwt]',
    about: 'write .env, policy.yaml and nats.conf that start at once',
    example: 'usher init',
    load: async () => (await import('./init.ts')).init,
  },
  {
    name: 'policy check',
    args: 'FILE',
    about: 'say what is wrong with a policy file, line by line',
    example: 'usher policy check policy.yaml',
    load: async () => (await import('./policy-check.ts')).policyCheck,
  },
  {
    name: 'policy explain',
    args:
      'FILE --provider NAME [--ask JSON] [--claims FILE] ' +
      '[--issuer NAME | --client ID [--on-behalf-of SUBJECT] | --caller gateway|anonymous|sandbox] [--json]',
    about: 'say what a caller gets, and why',
    example: `usher policy explain policy.yaml --claims alice.json --provider agora --ask '{"channelName":"room-1","role":1}'`,
    load: async () => (await import('./policy-explain.ts')).policyExplain,
  },
  {
    name: 'key new',
    args: '[--env live]',
    about: 'make an API key, and the policy entry that knows it',
    example: 'usher key new --env test',
    load: async () => (await import('./key-new.ts')).keyNew,
  },
  {
    name: 'nats setup',
    args: '[--mode callout|static|jwt] [--dir . | --print] [--accounts APP,…] [--server-name nats-1] [--listen 127.0.0.1]',
    about: 'make the keys and write the configuration of a nats-server, and the settings of Usher that go with it',
    example: 'usher nats setup --mode callout',
    load: async () => (await import('./nats-setup.ts')).natsSetup,
  },
  {
    name: 'nats check',
    args: '[--env-file .env]',
    about: 'prove that nats-server and Usher understand each other, or say what is wrong (NATS_…)',
    example: 'usher nats check --env-file .env',
    load: async () => (await import('./nats-check.ts')).natsCheck,
  },
  {
    name: 'nats passwd',
    args: '[--stdin | --generate] [--cost 11]',
    about: 'hash a shared NATS token for the configuration of nats-server',
    example: 'usher nats passwd --generate',
    load: async () => (await import('./nats-passwd.ts')).natsPasswd,
  },
  {
    name: 'health',
    args: '',
    about: 'ask /livez of the service on this machine (HOST, PORT)',
    example: 'usher health',
    load: async () => (await import('./health.ts')).health,
  },
]

/** @param argv what follows `usher` */
export async function usher(argv: readonly string[], io: Io): Promise<number> {
  if (argv.length === 0) return stop(usage(`name a command\n\n${overview()}`), io)
  if (['help', '--help', '-h'].includes(argv[0] as string)) {
    const named = find(argv.slice(1))
    io.stdout.write(named === undefined ? overview() : helpOf(named))
    return exit.ok
  }
  const command = find(argv)
  // What was typed is not repeated: it may be a key.
  if (command === undefined) return stop(usage(`there is no such command\n\n${overview()}`), io)
  const rest = argv.slice(command.name.split(' ').length)
  if (rest.includes('--help') || rest.includes('-h')) {
    io.stdout.write(helpOf(command))
    return exit.ok
  }
  const run = await command.load()
  const exitCode = await run(rest, io)
  if (exitCode === exit.usage) io.stderr.write(`See usher ${command.name} --help\n`)
  return exitCode
}

const find = (argv: readonly string[]): Command | undefined =>
  commands.find(({ name }) => name === argv.slice(0, name.split(' ').length).join(' '))

const helpOf = ({ name, args, about, example }: Command): string =>
  [`usher ${name}: ${about}`, '', `  usher ${`${name} ${args}`.trim()}`, '', 'Example', '', `  ${example}`, ''].join(
    '\n',
  )

function overview(): string {
  const width = Math.max(...commands.map(({ name }) => name.length))
  return [
    'usher: short-lived credentials for Agora, Ably and NATS',
    '',
    ...commands.map(({ name, about }) => `  usher ${name.padEnd(width)}  ${about}`),
    '',
    'usher <command> --help says more. Exit codes: 0 ok, 1 refused or faults found, 64 usage, 65 bad input, 78 configuration.',
    '',
  ].join('\n')
}
