// The realtime half of the stand-in: it lets in who holds a token that was issued here, and speaks just enough of the
// protocol for an SDK to connect, renew and close. Actions: ably-js src/common/lib/types/protocolmessagecommon.ts
import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { type WebSocket, WebSocketServer } from 'ws'
import type { AblyError, AblyTokenDetails } from './ably-token-request.ts'

const action = { heartbeat: 0, connected: 4, disconnect: 5, disconnected: 6, close: 7, error: 9, auth: 17 }

type Message = { action: number; id?: string; auth?: { accessToken?: string } }

type Deps = { issued: readonly AblyTokenDetails[]; now: () => number }

const withHref = (error: AblyError) => ({ ...error, href: `https://help.ably.io/error/${error.code}` })

const expired: AblyError = { statusCode: 401, code: 40142, message: 'Token expired' }

/** `issued` is read anew at every connection. `cut` drops the live sockets, `close` also waits until they are gone. */
export const createRealtime = ({ issued, now }: Deps) => {
  const sockets = new WebSocketServer({ noServer: true })
  const live = new Map<WebSocket, Promise<void>>()
  const ended = new Set<string>()

  const admit = (token: string | undefined, clientId: string | undefined): AblyTokenDetails | AblyError => {
    const details = issued.find((one) => one.token === token)
    if (!details) return { statusCode: 401, code: 40101, message: 'Invalid credentials' }
    if (ended.has(details.token) || details.expires <= now()) return expired
    // A wildcard token may take any clientId, any other only its own, an anonymous one none (SPEC RSA15).
    if (clientId && details.clientId !== '*' && clientId !== details.clientId) {
      return { statusCode: 401, code: 40102, message: 'The clientId differs from that of the token' }
    }
    return details
  }

  const open = (socket: WebSocket, query: Record<string, string>) => {
    const send = (message: object) => socket.send(JSON.stringify(message))
    const connectionId = randomUUID()

    const authenticate = (token: string | undefined) => {
      const details = admit(token, query['clientId'])
      if (!('token' in details)) {
        send({ action: action.error, error: withHref(details) })
        socket.close(1000)
        return
      }
      const clientId = details.clientId === '*' ? query['clientId'] || '*' : details.clientId
      send({
        action: action.connected,
        connectionId,
        connectionDetails: {
          ...(clientId === undefined ? {} : { clientId }),
          connectionKey: `${connectionId}!key`,
          connectionStateTtl: 120_000,
          maxMessageSize: 65_536,
          // No promise of heartbeats (SPEC CD2h), or the SDK would hang up after some idle seconds.
          maxIdleInterval: 0,
        },
      })
    }

    socket.on('error', () => socket.terminate())
    socket.on('message', (data) => {
      const message: Message = JSON.parse(data.toString())
      if (message.action === action.heartbeat) send({ action: action.heartbeat, id: message.id })
      if (message.action === action.auth) authenticate(message.auth?.accessToken)
      if (message.action === action.close || message.action === action.disconnect) socket.close(1000)
    })
    live.set(
      socket,
      new Promise((resolve) => {
        socket.on('close', () => {
          live.delete(socket)
          resolve()
        })
      }),
    )
    authenticate(query['access_token'] ?? query['accessToken'])
  }

  const cut = () => {
    for (const socket of live.keys()) socket.terminate()
  }

  return {
    accept: (request: IncomingMessage, stream: Duplex, head: Buffer, query: Record<string, string>) =>
      sockets.handleUpgrade(request, stream, head, (socket) => open(socket, query)),
    cut,
    expireTokens: () => {
      for (const { token } of issued) ended.add(token)
      for (const socket of live.keys()) {
        socket.send(JSON.stringify({ action: action.disconnected, error: withHref(expired) }))
        socket.close(1000)
      }
    },
    close: async () => {
      const gone = [...live.values()]
      cut()
      await Promise.all(gone)
    },
  }
}
