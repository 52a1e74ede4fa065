// The process. It owns the environment, the signals and the exit codes: 78 for a bad configuration (EX_CONFIG, sysexits.h).

import { readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { toFileDescriptor } from './audit.ts'
import { allSettings, parseConfig } from './config.ts'
import { limits } from './http/options.ts'
import { openLog, toErrorFields } from './log.ts'
import { createStop } from './ops/drain.ts'
import { faultText } from './policy/faults.ts'
import { registry } from './providers/registry.ts'
import { RevocationsFileError } from './revocations/file.ts'
import { openService } from './service.ts'

const badConfiguration = 78
const stdout = 1

const parsed = parseConfig(process.env, (path) => readFileSync(path, 'utf8'))
for (const { name, secret } of allSettings) if (secret) delete process.env[name]
if ('faults' in parsed)
  fail(
    'The configuration',
    parsed.faults.map(({ name, rule, mend }) => `${name}: ${rule}. ${mend}.`),
  )
else await run(parsed.config)

async function run(config: Extract<typeof parsed, { config: unknown }>['config']): Promise<void> {
  const log = openLog(config.logLevel)
  const deps = { log, auditSink: toFileDescriptor(stdout), now: Date.now, fetch }
  const service = await openService(config, deps).catch((error: unknown) => {
    if (error instanceof RevocationsFileError) return error
    throw error
  })
  if (service instanceof RevocationsFileError) return fail('REVOCATIONS_FILE', [service.message])
  if (!('app' in service)) return fail(`The policy ${config.policyFile}`, service.map(faultText))
  const stop = createStop({
    health: service.health,
    log,
    drainSeconds: config.drainSeconds,
    closeTimeoutMs: limits.requestTimeoutMs + 2000,
    close: service.close,
    exit: (code) => {
      log.flush()
      process.exit(code)
    },
  })
  process.on('SIGTERM', () => void stop('SIGTERM'))
  // Ctrl-C: somebody waits at a terminal, and no gateway has to turn away.
  process.on('SIGINT', () => void stop('SIGINT', { delaySeconds: 0 }))
  process.on('SIGHUP', () => service.reloadPolicy())
  for (const event of ['uncaughtException', 'unhandledRejection'] as const)
    process.on(event, (error) => {
      log.error(toErrorFields(error), event)
      void stop(event, { code: 70 })
    })

  try {
    await service.app.listen({ host: config.host, port: config.port })
    await service.ops.listen({ host: config.opsHost, port: config.opsPort })
  } catch (error) {
    const { code, port, hostname } = error as NodeJS.ErrnoException & { port?: number; hostname?: string }
    await service.close()
    const where = port === undefined ? `host ${hostname}` : `port ${port}`
    return fail('Listening', [`${where}: ${code}. Set HOST and PORT, or OPS_HOST and OPS_PORT, to what is free here.`])
  }
  const { port } = service.app.server.address() as AddressInfo
  const { port: opsPort } = service.ops.server.address() as AddressInfo
  log.info(
    { host: config.host, port, opsPort, sandbox: config.sandbox, providers: [...config.providers.keys()] },
    'listening',
  )
  if (config.sandbox)
    process.stdout.write(banner(`http://${config.host.includes(':') ? `[${config.host}]` : config.host}:${port}`))
  await service.warm()
  service.health.ready()
}

function banner(base: string): string {
  const curls = registry.map(({ curl }) => `  ${curl(base)}`)
  return [
    '',
    `Usher's sandbox is at ${base}  (documentation: ${base}/docs)`,
    'It identifies nobody and answers this machine only. Try:',
    '',
    ...curls,
    '',
    '',
  ].join('\n')
}

function fail(what: string, faults: readonly string[]): void {
  process.stderr.write(`${what} cannot be used:\n${faults.map((fault) => `  - ${fault}\n`).join('')}`)
  process.exitCode = badConfiguration
}
