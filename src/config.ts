// The configuration from the environment. It owns which settings there are, and how they depend on each other. Pure.

import { coreSettings } from './core-settings.ts'
import { isLoopbackName } from './identity/loopback.ts'
import type { Level } from './log.ts'
import { type AnyProviderModule, registry } from './providers/registry.ts'
import { createSecret, type Secret } from './secret.ts'
import {
  type ConfigFault,
  type Environment,
  type ReadFile,
  readSettings,
  type Setting,
  type Settings,
  toSettings,
} from './settings.ts'

export interface Config {
  readonly host: string
  readonly port: number
  readonly opsHost: string
  readonly opsPort: number
  readonly sandbox: boolean
  /** Absent in the sandbox, whose policy is policy.sandbox.yaml of this repository. */
  readonly policyFile: string | undefined
  readonly corsOrigins: readonly string[]
  readonly trustedProxies: readonly string[]
  /** One, or two while it is rotated. */
  readonly gatewaySecrets: readonly Secret[]
  readonly docs: boolean
  readonly logLevel: Level
  readonly drainSeconds: number
  readonly maxInFlight: number
  readonly revocations: {
    readonly file: string | undefined
    readonly redisUrl: Secret | undefined
    /** What happens while nobody can tell who is revoked. */
    readonly onOutage: 'refuse' | 'allow'
  }
  /** The settings of each provider that is on. */
  readonly providers: ReadonlyMap<string, Settings>
}

export const allSettings: readonly Setting[] = [...coreSettings, ...registry.flatMap(({ settings }) => settings)]

/** @throws never: the result is a configuration or every fault of it. */
export function parseConfig(
  env: Environment,
  readFile: ReadFile,
): { config: Config } | { faults: readonly ConfigFault[] } {
  const faults: ConfigFault[] = []
  const core = readSettings(coreSettings, env, readFile, faults)
  const providers = new Map<string, Settings>()
  for (const module of registry) {
    const settings = readProvider(module, env, readFile, faults)
    if (settings !== undefined) providers.set(module.entitlement.name, settings)
  }
  const host = core.text('HOST')
  const hasPolicy = core.has('USHER_POLICY')
  const asksSandbox = core.flag('SANDBOX')
  const isBare = providers.size === 0 && !hasPolicy && !core.has('SANDBOX')
  const sandbox = asksSandbox || (isBare && isLoopbackName(host) && faults.length === 0)
  if (asksSandbox && hasPolicy)
    faults.push({
      name: 'SANDBOX',
      rule: 'is set, and USHER_POLICY too',
      mend: 'The sandbox has a policy of its own: unset one of them',
    })
  if (asksSandbox && !isLoopbackName(host))
    faults.push({
      name: 'SANDBOX',
      rule: `is set, but HOST is ${host}`,
      mend: 'The sandbox identifies nobody: it listens on loopback only',
    })
  if (!sandbox && !hasPolicy)
    faults.push({
      name: 'USHER_POLICY',
      rule: 'is not set, so nobody could get anything',
      mend: 'Write a policy (policy.example.yaml), run `usher init`, or start on loopback without credentials for the sandbox',
    })
  if (!sandbox && providers.size === 0 && faults.every(({ name }) => !isOfProvider(name)))
    faults.push({
      name: 'AGORA_APP_ID, ABLY_API_KEY, NATS_TOKEN',
      rule: 'none is set, so there is nothing to issue',
      mend: "Set at least one provider's",
    })
  if (env['NODE_TLS_REJECT_UNAUTHORIZED'] === '0')
    faults.push({
      name: 'NODE_TLS_REJECT_UNAUTHORIZED',
      rule: 'is 0, which believes every server',
      mend: 'Unset it; NODE_EXTRA_CA_CERTS adds a CA',
    })
  if (faults.length > 0) return { faults }
  if (sandbox && providers.size === 0)
    for (const module of registry) providers.set(module.entitlement.name, sandboxSettings(module))
  return {
    config: {
      host,
      port: Number(core.text('PORT')),
      opsHost: core.text('OPS_HOST'),
      opsPort: Number(core.text('OPS_PORT')),
      sandbox,
      policyFile: hasPolicy ? core.text('USHER_POLICY') : undefined,
      corsOrigins: core.list('CORS_ORIGINS'),
      trustedProxies: core.list('TRUSTED_PROXIES'),
      gatewaySecrets: core.list('GATEWAY_SECRET').map(createSecret),
      docs: core.has('DOCS') ? core.flag('DOCS') : sandbox,
      logLevel: core.text('LOG_LEVEL') as Level,
      drainSeconds: Number(core.text('DRAIN_SECONDS')),
      maxInFlight: Number(core.text('MAX_IN_FLIGHT')),
      revocations: {
        file: core.has('REVOCATIONS_FILE') ? core.text('REVOCATIONS_FILE') : undefined,
        redisUrl: core.has('REDIS_URL') ? core.secret('REDIS_URL') : undefined,
        onOutage: core.text('REVOCATIONS_OUTAGE') as 'refuse' | 'allow',
      },
      providers,
    },
  }
}

const isOfProvider = (name: string): boolean =>
  registry.some(({ settings }) => settings.some((setting) => setting.name === name))

/** Off where nothing of it is set; a half-set provider is a fault, not off. */
function readProvider(
  { settings, required: requiredOf, faultsIn, entitlement }: AnyProviderModule,
  env: Environment,
  readFile: ReadFile,
  faults: ConfigFault[],
): Settings | undefined {
  const before = faults.length
  const values = readSettings(settings, env, readFile, faults)
  const required = requiredOf(values)
  const isSet = (name: string) => values.has(name) || faults.slice(before).some((fault) => fault.name === name)
  if (!required.some(isSet)) return undefined
  for (const name of required)
    if (!isSet(name))
      faults.push({
        name,
        rule: `is missing, and ${entitlement.name} needs it`,
        mend: `Set it, or unset ${required.filter(isSet).join(', ')}`,
      })
  if (faults.length === before) faults.push(...(faultsIn?.(values) ?? []))
  return faults.length === before ? values : undefined
}

function sandboxSettings({ settings, sandboxSettings }: AnyProviderModule): Settings {
  const fallbacks = settings.flatMap(({ name, fallback }): [string, string][] =>
    fallback === undefined ? [] : [[name, fallback]],
  )
  return toSettings(new Map([...fallbacks, ...Object.entries(sandboxSettings())]))
}
