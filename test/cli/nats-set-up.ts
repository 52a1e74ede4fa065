// A nats-server and the environment that goes with it, as `usher nats setup` makes them, broken where a test says. It owns that no
// secret is ever in what `usher nats check` says.

import { expect } from 'vitest'
import { natsCheck } from '../../src/cli/nats-check.ts'
import { createNatsSetup } from '../../src/cli/nats-conf.ts'
import { usualServer } from '../../src/cli/nats-server-conf.ts'
import type { NatsMode } from '../../src/providers/nats/ask.ts'
import { startNatsServer } from '../live/nats-server.ts'
import { type Outcome, runCommand } from './io.ts'

/** Port 1: nobody listens there. */
export const nowhere = 'nats://127.0.0.1:1'

export type Env = Readonly<Record<string, string>>
export interface Broken {
  readonly mode?: NatsMode
  readonly accounts?: readonly string[]
  /** What is wrong with nats.conf. */
  readonly conf?: (conf: string) => string
  /** What is wrong with the environment. */
  readonly env?: (env: Env) => Record<string, string>
  /** How far this machine's clock is ahead. */
  readonly aheadMs?: number
}

export function setUp(mode: NatsMode = 'callout', accounts: readonly string[] = ['APP']) {
  const options = { ...usualServer, accounts, nowMs: Date.now(), tokenFromEnv: false }
  const { files, settings } = createNatsSetup(mode, options)
  const [conf] = files.map(({ text }) => text.replace(':4223"', ':-1"'))
  return { conf: conf as string, env: settings }
}

export const startServer = async (conf: string): Promise<string> => (await startNatsServer({ config: conf })).url

/** `usher nats check` of a set-up in which that is broken. */
export async function check({
  mode,
  accounts,
  conf = (text) => text,
  env = (env) => env,
  aheadMs,
}: Broken): Promise<Outcome> {
  const good = setUp(mode, accounts)
  return checkWith({ ...env(good.env), NATS_URLS: await startServer(conf(good.conf)) }, [], aheadMs)
}

export async function checkWith(env: Env, argv: readonly string[] = [], aheadMs = 0): Promise<Outcome> {
  const outcome = await runCommand(natsCheck, argv, { env, now: () => Date.now() + aheadMs })
  const said = outcome.stdout + outcome.stderr
  for (const secret of secretsIn(env)) expect(said).not.toContain(secret)
  expect(said).not.toContain('undefined')
  return outcome
}

const secretsIn = (env: Env): readonly string[] =>
  [
    ...Object.values(env).flatMap((value) => value.match(/S[AUX][A-Z2-7]{56}/g) ?? []),
    env['NATS_TOKEN_KEYS']?.split(':')[1],
    env['NATS_TOKEN'],
  ].filter((text) => text !== undefined)

/** Lines of a level, without it; not those about the version, which is whatever this machine has. */
export const linesOf = (level: string, { stdout }: Outcome): readonly string[] =>
  stdout
    .split('\n')
    .flatMap((line) => (line.startsWith(`${level} `) ? [line.slice(level.length).trim()] : []))
    .filter((line) => !line.includes('shows tokens of refused clients'))
