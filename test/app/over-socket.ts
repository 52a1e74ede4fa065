// Bytes over a socket, for what no HTTP client would send.

import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { type Answer, ofBytes } from './answers.ts'

/** Sends the bytes and reads until the server closes; a request that wants an end says `Connection: close`. */
export async function sendBytes(base: string, bytes: string | Buffer): Promise<Answer> {
  const socket = connect(Number(new URL(base).port), '127.0.0.1')
  // A server that refuses in the middle of a body resets; what it said before that still counts.
  socket.on('error', () => {})
  socket.write(bytes)
  return ofBytes(await text(socket))
}

/** The head of a request, with the headers exactly as they are given. */
export const head = (requestLine: string, ...headers: readonly string[]): string =>
  `${[`${requestLine} HTTP/1.1`, 'Host: usher.test', 'Connection: close', ...headers].join('\r\n')}\r\n\r\n`
