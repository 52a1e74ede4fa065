// A loopback stand-in of Ably: requestToken, /time and the realtime endpoint, with faults that a test switches on.
// It holds a real SDK to the rules of the cloud as far as they are documented; it carries no messages.
import { EventEmitter } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { createRealtime } from './ably-realtime.ts'
import {
  type AblyError,
  type AblyKey,
  type AblyTokenDetails,
  createRedeemer,
  everything,
} from './ably-token-request.ts'

/**
 * What goes wrong from now on. All but `disconnect` concern HTTP only:
 * `hang` never answers; `slowMs` answers late; `503html`, `429`, `badJson` and `emptyBody` answer that instead of Ably's
 * answer; `wideCapability` and `otherClientId` issue a valid token that holds more, or belongs to somebody else;
 * `disconnect` resets every request, refuses WebSockets and cuts the live ones at once.
 */
export type AblyFault =
  | 'ok'
  | 'hang'
  | '503html'
  | '429'
  | 'badJson'
  | 'emptyBody'
  | 'wideCapability'
  | 'otherClientId'
  | 'disconnect'
  | { slowMs: number }

/** `path` has no query. A WebSocket that opens is recorded as `GET /`. `body` is the text as it was sent. */
export type AblyRequest = {
  method: string
  path: string
  query: Record<string, string>
  headers: IncomingMessage['headers']
  body: string
}

/** `now` is in Unix milliseconds. */
export type AblyOptions = { keys: readonly AblyKey[]; now?: () => number }

export type AblyStandin = {
  port: number
  /** `http://127.0.0.1:<port>` */
  url: string
  requests: AblyRequest[]
  /** The next request that arrives whole, before it is answered. */
  nextRequest: () => Promise<AblyRequest>
  /** Every token that was issued, in order. */
  issued: AblyTokenDetails[]
  setFault: (fault: AblyFault) => void
  /** Ends every token and live connection with 40142, upon which a real SDK asks for a new token at once. */
  expireTokens: () => void
  close: () => Promise<void>
}

// Ably's CORS headers are assumed, not documented: any origin, and the headers that its SDKs read in a browser.
const cors = {
  'access-control-allow-origin': '*',
  'access-control-allow-methods': 'GET, POST',
  'access-control-allow-headers': '*, authorization',
  'access-control-expose-headers': 'X-Ably-Errorcode, X-Ably-Errormessage',
}

const reply = (response: ServerResponse, status: number, body: string, headers: Record<string, string> = {}) =>
  response.writeHead(status, { ...cors, 'content-type': 'application/json', ...headers }).end(body)

// https://ably.com/docs/api/rest-api#error-response
const replyError = (response: ServerResponse, { statusCode, code, message }: AblyError) =>
  reply(
    response,
    statusCode,
    JSON.stringify({ error: { message, code, statusCode, href: `https://help.ably.io/error/${code}` } }),
    { 'x-ably-errorcode': String(code), 'x-ably-errormessage': encodeURI(message) },
  )

const replyFault: Record<string, (response: ServerResponse) => unknown> = {
  hang: () => undefined,
  disconnect: (response) => response.socket?.destroy(),
  '503html': (response) => reply(response, 503, '<html><h1>Unavailable</h1></html>', { 'content-type': 'text/html' }),
  '429': (response) => replyError(response, { statusCode: 429, code: 42910, message: 'Rate limit exceeded' }),
  badJson: (response) => reply(response, 201, '{"token":"'),
  emptyBody: (response) => reply(response, 201, ''),
}

export const startAbly = async ({ keys, now = Date.now }: AblyOptions): Promise<AblyStandin> => {
  const requests: AblyRequest[] = []
  const arrivals = new EventEmitter()
  const issued: AblyTokenDetails[] = []
  const redeem = createRedeemer({ keys, now })
  const realtime = createRealtime({ issued, now })
  let fault: AblyFault = 'ok'

  const record = (request: IncomingMessage, body: string): AblyRequest => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://127.0.0.1')
    const { method = '', headers } = request
    const seen = { method, path: pathname, query: Object.fromEntries(searchParams), headers, body }
    requests.push(seen)
    arrivals.emit('request', seen)
    return seen
  }

  const requestToken = (response: ServerResponse, keyName: string, { body, headers }: AblyRequest) => {
    const answer = redeem({ keyName, body, authorization: headers.authorization })
    if (!('token' in answer)) return replyError(response, answer)
    if (fault === 'wideCapability') answer.capability = everything
    if (fault === 'otherClientId') answer.clientId = 'somebody-else'
    issued.push(answer)
    return reply(response, 201, JSON.stringify(answer))
  }

  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const seen = record(request, await text(request))
    if (seen.method === 'OPTIONS') return response.writeHead(204, cors).end()
    if (typeof fault === 'object') await sleep(fault.slowMs, undefined, { ref: false })
    const instead = typeof fault === 'string' ? replyFault[fault] : undefined
    if (instead) return instead(response)
    const [, keyName] = /^\/keys\/([^/]+)\/requestToken$/.exec(seen.path) ?? []
    if (seen.method === 'POST' && keyName) return requestToken(response, decodeURIComponent(keyName), seen)
    if (seen.method === 'GET' && seen.path === '/time') return reply(response, 200, JSON.stringify([now()]))
    return replyError(response, { statusCode: 404, code: 40400, message: `No such path: ${seen.path}` })
  }

  const server = createServer((request, response) => {
    // A client that leaves in the middle of its body rejects; there is nobody left to answer.
    answer(request, response).catch(() => response.destroy())
  })
  server.on('upgrade', (request, socket, head) => {
    const { query } = record(request, '')
    if (fault === 'disconnect') socket.destroy()
    else realtime.accept(request, socket, head, query)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo

  return {
    port,
    url: `http://127.0.0.1:${port}`,
    requests,
    nextRequest: () => new Promise((resolve) => arrivals.once('request', resolve)),
    issued,
    setFault: (next) => {
      fault = next
      if (next === 'disconnect') realtime.cut()
    },
    expireTokens: realtime.expireTokens,
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      server.closeAllConnections()
      await realtime.close()
      await closed
    },
  }
}
