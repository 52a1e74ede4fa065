// `ws` comes with ably and ships no types; @types/ws would replace this file. Only what the stand-in uses is declared.
declare module 'ws' {
  import type { IncomingMessage } from 'node:http'
  import type { Duplex } from 'node:stream'

  export interface WebSocket {
    send(text: string): void
    close(code?: number): void
    terminate(): void
    on(event: 'message', listener: (data: Buffer) => void): void
    on(event: 'close', listener: () => void): void
    on(event: 'error', listener: (error: Error) => void): void
  }

  export const WebSocketServer: new (options: {
    noServer: true
  }) => {
    handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer, done: (socket: WebSocket) => void): void
  }
}
