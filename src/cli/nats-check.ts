// `usher nats check`. It owns which probes each NATS_MODE has, their order, and what they make of the exit code.

import { readFileSync } from 'node:fs'
import { parseEnv } from 'node:util'
import type { NatsMode } from '../providers/nats/ask.ts'
import { faultsBetween, natsSettings, requiredOf } from '../providers/nats/settings.ts'
import { type ConfigFault, type Environment, readSettings, type Settings } from '../settings.ts'
import { exit, type Io, isStop, parseFlags, type Stop, stop } from './command.ts'
import { connectCanary } from './nats-check-canary.ts'
import type { Chain, Probe } from './nats-check-chain.ts'
import { greet } from './nats-check-connect.ts'
import { connectWithJwts } from './nats-check-jwt.ts'
import { logInAsSystem, logInForCallouts } from './nats-check-login.ts'
import { type Finding, fault, fine, toLine } from './nats-check-report.ts'
import { greeted } from './nats-check-server.ts'
import { connectWithToken } from './nats-check-static.ts'
import { endConnection, findResponders } from './nats-check-system.ts'
import { readFile } from './read-policy.ts'

/** In order: each builds on those before it. */
const probes: Record<NatsMode, readonly Probe[]> = {
  static: [connectWithToken],
  callout: [logInForCallouts, logInAsSystem, findResponders, connectCanary, endConnection],
  jwt: [connectWithJwts],
}

/** @returns 0 where nothing is a fault, 1 where something is */
export async function natsCheck(argv: readonly string[], io: Io): Promise<number> {
  const flags = parseFlags(argv, { options: { 'env-file': { type: 'string' } } })
  if (isStop(flags)) return stop(flags, io)
  const env = readEnv(flags.values['env-file'], io.env)
  if (isStop(env)) return stop(env, io)
  let exitCode: number = exit.ok
  const say = (findings: readonly Finding[]) => {
    for (const finding of findings) io.stdout.write(toLine(finding))
    if (findings.some(({ level }) => level === 'fault')) exitCode = exit.refused
  }
  const settings = read(env)
  if ('faults' in settings) {
    say(settings.faults.map(({ name, rule, mend }) => fault(`${name} ${rule}`, mend)))
    return exitCode
  }
  say([fine('the settings of NATS are complete, and each key is of its kind')])
  for (const server of settings.list(settings.has('NATS_SERVICE_URLS') ? 'NATS_SERVICE_URLS' : 'NATS_URLS'))
    await check(server, settings, io, say)
  return exitCode
}

/** A variable that is set wins over the file. */
function readEnv(path: string | undefined, env: Environment): Environment | Stop {
  if (path === undefined) return env
  const text = readFile(path)
  return isStop(text) ? text : { ...parseEnv(text), ...env }
}

function read(env: Environment): Settings | { faults: readonly ConfigFault[] } {
  const faults: ConfigFault[] = []
  const settings = readSettings(natsSettings, env, (path) => readFileSync(path, 'utf8'), faults)
  if (faults.length > 0) return { faults }
  for (const name of requiredOf(settings))
    if (!settings.has(name))
      faults.push({ name, rule: 'is not set', mend: 'Set it, or name the file that does: --env-file .env' })
  faults.push(...faultsBetween(settings))
  return faults.length > 0 ? { faults } : settings
}

async function check(
  server: string,
  settings: Settings,
  { now }: Io,
  say: (findings: readonly Finding[]) => void,
): Promise<void> {
  const mode = settings.text('NATS_MODE') as NatsMode
  const greeting = await greet(server)
  const findings = greeted(server, greeting, mode, settings)
  say(findings)
  if (typeof greeting === 'string' || findings.some(({ level }) => level === 'fault')) return
  const chain: Chain = { server, greeting, settings, now }
  try {
    for (const probe of probes[mode]) say(await probe(chain))
  } finally {
    await Promise.all([chain.canary, chain.callout, chain.system].map((connection) => connection?.close()))
  }
}
