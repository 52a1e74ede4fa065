// A real IdP on the loopback interface that can be made to fail in every way that one does.

import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Idp {
  readonly url: string
  /** How it answers from now on. */
  answer: RequestListener
  /** Requests that reached it, `/elsewhere` included. */
  readonly requests: string[]
  kill(): Promise<void>
  revive(): Promise<void>
}

export const answerWith =
  (body: string | object, status = 200): RequestListener =>
  (_, reply) => {
    reply.writeHead(status).end(typeof body === 'string' ? body : JSON.stringify(body))
  }
export const hang: RequestListener = () => {}
export const drip: RequestListener = (_, reply) => {
  const timer = setInterval(() => reply.write(' '), 50)
  reply.on('close', () => clearInterval(timer))
}

export async function openIdp(first: RequestListener): Promise<Idp> {
  const requests: string[] = []
  const server = createServer((request, reply) => {
    requests.push(request.url ?? '')
    idp.answer(request, reply)
  })
  const listen = (port: number) => new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  await listen(0)
  const { port } = server.address() as AddressInfo
  const idp: Idp = {
    url: `http://127.0.0.1:${port}/jwks`,
    answer: first,
    requests,
    kill: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
    revive: () => listen(port),
  }
  return idp
}
