// Tokens on their way from nats-server to Usher are read by nobody else: not by a user who may subscribe to everything, and, being
// encrypted, not even inside the AUTH account. A server that does not encrypt gets no answer.

import { connect } from '@nats-io/transport-node'
import { beforeAll, describe, expect, it, vi } from 'vitest'
import { calloutConf, createKeys } from './callout-server.ts'
import { openUsher, patience, policyWith, type Usher } from './callout-usher.ts'
import { join, keep, openRaw } from './nats-clients.ts'
import { type NatsServer, obtainNatsServer, startNatsServer } from './nats-server.ts'

const natsServer = await obtainNatsServer()
const spies = { spy: '{ user: spy, password: spy-password }' }
const policy = policyWith(`
  - id: own
    when: { issuer: main }
    nats: { account: APP, publish: ["u.{user}.>"], subscribe: ["u.{user}.>"] }
  - id: all
    when: { issuer: main, user: eve }
    nats: { account: APP, publish: [">"], subscribe: [">", "*.>"] }
`)

describe.skipIf(!natsServer)('a token on its way', () => {
  const keys = createKeys()
  let server: NatsServer
  let usher: Usher

  beforeAll(async () => {
    server = await startNatsServer({ config: calloutConf(keys, { others: spies }) })
    usher = await openUsher(keys, server.url, { policy })
    await usher.untilReady()
  })

  /** What happens at a busy server. @returns the tokens that were shown to it */
  const connectOthers = async (): Promise<string[]> => {
    const shown = []
    for (const user of ['alice', 'bob']) {
      const told = await usher.tokenFor(user)
      const client = await join(told)
      client.publish(`u.${user}.x`, `hello of ${user}`)
      await client.flush()
      const wrong = `${told.token.slice(0, -4)}AAAA`
      await expect(join({ ...told, token: wrong })).rejects.toThrow('Authorization Violation')
      shown.push(told.token, wrong)
    }
    return shown
  }
  const parts = (token: string) => token.split('.').filter((part) => part.length > 20)

  it('is not seen by a user who may subscribe to everything', async () => {
    const eve = await openRaw(await usher.tokenFor('eve'))
    const wishes = [
      '>',
      '*.>',
      '*.REQ.USER.AUTH',
      '*.REQ.>',
      '$SYS.>',
      '$SYS.REQ.USER.AUTH',
      '$SYS._INBOX.>',
      '_INBOX_usher.>',
    ]
    for (const [index, subject] of wishes.entries()) await eve.ask(`SUB ${subject} ${index + 1}`)
    const tokens = await connectOthers()
    const received = await eve.ask()
    // She does see what is published in her account.
    expect(received).toContain('hello of alice')
    for (const part of tokens.flatMap(parts)) expect(received).not.toContain(part)
    for (const text of ['USER.AUTH', 'xkv1', 'eyJ0', '$SYS']) expect(received).not.toContain(text)
  })

  it('cannot be asked about by her: requests of clients do not reach Usher', async () => {
    const [before, eve] = [await usher.callouts('invalid'), await openRaw(await usher.tokenFor('eve'))]
    expect(await eve.ask('PUB $SYS.REQ.USER.AUTH 1\r\nx')).toContain('Permissions Violation')
    await connectOthers()
    expect(await usher.callouts('invalid')).toBe(before)
  })

  it('is encrypted inside the AUTH account too, as is the answer', async () => {
    const spy = keep(await connect({ servers: server.url, user: 'spy', pass: 'spy-password' }))
    const seen: string[] = []
    for (const subject of ['$SYS.REQ.USER.AUTH', '$SYS._INBOX.>'])
      spy.subscribe(subject, { callback: (_error, { data }) => void seen.push(Buffer.from(data).toString('latin1')) })
    await spy.flush()
    const tokens = await connectOthers()
    await vi.waitFor(() => expect(seen.length).toBeGreaterThanOrEqual(8), patience)
    for (const text of seen) expect(text.slice(0, 4)).toBe('xkv1')
    for (const part of tokens.flatMap(parts)) expect(seen.join()).not.toContain(part)
  })

  it('is not answered for where nats-server does not encrypt it', async () => {
    const config = calloutConf(keys, { timeout: 1, xkeyLine: '', others: spies })
    const open = await startNatsServer({ config })
    const refusing = await openUsher(keys, open.url, { policy })
    const spy = keep(await connect({ servers: open.url, user: 'spy', pass: 'spy-password' }))
    const seen: string[] = []
    for (const subject of ['$SYS.REQ.USER.AUTH', '$SYS._INBOX.>'])
      spy.subscribe(subject, { callback: (_error, { subject }) => void seen.push(subject) })
    await spy.flush()
    await vi.waitFor(async () => expect(await refusing.logText()).toContain('set auth_callout.xkey'), patience)
    await expect(join(await refusing.tokenFor('alice'))).rejects.toThrow('Authorization Violation')
    expect(seen.length).toBeGreaterThan(0)
    expect(new Set(seen)).toEqual(new Set(['$SYS.REQ.USER.AUTH']))
    expect(await refusing.callouts('authorized')).toBe(0)
  })
})
