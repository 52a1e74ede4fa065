// A rolling deploy: replicas come and go behind a balancer that asks them whether they are ready, and no request is lost.

import { mkdtempSync, writeFileSync } from 'node:fs'
import { Agent, createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { secrets } from './app/test-app.ts'
import { build, startUsher, type UsherProcess } from './usher-process.ts'

const rounds = 10
const workers = 20

interface Replica {
  readonly usher: UsherProcess
  readonly base: string
  readonly agent: Agent
  isReady: boolean
  served: number
}
const replicas = new Set<Replica>()
beforeAll(build)
afterAll(() => Promise.all([...replicas].map(({ usher }) => usher.end())))

async function addReplica(): Promise<Replica> {
  const folder = mkdtempSync(join(tmpdir(), 'usher-process-'))
  writeFileSync(
    join(folder, 'policy.yaml'),
    'grants:\n  - { id: bus, when: { caller: anonymous }, nats: { shared: true } }\n',
  )
  const env = {
    NATS_TOKEN: secrets.natsToken,
    NATS_URLS: 'nats://127.0.0.1:4222',
    USHER_POLICY: 'policy.yaml',
    DRAIN_SECONDS: '1',
  }
  const usher = startUsher(env, { folder })
  const { base } = await usher.listening()
  const replica = { usher, base, agent: new Agent({ keepAlive: true }), isReady: false, served: 0 }
  replicas.add(replica)
  return replica
}

/** Asks every replica every 50 ms, as a gateway does every few seconds; forwards once, and never again. */
async function startBalancer() {
  let becameReady = () => {}
  const poll = setInterval(() => {
    for (const replica of replicas)
      fetch(`${replica.base}/readyz`).then(
        ({ status }) => {
          replica.isReady = status === 200
          becameReady()
        },
        () => {
          replica.isReady = false
        },
      )
  }, 50)
  let turn = 0
  const server = createServer((incoming, reply) => {
    const ready = [...replicas].filter(({ isReady }) => isReady)
    const replica = ready[turn++ % ready.length]
    if (replica === undefined) return reply.writeHead(502).end('no replica is ready')
    const { base, agent } = replica
    const onward = request(base + incoming.url, { agent, method: incoming.method ?? 'GET' }, (answer) => {
      replica.served++
      // The connection to the client is the balancer's own.
      reply.writeHead(answer.statusCode ?? 502, { 'content-type': answer.headers['content-type'] })
      answer.pipe(reply)
    })
    onward.on('error', (error: NodeJS.ErrnoException) => reply.writeHead(502).end(error.code))
    return incoming.pipe(onward)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    isReady: (replica: Replica) =>
      new Promise<void>((resolve) => {
        becameReady = () => {
          if (replica.isReady) resolve()
        }
      }),
    close: () => {
      clearInterval(poll)
      server.closeAllConnections()
      return new Promise((resolve) => server.close(resolve))
    },
  }
}

it(`loses no request in ${rounds} rounds of SIGTERM under load`, { timeout: 180_000 }, async () => {
  const balancer = await startBalancer()
  let [old, young] = [await addReplica(), await addReplica()]
  await balancer.isReady(old)
  await balancer.isReady(young)

  const failures: string[] = []
  let answered = 0
  let isOver = false
  const work = async () => {
    while (!isOver) {
      try {
        const response = await fetch(`${balancer.url}/nats/token`)
        const text = await response.text()
        if (response.status === 200 && text.includes(secrets.natsToken)) answered++
        else failures.push(`${response.status} ${text}`)
      } catch (error) {
        failures.push(String(error))
      }
    }
  }
  const working = Promise.all(Array.from({ length: workers }, work))

  const served: number[] = []
  let recorded = 0
  for (let round = 0; round < rounds; round++) {
    const next = await addReplica()
    await balancer.isReady(next)
    old.usher.signal('SIGTERM')
    expect(await old.usher.exit).toBe(0)
    recorded += old.usher
      .stdout()
      .split('\n')
      .filter((line) => line.includes('"issued"')).length
    served.push(old.served)
    replicas.delete(old)
    old.agent.destroy()
    await old.usher.end()
    ;[old, young] = [young, next]
  }
  isOver = true
  await working
  await balancer.close()

  expect(failures).toEqual([])
  expect(Math.min(...served)).toBeGreaterThan(20)
  expect(answered).toBeGreaterThan(rounds * 100)
  // Each answer of a replica that stopped has its line in what the process wrote to the end.
  expect(recorded).toBe(served.reduce((sum, count) => sum + count))
})
