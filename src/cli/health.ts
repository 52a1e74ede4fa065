// `usher health`. It owns the question that a container is asked: does the service on this machine answer?

import { exit, type Io, isStop, parseFlags, stop } from './command.ts'

const timeoutMs = 2000

/** @returns 0 where /livez answers 200, 1 where not, 78 for a PORT that is none */
export async function health(argv: readonly string[], io: Io): Promise<number> {
  const flags = parseFlags(argv, { options: {} })
  if (isStop(flags)) return stop(flags, io)
  // As config.ts falls back; loading that for two names would cost more than the question.
  const { HOST: host = '127.0.0.1', PORT: port = '8082' } = io.env
  const url = `http://${toReachable(host)}:${port}/livez`
  if (!/^\d{1,5}$/.test(port) || !URL.canParse(url))
    return stop({ exitCode: exit.config, message: 'HOST and PORT are no address' }, io)
  try {
    const { status } = await fetch(url, { redirect: 'error', signal: AbortSignal.timeout(timeoutMs) })
    if (status === 200) return exit.ok
    return stop({ exitCode: exit.refused, message: `${url} answers ${status}` }, io)
  } catch (error) {
    const { name, cause } = error as Error & { cause?: NodeJS.ErrnoException }
    return stop({ exitCode: exit.refused, message: `${url} does not answer (${cause?.code ?? name})` }, io)
  }
}

/** An address to listen on is not always one to call. */
function toReachable(host: string): string {
  if (host === '' || host === '0.0.0.0') return '127.0.0.1'
  if (host === '::') return '[::1]'
  return host.includes(':') ? `[${host}]` : host
}
