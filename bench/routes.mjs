// The three routes against a bare Fastify route of the same shape, with the same tool in one run, interleaved; the server on one
// core, the load on the other. What is compared is CPU time a request, which a noisy machine disturbs less than throughput; both
// are printed. Needs wrk.
import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { openSync } from 'node:fs'
import { join } from 'node:path'
import { createApiKey } from '../dist/identity/api-key.js'
import {
  cpuSeconds,
  folder,
  median,
  node,
  nodeVersion,
  root,
  start,
  startUsher,
  untilAnswered,
  write,
} from './machine.mjs'
import { report } from './report.mjs'

const rounds = Number(process.env.ROUNDS ?? 7)
const seconds = Number(process.env.SECONDS ?? 3)
const connections = 64
if (spawnSync('wrk', ['-v']).error) throw new Error('wrk is missing: install it (apt install wrk, brew install wrk)')

const ask = JSON.stringify({ channelName: 'room-1', uid: 1234, role: 1 })
const routes = [
  { name: 'POST /fetch_rtc_token', method: 'POST', url: '/fetch_rtc_token' },
  { name: 'GET /api/ably-token', method: 'GET', url: '/api/ably-token' },
  { name: 'GET /nats/token', method: 'GET', url: '/nats/token' },
]

/** A key of the benchmark alone; its digest stands in the policy that is written below. */
const apiKey = createApiKey('bench')
const policy = write(
  'policy.yaml',
  `
callers:
  apiKeys: [{ id: ${apiKey.id}, name: bench, sha256: ${apiKey.sha256}, onBehalfOf: "[a-z0-9]{1,32}", claims: { tenant: acme, uid: 1234 } }]
vars:
  user: { from: sub, match: "[a-z0-9]{1,32}" }
  tenant: { from: claims.tenant, match: "[a-z]{1,16}" }
  uid: { from: claims.uid, type: uint32 }
  room: { from: ask, match: "[a-z0-9-]{1,40}" }
grants:
  - { id: rtc, when: { client: ${apiKey.id} }, agora: { channel: "{room}", uid: "{uid}", role: publisher } }
  - { id: chat, when: { client: ${apiKey.id} }, ably: { clientId: "{tenant}.{user}", capability: { "{tenant}:dm:{user}": [subscribe, publish] } } }
  - { id: bus, when: { client: ${apiKey.id} }, nats: { shared: true } }
`,
)
const hex = (text) => createHash('md5').update(text).digest('hex')
const credentials = {
  AGORA_APP_ID: hex('app'),
  AGORA_APP_CERTIFICATE: hex('certificate'),
  ABLY_API_KEY: `bench.${hex('id').slice(0, 6)}:${hex('ably')}`,
  NATS_TOKEN: hex('nats').slice(0, 22),
  NATS_URLS: 'nats://127.0.0.1:4222',
}

const sandbox = await startUsher('sandbox', {}, { core: '0' })
const keyed = await startUsher('API key', { USHER_POLICY: policy, ...credentials }, { core: '0' })
keyed.headers = { authorization: `Bearer ${apiKey.key}`, 'usher-on-behalf-of': 'alice' }

const answers = []
for (const { method, url } of routes) {
  const response = await fetch(sandbox.base + url, { method, ...(method === 'POST' ? { body: ask } : {}) })
  answers.push({ method, url, answer: await response.json() })
}
const bare = await startBare()

async function startBare() {
  const port = 18084
  const child = start('taskset', ['-c', '0', node, join(root, 'bench/bare.mjs')], {
    env: { BENCH: JSON.stringify({ answers, port }) },
    stdio: ['ignore', openSync(join(folder, 'bare.log'), 'w'), 'inherit', 'ipc'],
  })
  const base = `http://127.0.0.1:${port}`
  await untilAnswered(base)
  return { name: 'bare', base, pid: child.pid, child }
}

function load(server, { method, url }) {
  const headers = { ...server.headers, ...(method === 'POST' ? { 'content-type': 'application/json' } : {}) }
  const lines = [
    `wrk.method = "${method}"`,
    ...Object.entries(headers).map(([name, value]) => `wrk.headers["${name}"] = "${value}"`),
  ]
  if (method === 'POST') lines.push(`wrk.body = '${ask}'`)
  const script = write('request.lua', lines.join('\n'))
  const before = cpuSeconds(server.pid)
  const output = execFileSync(
    'taskset',
    ['-c', '1', 'wrk', '-t1', `-c${connections}`, `-d${seconds}s`, '--latency', '-s', script, server.base + url],
    { encoding: 'utf8' },
  )
  const cpu = cpuSeconds(server.pid) - before
  const requests = Number(/(\d+) requests in/.exec(output)?.[1])
  if (/Non-2xx/.test(output)) throw new Error(`${server.name} ${url}: ${output}`)
  const [, p99 = '?'] = /99%\s+(\S+)/.exec(output) ?? []
  return { perSecond: requests / seconds, microseconds: (cpu / requests) * 1e6, p99 }
}

const rows = []
for (const route of routes) {
  const all = [bare, sandbox, keyed]
  for (const server of all) load(server, route) // warm
  const runs = all.map(() => [])
  for (let round = 0; round < rounds; round++)
    for (const [index, server] of all.entries()) runs[index].push(load(server, route))
  const yardstick = median(runs[0].map(({ microseconds }) => microseconds))
  all.forEach(({ name }, index) => {
    const microseconds = median(runs[index].map((run) => run.microseconds))
    const perSecond = median(runs[index].map((run) => run.perSecond))
    const bareRate = median(runs[0].map((run) => run.perSecond))
    rows.push([
      route.name,
      name,
      microseconds.toFixed(1),
      Math.round(perSecond),
      `${Math.round((100 * yardstick) / microseconds)} %`,
      `${Math.round((100 * perSecond) / bareRate)} %`,
      runs[index].at(-1).p99,
    ])
    console.log(rows.at(-1).join(' | '))
  })
}

report(
  'Routes',
  `
Node ${nodeVersion}, one core for the server, one for wrk (${connections} connections), ${rounds} interleaved rounds of
${seconds} s, medians. "bare" is Fastify with its defaults and a static answer of the same method, schema and size (bench/bare.mjs).
Usher ran as in production: policy, audit line to a file, CORS and security headers. CPU is the server's, a request.

| route | caller | CPU µs | requests/s | share of bare, by CPU | by rate | p99 |
|---|---|---|---|---|---|---|
${rows.map((row) => `| ${row.join(' | ')} |`).join('\n')}
`,
)
await stop(sandbox, keyed, bare)
