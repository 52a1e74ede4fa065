// The Go client of the tests. It owns its building, and what it is told: Go takes a token out of the URL, where JavaScript does not.

import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { buildBinary, missing } from './nats-server.ts'

/** Its path, or undefined where there is no Go. @throws in CI, where there must be one */
export async function buildGoClient(): Promise<string | undefined> {
  const source = fileURLToPath(new URL('go-client', import.meta.url))
  // go changes into the folder of go.mod; -o must name the folder that buildBinary runs it in.
  const build = `go build -C '${source}' -o "$PWD/go-client" .`
  return buildBinary('go-client', 'sh', ['-c', build]).catch((error) => missing('a Go client', [String(error)]))
}

/**
 * What the client prints, an error too.
 * @param url with the token in it
 * @param subject of its round trip; an inbox unless given
 */
export const runGoClient = (
  binary: string | undefined,
  { url, subject = '' }: { url: string; subject?: string },
): Promise<string> =>
  new Promise((resolve) => {
    const env = { NATS_URL: url, NATS_SUBJECT: subject }
    execFile(binary ?? '', { env }, (_error, stdout) => resolve(stdout))
  })
