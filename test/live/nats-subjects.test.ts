// The rules for subjects against a real nats-server: what it lets a client subscribe, what the client then receives, and how it
// reads the entries that we refuse.

import { connect, type NatsConnection } from '@nats-io/transport-node'
import { beforeAll, describe, expect, it } from 'vitest'
import { canSubscribe, matches, parseEntry, reach } from '../../src/providers/nats/subjects.ts'
import { type NatsServer, obtainNatsServer, startNatsServer } from './nats-server.ts'

const natsServer = await obtainNatsServer()

const patterns = [
  ...['a', '*', '>'],
  ...['a.a', 'a.*', 'a.>', '*.a', '*.*', '*.>'],
  ...['a.b.c', 'a.b.*', 'a.b.>', 'a.*.c', 'a.*.*', 'a.*.>', '*.b.c', '*.b.*', '*.*.c', '*.*.*', '*.*.>'],
  ...['foo.*', 'foo.>', 'foo.*.*', 'foo.*.>', 'foo.*.bar', 'foo*', 'a*.b'],
]
const literals = 'a b a.a a.b b.a a.b.c a.c.c b.b.c a.b.c.d foo foo.a foo.a.bar foo* a*.b'.split(' ')
const strange = { newLine: 'a.b\u0085c.d', hardSpace: 'a.b\u00a0c.d', narrowed: ['foo.>', 'foo.a q'] }

const userOf = ([user, allow]: readonly [string, readonly string[]]) =>
  `{ user: ${JSON.stringify(user)}, password: pw, permissions: { subscribe: { allow: ${JSON.stringify(allow)} } } }`
const users = [
  ...patterns.map((pattern) => [pattern, [pattern]] as const),
  ...(['newLine', 'hardSpace'] as const).map((name) => [name, [strange[name]]] as const),
  ['narrowed', strange.narrowed] as const,
]
const config = `authorization { users: [ { user: publisher, password: pw }, ${users.map(userOf).join(', ')} ] }`

describe.skipIf(!natsServer)('nats-server', () => {
  let server: NatsServer
  let publisher: NatsConnection
  const open = (user: string) => connect({ servers: server.url, user, pass: 'pw', reconnect: false })

  beforeAll(async () => {
    server = await startNatsServer({ config })
    publisher = await open('publisher')
    return () => publisher.close()
  })

  /**
   * The subscriptions that the server lets this user have, and what they receive of every literal. The server answers in order: its
   * refusals arrive before the PONG of a flush, and messages are on their way before the PONG that their publisher gets.
   */
  async function tryAll(user: string, subscriptions: readonly { subject: string; queue?: string }[]) {
    const client = await open(user)
    try {
      const received = new Set<string>()
      const callback = (error: Error | null, message: { subject: string }) => {
        if (error === null) received.add(message.subject)
      }
      const tried = subscriptions.map(({ subject, ...queue }) => client.subscribe(subject, { callback, ...queue }))
      await client.flush()
      const allowed = subscriptions.filter((_, index) => tried[index]?.isClosed() === false)
      for (const literal of literals) publisher.publish(literal)
      await publisher.flush()
      await client.flush()
      return { allowed, received: [...received].sort() }
    } finally {
      // A queue that stayed would take the messages of the next one.
      await client.close()
    }
  }

  it.each(patterns)(
    'lets who may subscribe %s have what canSubscribe says, and that is what it reaches',
    async (pattern) => {
      const allow = pattern.split('.')
      const { allowed, received } = await tryAll(
        pattern,
        patterns.map((subject) => ({ subject })),
      )
      expect(allowed.map(({ subject }) => subject)).toEqual(
        patterns.filter((subscription) => canSubscribe(allow, subscription.split('.'))),
      )
      expect(received).toEqual(literals.filter((it) => matches(reach(allow), it.split('.'))).sort())
    },
  )

  it('lets who may subscribe foo.* have foo.>, and all below it', async () => {
    const { allowed, received } = await tryAll('foo.*', [{ subject: 'foo.>' }])
    expect(allowed).toHaveLength(1)
    expect(received).toContain('foo.a.bar')
  })

  it.each(['newLine', 'hardSpace'] as const)(
    'cuts an entry in two at a %s, which is why parseEntry refuses it',
    async (user) => {
      const parts = { subject: 'a.b', queue: 'c.d' }
      const { allowed, received } = await tryAll(user, [parts, { subject: 'a.b' }])
      expect(allowed).toEqual([parts])
      expect(received).toEqual(['a.b'])
      expect(parseEntry(strange[user])).toBeUndefined()
    },
  )

  it('refuses other queues where one entry names a queue, though another names none', async () => {
    const queues = [undefined, 'q', 'r'].map((queue) => ({ subject: 'foo.a', ...(queue && { queue }) }))
    const { allowed } = await tryAll('narrowed', queues)
    expect(allowed).toEqual([{ subject: 'foo.a' }, { subject: 'foo.a', queue: 'q' }])
  })
})
