// Every token that the endpoint issues grants, on a real server, exactly what the grant says: random grants, and the answer of
// nats-server for each of many subjects held against nats-grants-model.ts.

import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { createSeed, openSigner } from '../../src/providers/nats/nkeys.ts'
import { bearer, callers, type TestOptions, type TestService, testService } from '../app/test-app.ts'
import { calloutEnv, createKeys, startCalloutServer } from './callout-server.ts'
import { type BareClient, isDenyKept, openBare, refusals } from './nats-grants-client.ts'
import { type Case, expectedOf, inboxPrefixOf, roomPattern, samplesOf } from './nats-grants-model.ts'
import { randomTrials, type Trial } from './nats-grants-random.ts'
import { jwtEnv, startJwtServer } from './nats-jwt-server.ts'
import { obtainNatsServer } from './nats-server.ts'

const natsServer = await obtainNatsServer()
const canDeny = natsServer !== undefined && isDenyKept(natsServer)
const seed = Number(process.env['GRANTS_SEED'] ?? 20261121)

/** Each grant is one user’s; root may publish and hear everything. */
const policyOf = (trials: readonly Trial[]) => `${callers}
vars:
  user: { from: sub, match: "[a-z][a-z0-9]{0,15}" }
  team: { from: claims.team, match: "[a-c]{1,2}" }
  room: { from: ask, match: "${roomPattern}" }
grants:
  - { id: root, when: { issuer: main, user: root }, nats: { account: APP, publish: [">"], subscribe: [">"] } }
${trials
  .map(({ given: { user, grant } }) => {
    const nats = JSON.stringify({ account: 'APP', ...grant })
    return `  - { id: ${user}, when: { issuer: main, user: ${user} }, iKnow: full-access, nats: ${nats} }`
  })
  .join('\n')}
`

interface Mode {
  readonly name: string
  readonly count: number
  start(): Promise<NonNullable<TestOptions['env']>>
}
const modes: readonly Mode[] = [
  {
    name: 'callout',
    count: 200,
    start: async () => {
      const keys = createKeys()
      const { url } = await startCalloutServer(keys)
      return calloutEnv(keys, url)
    },
  },
  { name: 'jwt', count: 40, start: async () => jwtEnv(await startJwtServer()) },
]

describe.skipIf(!natsServer).each(modes)('in $name mode', ({ name, count, start }) => {
  const trials = randomTrials(count, seed, { canDeny })
  const signer = name === 'jwt' ? openSigner(createSeed('user'), 'user') : undefined
  let service: TestService
  let address: string
  let root: BareClient

  beforeAll(async () => {
    service = await testService({ policy: policyOf(trials), env: await start() })
    service.health.ready()
    address = await service.listen()
    await vi.waitFor(async () => expect((await fetch(`${address}/readyz`)).status).toBe(200), 10_000)
    root = await open(await issue({ user: 'root', team: 'a', ask: {} }))
  })
  afterAll(async () => {
    root?.close()
    await service?.close()
  })

  async function issue({ user, team, ask }: Pick<Case, 'user' | 'team' | 'ask'>): Promise<Issued> {
    const headers = { ...(await bearer({ sub: user, team })), 'content-type': 'application/json' }
    const body = JSON.stringify({ ...ask, ...(signer && { publicKey: signer.publicKey }) })
    const answer = await fetch(`${address}/nats/token`, { method: 'POST', headers, body })
    return { status: answer.status, ...((await answer.json()) as Omit<Issued, 'status'>) }
  }
  const open = ({ urls: [url = ''], token }: Issued) => openBare(url, token, signer)

  /** A client of the trial’s user, and what the model says of him; undefined where he is rightly given nothing. */
  async function enter(given: Case, differences: string[]) {
    const issued = await issue(given)
    const inboxPrefix = inboxPrefixOf(given)
    const expected = expectedOf(given)
    if (issued.status !== expected.status) differences.push(`status ${issued.status}`)
    if (issued.status !== 200) return undefined
    if (issued.inboxPrefix !== (given.grant.inbox === false ? null : inboxPrefix)) differences.push('another inbox')
    return { expected, client: await open(issued), own: (text: string) => text.replace('{inbox}', inboxPrefix) }
  }

  async function inParallel(work: (trial: Trial) => Promise<readonly string[]>): Promise<object[]> {
    const mismatches: object[] = []
    const queue = [...trials]
    const worker = async () => {
      for (let trial = queue.shift(); trial !== undefined; trial = queue.shift()) {
        const found = await work(trial)
        if (found.length > 0) mismatches.push({ found, ...trial.given })
      }
    }
    await Promise.all(Array.from({ length: 8 }, worker))
    return mismatches
  }

  it(`lets the holder of each of ${count} tokens publish and subscribe what its grant says, and nothing beside it`, {
    timeout: 60_000,
  }, async () => {
    await root.ask(['SUB > 1'])
    const tried = { allowed: 0, refused: 0, notIssued: 0 }
    const expectedToArrive: string[] = []
    const mismatches = await inParallel(async ({ given, publish, subscribe }) => {
      const found: string[] = []
      const entered = await enter(given, found)
      if (entered === undefined) tried.notIssued++
      if (entered === undefined) return found
      const { client, expected, own } = entered
      const { user } = given
      const hold = (what: string, isAllowed: boolean, shouldBe: boolean) => {
        tried[shouldBe ? 'allowed' : 'refused']++
        if (isAllowed !== shouldBe) found.push(`${what}: ${isAllowed ? 'allowed' : 'refused'}`)
      }
      const answer = await client.ask([
        ...publish.map((subject) => `PUB ${own(subject)} ${user.length}\r\n${user}`),
        ...subscribe.map(({ subject, queue = '' }, sid) => `SUB ${own(subject)} ${queue} ${sid}`),
      ])
      client.close()
      const refused = { publish: refusals(answer, 'Publish'), subscribe: refusals(answer, 'Subscription') }
      for (const subject of publish.map(own)) {
        const mayPublish = expected.mayPublish(subject)
        hold(`publish ${subject}`, !refused.publish.has(subject), mayPublish)
        if (mayPublish && !subject.startsWith('$SYS.')) expectedToArrive.push(`${subject} from ${user}`)
      }
      for (const { subject, queue } of subscribe) {
        const text = queue === undefined ? own(subject) : `${own(subject)} ${queue}`
        hold(`subscribe ${text}`, !refused.subscribe.has(text), expected.maySubscribe(own(subject), queue))
      }
      return found
    })
    const heard = await root.ask(['UNSUB 1'])
    expect(mismatches, `GRANTS_SEED=${seed}`).toEqual([])
    const arrived = [...heard.matchAll(/^MSG (\S+) 1 \d+\r\n(u\d{3})\r$/gm)].map(
      ([, subject, user]) => `${subject} from ${user}`,
    )
    expect(arrived.sort(), `GRANTS_SEED=${seed}`).toEqual(expectedToArrive.sort())
    // A run in which hardly anything was issued, allowed or refused has tested nothing.
    expect(tried.notIssued).toBeLessThan(count / 2)
    expect(tried.allowed).toBeGreaterThan(count * 3)
    expect(tried.refused).toBeGreaterThan(count * 4)
  })

  it('issues what is asked for inside the grant, and nothing for what is beyond it', { timeout: 60_000 }, async () => {
    const answered = { 200: 0, 403: 0 }
    const mismatches = await inParallel(async ({ given, asks }) => {
      const found: string[] = []
      for (const ask of asks) {
        const { status } = expectedOf({ ...given, ask })
        answered[status]++
        const issued = await issue({ ...given, ask })
        if (issued.status !== status) found.push(`${JSON.stringify(ask)}: ${issued.status}`)
      }
      return found
    })
    expect(mismatches, `GRANTS_SEED=${seed}`).toEqual([])
    expect(Math.min(answered[200], answered[403])).toBeGreaterThan(count)
  })

  it('delivers what the subscription and the grant cover, and takes as many answers as the grant says', {
    timeout: 60_000,
  }, async () => {
    let received = 0
    let withheld = 0
    const answered = new Set<number>()
    const found: object[] = []
    for (const { given, publish, subscribe } of trials.slice(0, 40)) {
      const differences: string[] = []
      const entered = await enter(given, differences)
      if (entered === undefined) continue
      const { client, expected, own } = entered
      const subscriptions = subscribe
        .filter(({ subject, queue }) => queue === undefined && expected.maySubscribe(own(subject)))
        .map(({ subject }) => own(subject))
      await client.ask(subscriptions.map((subject, sid) => `SUB ${subject} ${sid}`))

      const near = [...publish, ...subscribe.map(({ subject }) => subject)].map(own)
      const subjects = [...new Set([...near, ...subscriptions].flatMap(samplesOf))].filter(
        (text) => !/^\$SYS/.test(text),
      )
      await root.ask(subjects.map((subject) => `PUB ${subject} 0\r\n`))
      const heard = await client.ask([])
      const got = [...heard.matchAll(/^MSG (\S+) (\d+) 0\r$/gm)].map(
        ([, subject, sid]) => `${subject} by ${subscriptions[Number(sid)]}`,
      )
      const wanted = subscriptions.flatMap((subscription) =>
        subjects
          .filter((subject) => expected.receives(subscription, subject))
          .map((subject) => `${subject} by ${subscription}`),
      )
      received += wanted.length
      withheld += subscriptions.length * subjects.length - wanted.length
      for (const text of got) if (!wanted.includes(text)) differences.push(`received ${text}`)
      for (const text of wanted) if (!got.includes(text)) differences.push(`missed ${text}`)
      // nats-server counts a second delivery of the request as an answer to it.
      const request = subjects.find(
        (subject) => subscriptions.filter((text) => expected.receives(text, subject)).length === 1,
      )
      const reply = `answer.${given.user}`
      if (request !== undefined && !expected.mayPublish(reply)) {
        await root.ask([`PUB ${request} ${reply} 0\r\n`])
        const max = given.grant.responses?.max ?? 0
        let taken = 0
        while (taken < 10 && !refusals(await client.ask([`PUB ${reply} 0\r\n`]), 'Publish').has(reply)) taken++
        answered.add(max)
        if (taken !== max) differences.push(`${taken} answers`)
      }
      client.close()
      if (differences.length > 0) found.push({ differences, ...given })
    }
    expect(found, `GRANTS_SEED=${seed}`).toEqual([])
    expect(Math.min(received, withheld)).toBeGreaterThan(50)
    expect(answered.size).toBeGreaterThan(1)
  })
})

describe('the linter', () => {
  it('takes no grant that nats-server could not keep: a wildcard’s deny of $SYS would hold for what stands beside it', async () => {
    const policy = (publish: string) => `grants:\n  - { id: info, nats: { account: APP, publish: [${publish}] } }`
    const opened = (publish: string) =>
      testService({ policy: callers + policy(publish), env: calloutEnv(createKeys(), 'nats://127.0.0.1:9') })
    for (const wide of ['">"', '"*.x"'])
      await expect(opened(`${wide}, $SYS.REQ.USER.INFO`)).rejects.toThrow('from which all of $SYS is kept away')
    await (await opened('x.>, $SYS.REQ.USER.INFO')).close()
  })
})

interface Issued {
  readonly status: number
  readonly token: string
  readonly urls: readonly string[]
  readonly inboxPrefix: string | null
}
