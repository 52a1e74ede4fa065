// What a nats-server asks of the auth callout, made by hand: a client of the AUTH account that sends authorization requests of its
// own. It owns their form (ADR-26) and the opening of answers, by the reference nkeys and not by Usher’s own code.

import { type ClaimsData, decode } from '@nats-io/jwt'
import { createCurve, createServer, createUser, type KeyPair } from '@nats-io/nkeys'
import { connect, headers, type NatsConnection, TimeoutError } from '@nats-io/transport-node'
import { vi } from 'vitest'
import { encodeNatsJwt } from '../../src/providers/nats/jwt.ts'
import { publicNkeyOf } from '../../src/providers/nats/nkeys.ts'
import { type CalloutKeys, calloutConf } from './callout-server.ts'
import { patience } from './callout-usher.ts'

/**
 * The stand-in is a user of the AUTH account that may do everything. Its broker asks no callouts itself: one that does keeps every
 * client from publishing to their subject, whatever his permissions say.
 */
export const standinConf = (keys: CalloutKeys): string =>
  calloutConf(keys, { others: { standin: '{ user: standin, password: standin-password }' } }).replace(
    / {2}auth_callout \{[^}]*\}/,
    '',
  )

export interface Asked {
  /** Claims of the request, over the usual ones. */
  readonly claims?: Readonly<Record<string, unknown>>
  /** Below `nats`, over the usual ones. */
  readonly nats?: Readonly<Record<string, unknown>>
  /** Signs, in place of the server that it names. */
  readonly signer?: KeyPair
  /** Seals, in place of the one that it names. */
  readonly curve?: KeyPair
  /** Public xkey it is sealed for. */
  readonly recipient?: string
  /** Value of the header; null leaves it out. */
  readonly header?: string | null
  /** Changes the JWT before it is sealed. */
  readonly alter?: (jwt: string) => string
  /** The whole payload, in place of the sealed JWT. */
  readonly payload?: Uint8Array
}

export interface Answer {
  readonly data: Uint8Array
  readonly response: ClaimsData<{ jwt?: string; error?: string; type: string; version: number }>
  readonly user: ClaimsData<Record<string, unknown>> | undefined
  readonly userJwt: string
}

export async function openStandin(url: string, { issuer, xkey }: Pick<CalloutKeys, 'issuer' | 'xkey'>) {
  const server = createServer()
  const curve = createCurve()
  const usherXkey = publicNkeyOf(xkey, 'curve')
  const client: NatsConnection = await connect({
    servers: url,
    user: 'standin',
    pass: 'standin-password',
    reconnect: false,
  })
  const replies = '$SYS._INBOX.standin'
  const answers = new Map<string, Uint8Array>()
  const waiting = new Map<string, (data: Uint8Array) => void>()
  client.subscribe(`${replies}.*`, {
    callback: (_error, { subject, data }) => {
      answers.set(subject, data)
      waiting.get(subject)?.(data)
    },
  })
  let count = 0

  /** @returns where its answer would arrive */
  function send(token: string | undefined, asked: Asked = {}): { reply: string; userNkey: string } {
    const reply = `${replies}.${++count}`
    const userNkey = createUser().getPublicKey()
    const seconds = Math.floor(Date.now() / 1000)
    const nats = {
      server_id: {
        name: 'standin',
        host: '127.0.0.1',
        id: server.getPublicKey(),
        version: '2.12.8',
        xkey: curve.getPublicKey(),
      },
      user_nkey: userNkey,
      client_info: { host: '127.0.0.1', id: count, name: 'c', kind: 'Client', type: 'nats' },
      connect_opts: { ...(token !== undefined && { auth_token: token }), protocol: 1 },
      type: 'authorization_request',
      version: 2,
      ...asked.nats,
    }
    const usual = {
      aud: 'nats-authorization-request',
      sub: publicNkeyOf(issuer, 'account'),
      exp: seconds + 10,
      iat: seconds,
    }
    const claims = { ...usual, nats, ...asked.claims }
    const signer = asked.signer ?? server
    const sign = (data: Uint8Array) => Buffer.from(signer.sign(data))
    const jwt = encodeNatsJwt(claims, { publicKey: server.getPublicKey(), sign })
    const plain = Buffer.from(asked.alter?.(jwt) ?? jwt, 'latin1')
    const sealed = asked.payload ?? (asked.curve ?? curve).seal(plain, asked.recipient ?? usherXkey)
    const head = headers()
    if (asked.header !== null) head.set('Nats-Server-Xkey', asked.header ?? curve.getPublicKey())
    client.publish('$SYS.REQ.USER.AUTH', sealed, { reply, headers: head })
    return { reply, userNkey }
  }

  /** Waits for the answer. */
  async function ask(token: string | undefined, asked: Asked = {}): Promise<Answer & { userNkey: string }> {
    const { reply, userNkey } = send(token, asked)
    const data = await new Promise<Uint8Array>((resolve) => waiting.set(reply, resolve))
    const opened = curve.open(data, asked.recipient ?? usherXkey)
    if (opened === null) throw new Error('the answer is not sealed for the server')
    const response = decode<Answer['response']['nats']>(Buffer.from(opened).toString())
    const userJwt = response.nats.jwt ?? ''
    return { data, response, userJwt, user: userJwt === '' ? undefined : decode(userJwt), userNkey }
  }

  /** Until somebody has subscribed; what is sent here is no request, and gets no answer. */
  const untilHeard = () =>
    vi.waitFor(async () => {
      const error = await client.request('$SYS.REQ.USER.AUTH', '', { timeout: 50 }).catch((error) => error)
      if (!(error instanceof TimeoutError)) throw error
    }, patience)

  return {
    untilHeard,
    id: server.getPublicKey(),
    xkey: curve.getPublicKey(),
    send,
    ask,
    hasAnswer: (reply: string) => answers.has(reply),
    close: () => client.close(),
  }
}
