// The log: what happens to the service, not who got what (that is the audit). It owns the closed list of fields, so that
// no object, error or header that passes by can bring a secret into it.

import { destination, pino } from 'pino'

const allowed = [
  'requestId',
  'method',
  'route',
  'status',
  'reason',
  'detail',
  'address',
  'error',
  'code',
  'frames',
  'signal',
  'port',
  'host',
  'opsPort',
  'version',
  'provider',
  'providers',
  'policy',
  'fault',
  'issuer',
  'ageSeconds',
  'sandbox',
  'inFlight',
  'milliseconds',
  'file',
] as const

export type LogFields = Partial<Record<(typeof allowed)[number], string | number | boolean | readonly string[]>>

export interface Log {
  debug(fields: LogFields, message: string): void
  info(fields: LogFields, message: string): void
  warn(fields: LogFields, message: string): void
  error(fields: LogFields, message: string): void
  flush(): void
}

export const levels = ['debug', 'info', 'warn', 'error', 'silent'] as const
export type Level = (typeof levels)[number]

/**
 * @param fd 2, so that the audit has stdout for itself
 * @param sync waits for each write. Otherwise a reader that stalls stops nothing: beyond 1 MiB lines are dropped.
 */
export function openLog(level: Level, { fd = 2, sync = false } = {}): Log {
  const stream = destination({ fd, sync, maxLength: 1 << 20 })
  const logger = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }), log: pick },
    },
    stream,
  )
  const at = (name: Exclude<Level, 'silent'>) => (fields: LogFields, message: string) => logger[name](fields, message)
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error'), flush: () => stream.flushSync() }
}

const pick = (fields: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(allowed.filter((name) => fields[name] !== undefined).map((name) => [name, fields[name]]))

/** What may be said of an unexpected error: its kind, code and frames. Its message can hold addresses and keys. */
export const toErrorFields = (error: unknown): LogFields => {
  const { name, code, stack } = (error ?? {}) as { name?: unknown; code?: unknown; stack?: unknown }
  const frames = typeof stack === 'string' ? stack.split('\n').filter((line) => /^ +at /.test(line)) : []
  return {
    error: typeof name === 'string' ? name : 'Error',
    ...(typeof code === 'string' && { code }),
    ...(frames.length > 0 && { frames: frames.slice(0, 6).map((frame) => frame.trim()) }),
  }
}
