// A connect storm while one of two replicas goes: killed, a client comes in at its second attempt; stopped in order, at its first.

import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { build, startUsher, type UsherProcess } from '../usher-process.ts'
import { calloutEnv, createKeys, startCalloutServer } from './callout-server.ts'
import type { Told } from './callout-usher.ts'
import { openRaw } from './nats-clients.ts'
import { obtainNatsServer } from './nats-server.ts'

const natsServer = await obtainNatsServer()
const clients = 300
const atOnce = 40
/** What a client waits at most for a replica that is gone: nats-server refuses it then, and it comes again. */
const timeout = 2

interface Replica {
  readonly usher: UsherProcess
  readonly base: string
}

describe.skipIf(!natsServer)(`a storm of ${clients} connects`, () => {
  const keys = createKeys()
  const replicas = new Set<Replica>()
  let url: string
  let leaving: Replica
  let staying: Replica
  let tokens: readonly Told[]

  beforeAll(async () => {
    build()
    url = (await startCalloutServer(keys, { timeout })).url
  })
  beforeEach(async () => {
    ;[leaving, staying] = await Promise.all([addReplica(), addReplica()])
    tokens = []
    while (tokens.length < clients) tokens = [...tokens, await fetchToken(staying)]
  })
  afterEach(async () => {
    await Promise.all([...replicas].map(({ usher }) => usher.end()))
    replicas.clear()
  })

  async function addReplica(): Promise<Replica> {
    const folder = mkdtempSync(join(tmpdir(), 'usher-process-'))
    const grant =
      '{ id: bus, when: { caller: anonymous }, nats: { account: APP, publish: ["x.>"], subscribe: ["x.>"] } }'
    writeFileSync(join(folder, 'policy.yaml'), `grants:\n  - ${grant}\n`)
    const env = { ...calloutEnv(keys, url), USHER_POLICY: 'policy.yaml', DRAIN_SECONDS: '0' }
    const usher = startUsher(env, { folder })
    const { base } = await usher.listening()
    const replica = { usher, base }
    replicas.add(replica)
    await vi.waitFor(async () => expect((await fetch(`${base}/readyz`)).status).toBe(200), 15_000)
    return replica
  }

  /** Connects all of them, and lets a replica go once a third is in. @returns the attempts of each */
  async function storm(letGo: () => void): Promise<readonly number[]> {
    const waiting = [...tokens]
    const attempts: number[] = []
    let isGone = false
    const worker = async () => {
      for (let told = waiting.shift(); told !== undefined; told = waiting.shift()) {
        attempts.push(await attemptsToEnter(told))
        if (isGone || attempts.length < clients / 3) continue
        isGone = true
        letGo()
      }
    }
    await Promise.all(Array.from({ length: atOnce }, worker))
    return attempts
  }

  it('refuses no client that comes again once, when a replica is killed in the middle', {
    timeout: 60_000,
  }, async () => {
    const attempts = await storm(() => leaving.usher.signal('SIGKILL'))
    expect(attempts).toHaveLength(clients)
    expect(Math.max(...attempts)).toBeLessThanOrEqual(2)
    // Both were at it, and one alone finished it.
    expect(connects(leaving)).toBeGreaterThan(10)
    expect(connects(staying)).toBeGreaterThan(clients / 2)
  })

  it('lets every client in at its first attempt, when a replica is stopped in the middle', {
    timeout: 60_000,
  }, async () => {
    const attempts = await storm(() => leaving.usher.signal('SIGTERM'))
    expect(await leaving.usher.exit).toBe(0)
    expect(attempts).toEqual(Array(clients).fill(1))
    expect(connects(leaving)).toBeGreaterThan(10)
    expect(connects(leaving) + connects(staying)).toBe(clients)
  })
})

async function fetchToken({ base }: Replica): Promise<Told> {
  const answer = await fetch(`${base}/nats/token`)
  expect(answer.status).toBe(200)
  return (await answer.json()) as Told
}

const attemptsToEnter = (told: Told): Promise<number> =>
  openRaw(told).then(
    () => 1,
    () => openRaw(told).then(() => 2),
  )

/** How many it let in, as its audit says. */
const connects = ({ usher }: Replica): number => usher.stdout().split('"outcome":"connected"').length - 1
