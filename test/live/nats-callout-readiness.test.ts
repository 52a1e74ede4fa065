// /readyz says 200 only where a client would really be let in by this replica: each way in which nats-server can be set up wrong is
// a 503, and setting it right is enough.

import { describe, expect, it, vi } from 'vitest'
import {
  type CalloutConfOptions,
  type CalloutKeys,
  calloutConf,
  createKeys,
  loginOf,
  startCalloutServer,
} from './callout-server.ts'
import { openUsher, patience, type Usher } from './callout-usher.ts'
import { join, keepClientsUntilEnd } from './nats-clients.ts'
import { obtainNatsServer, startNatsServer } from './nats-server.ts'

const natsServer = await obtainNatsServer()
keepClientsUntilEnd()
const other = createKeys()
const quick = { timeout: 1 }
const deaf = 'publish: { allow: ["$SYS._INBOX.>"] }, subscribe: { deny: [">"] }'
const mute = 'publish: { deny: [">"] }, subscribe: { allow: ["$SYS.REQ.USER.AUTH usher"] }'

const logged = (usher: Usher, text: string) =>
  vi.waitFor(async () => expect(await usher.logText()).toContain(text), patience)

describe.skipIf(!natsServer).concurrent('/readyz is 503 where', () => {
  it.each<[string, (keys: CalloutKeys) => string]>([
    ['nats-server names another issuer', (keys) => calloutConf({ ...keys, issuer: other.issuer }, quick)],
    ['nats-server seals for another xkey', (keys) => calloutConf({ ...keys, xkey: other.xkey }, quick)],
    ['nats-server does not encrypt', (keys) => calloutConf(keys, { ...quick, xkeyLine: '' })],
    ['nats-server has no callout', (keys) => calloutConf(keys, quick).replace(/ {2}auth_callout \{[^}]*\}/, '')],
    ['nats-server has no such account', (keys) => calloutConf(keys, { ...quick, accounts: 'OTHER { }' })],
    ['Usher may not subscribe to the callouts', (keys) => calloutConf(keys, { ...quick, permissions: deaf })],
    [
      'Usher may subscribe to them in another queue only',
      (keys) => calloutConf(keys, quick).replace('USER.AUTH usher', 'USER.AUTH other'),
    ],
    ['Usher may not publish answers', (keys) => calloutConf(keys, { ...quick, permissions: mute })],
  ])('%s', async (_name, confOf) => {
    const keys = createKeys()
    const { url } = await startNatsServer({ config: confOf(keys) })
    const usher = await openUsher(keys, url)
    await logged(usher, 'a canary was not let in')
    expect(await usher.readiness()).toBe(503)
    // It can issue tokens all the same, and says how it is.
    await usher.tokenFor('alice')
    expect((await usher.ops.inject('/status')).json().providers.nats.callout).toBe('not ready')
  })

  it('nats-server does not know Usher', async () => {
    const keys = createKeys()
    const { url } = await startCalloutServer({ ...keys, login: other.login, system: other.system }, quick)
    const usher = await openUsher(keys, url)
    await logged(usher, 'callout: cannot connect')
    await logged(usher, 'system: cannot connect')
    expect(await usher.readiness()).toBe(503)
  })

  it('nobody is there', async () => {
    const usher = await openUsher(createKeys(), 'nats://127.0.0.1:9')
    await logged(usher, 'cannot connect')
    expect(await usher.readiness()).toBe(503)
  })

  it('this replica may not subscribe, though another one answers', async () => {
    const keys = createKeys()
    const second = createKeys()
    const config = calloutConf(keys, {
      others: { [loginOf(second)]: `{ nkey: ${loginOf(second)}, permissions: { ${deaf} } }` },
    })
    const { url } = await startNatsServer({ config })
    const able = await openUsher(keys, url)
    await able.untilReady()
    const unable = await openUsher({ ...keys, login: second.login }, url)
    await logged(unable, 'the callout subscription was refused')
    await logged(unable, 'a canary was not let in')
    expect([await able.readiness(), await unable.readiness()]).toEqual([200, 503])
  })
})

describe.skipIf(!natsServer).concurrent('/readyz is 200 again once', () => {
  it('nats-server was restarted with the configuration set right', async () => {
    const keys = createKeys()
    const wrong = await startCalloutServer(keys, { ...quick, permissions: deaf })
    const usher = await openUsher(keys, wrong.url)
    await logged(usher, 'the callout subscription was refused')
    await wrong.stop()
    await startNatsServer({ config: calloutConf(keys), port: new URL(wrong.url).port })
    await usher.untilReady()
    await join(await usher.tokenFor('alice'))
  })

  it('nats-server was restarted and knows Usher', async () => {
    const keys = createKeys()
    const wrong = await startCalloutServer({ ...keys, login: other.login, system: other.system }, quick)
    const usher = await openUsher(keys, wrong.url)
    await logged(usher, 'callout: cannot connect')
    await wrong.stop()
    await startNatsServer({ config: calloutConf(keys), port: new URL(wrong.url).port })
    await usher.untilReady()
    await usher.untilKicking()
    await join(await usher.tokenFor('alice'))
  })

  it('a reload took the subscription away, and the next one gave it back', async () => {
    const keys = createKeys()
    const conf = (options: CalloutConfOptions = {}) =>
      calloutConf(keys, { ...quick, ...options }).replace(/server_name: \S+/, 'server_name: same')
    const server = await startNatsServer({ config: conf() })
    const usher = await openUsher(keys, server.url)
    await usher.untilReady()
    await server.reload(conf({ permissions: deaf }))
    await vi.waitFor(async () => expect(await usher.readiness()).toBe(503), patience)
    await server.reload(conf())
    await usher.untilReady()
    await join(await usher.tokenFor('alice'))
  })
})

describe.skipIf(!natsServer)('/readyz', () => {
  it('is 503 until a canary was let in, and the canary is in no audit', async () => {
    const keys = createKeys()
    const { url } = await startCalloutServer(keys)
    const usher = await openUsher(keys, url)
    expect(await usher.readiness()).toBe(503)
    await usher.untilReady()
    expect(await usher.callouts('canary')).toBeGreaterThan(0)
    expect(await usher.callouts('authorized')).toBe(0)
    expect(usher.auditText()).toBe('')
  })
})
