// A bare client that counts as one of NATS: it owns the handshake with a token or a user JWT, and that after ask() nothing of the
// server’s answer is still on its way. And it knows the servers that keep no deny list.

import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import type { Signer } from '../../src/providers/nats/nkeys.ts'

export interface BareClient {
  /** Sends lines of the protocol. @returns what the server sent until its PONG */
  ask(lines: readonly string[]): Promise<string>
  close(): void
}

/** @throws what the server refused it with @param signer of the key that the JWT is for */
export async function openBare(url: string, token: string, signer?: Signer): Promise<BareClient> {
  const { hostname, port } = new URL(url)
  const socket = connect({ host: hostname, port: Number(port), noDelay: true }).setEncoding('latin1')
  let text = ''
  socket.on('data', (more) => {
    text += more
  })
  socket.on('error', () => {})
  const ended = once(socket, 'close').then(() => {
    throw new Error(text)
  })
  ended.catch(() => {})
  const until = async (mark: string): Promise<string> => {
    while (!text.includes(mark)) await Promise.race([once(socket, 'data'), ended])
    const end = text.indexOf(mark) + mark.length
    const answer = text.slice(0, end)
    text = text.slice(end)
    return answer
  }
  const ask = (lines: readonly string[]) => {
    socket.write(`${lines.map((line) => `${line}\r\n`).join('')}PING\r\n`)
    return until('PONG\r\n')
  }
  const info = JSON.parse((await until('\r\n')).slice('INFO '.length)) as { nonce?: string }
  const sig = signer?.sign(Buffer.from(info.nonce ?? '')).toString('base64url')
  const login = signer === undefined ? { auth_token: token } : { jwt: token, sig }
  await ask([`CONNECT ${JSON.stringify({ ...login, verbose: false, pedantic: false, echo: false })}`])
  return { ask, close: () => socket.destroy() }
}

/** What of it the server refused, in its own words: a subject, or a subject and a queue. */
export const refusals = (answer: string, operation: 'Publish' | 'Subscription'): ReadonlySet<string> =>
  new Set(
    [
      ...answer.matchAll(
        new RegExp(`^-ERR 'Permissions Violation for ${operation} to "(.+?)"(?: using queue "(.+?)")?'\\r$`, 'gm'),
      ),
    ].map(([, subject = '', queue]) => (queue === undefined ? subject : `${subject} ${queue}`)),
  )

/**
 * Before 2.11.16 and 2.12.7 a deny list leaks: `a.*` does not hold for publishing `a.b` where `a.b.c` stands beside it (server/sublist.go,
 * matchLevelForAny), and what is denied comes to a wildcard that overlaps it.
 */
export function isDenyKept(binary: string): boolean {
  const [, major, minor, patch] = (
    /v(\d+)\.(\d+)\.(\d+)/.exec(execFileSync(binary, ['--version'], { encoding: 'utf8' })) ?? []
  ).map(Number)
  const isKept =
    (major ?? 0) > 2 || (minor ?? 0) > 12 || (patch ?? 0) >= ({ 11: 16, 12: 7 }[minor ?? 0] ?? Number.POSITIVE_INFINITY)
  if (!isKept) console.warn(`\n!!! ${binary} keeps no deny list: grants are tried without deny\n`)
  return isKept
}
