// A log whose lines a test reads. It owns nothing else.

import type { Log, LogFields } from '../../src/log.ts'

export interface RecordedLog extends Log {
  readonly lines: { level: string; fields: LogFields; message: string }[]
  text(): string
}

export function recordedLog(): RecordedLog {
  const lines: RecordedLog['lines'] = []
  const at = (level: string) => (fields: LogFields, message: string) => lines.push({ level, fields, message })
  return {
    lines,
    text: () => JSON.stringify(lines),
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    flush: () => {},
  }
}
