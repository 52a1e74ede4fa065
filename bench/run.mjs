// npm run bench: the three routes against a bare Fastify route of the same shape, with the same tool in one run, interleaved;
// the server on one core, the load on the other. What is compared is CPU time a request, which a noisy machine disturbs less
// than throughput; both are printed. Writes bench/report.md. Needs Linux (taskset, /proc) and wrk.
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const rounds = Number(process.env.ROUNDS ?? 7)
const seconds = Number(process.env.SECONDS ?? 3)
const connections = 64
const node = process.env.BENCH_NODE ?? process.execPath
if (spawnSync('wrk', ['-v']).error) throw new Error('wrk is missing: install it (apt install wrk, brew install wrk)')

const folder = mkdtempSync(join(tmpdir(), 'usher-bench-'))
const servers = []
process.on('exit', () => {
  for (const { pid } of servers) process.kill(pid)
  rmSync(folder, { recursive: true, force: true })
})

const ask = JSON.stringify({ channelName: 'room-1', uid: 1234, role: 1 })
const routes = [
  { name: 'POST /fetch_rtc_token', method: 'POST', url: '/fetch_rtc_token' },
  { name: 'GET /api/ably-token', method: 'GET', url: '/api/ably-token' },
  { name: 'GET /nats/token', method: 'GET', url: '/nats/token' },
]

/** A key of the benchmark alone; its digest stands in the policy that is written below. */
const apiKey = JSON.parse(
  execFileSync(
    node,
    [
      '--input-type=module',
      '-e',
      `
  const { createApiKey } = await import(${JSON.stringify(`${root}dist/identity/api-key.js`)})
  console.log(JSON.stringify(createApiKey('bench')))`,
    ],
    { encoding: 'utf8' },
  ),
)
const policy = join(folder, 'policy.yaml')
writeFileSync(
  policy,
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

async function start(name, file, env) {
  const audit = openSync(join(folder, `${name}.log`), 'w')
  const child = spawn('taskset', ['-c', '0', node, file], {
    env: { PATH: process.env.PATH, LOG_LEVEL: 'warn', OPS_PORT: '0', DRAIN_SECONDS: '0', ...env },
    stdio: ['ignore', audit, 'inherit', ...(file.endsWith('bare.mjs') ? ['ipc'] : [])],
  })
  servers.push(child)
  const base = `http://127.0.0.1:${env.PORT ?? JSON.parse(env.BENCH).port}`
  for (let attempt = 0; attempt < 100; attempt++) {
    try {
      await fetch(base)
      return { name, base, pid: child.pid }
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
  throw new Error(`${name} does not answer`)
}

const main = `${root}dist/main.js`
const sandbox = await start('sandbox', main, { PORT: '18082' })
const keyed = await start('API key', main, { PORT: '18083', USHER_POLICY: policy, ...credentials })
keyed.headers = { authorization: `Bearer ${apiKey.key}`, 'usher-on-behalf-of': 'alice' }

const answers = []
for (const { method, url } of routes) {
  const response = await fetch(sandbox.base + url, { method, ...(method === 'POST' ? { body: ask } : {}) })
  answers.push({ method, url, answer: await response.json() })
}
const bare = await start('bare', `${root}bench/bare.mjs`, { BENCH: JSON.stringify({ answers, port: 18084 }) })

const ticks = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }))
const cpuSeconds = (pid) => {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ')
  return (Number(fields[11]) + Number(fields[12])) / ticks
}

function load(server, { method, url }) {
  const script = join(folder, 'request.lua')
  const headers = { ...server.headers, ...(method === 'POST' ? { 'content-type': 'application/json' } : {}) }
  const lines = [
    `wrk.method = "${method}"`,
    ...Object.entries(headers).map(([name, value]) => `wrk.headers["${name}"] = "${value}"`),
  ]
  if (method === 'POST') lines.push(`wrk.body = '${ask}'`)
  writeFileSync(script, lines.join('\n'))
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

const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)]
const version = execFileSync(node, ['--version'], { encoding: 'utf8' }).trim()
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

const report = `# Bench

Written by \`npm run bench\`: Node ${version}, one core for the server, one for wrk (${connections} connections), ${rounds} interleaved rounds of
${seconds} s, medians. "bare" is Fastify with its defaults and a static answer of the same method, schema and size (bench/bare.mjs).
Usher ran as in production: policy, audit line to a file, CORS and security headers. CPU is the server's, a request.

| route | caller | CPU µs | requests/s | share of bare, by CPU | by rate | p99 |
|---|---|---|---|---|---|---|
${rows.map((row) => `| ${row.join(' | ')} |`).join('\n')}
`
const target = process.env.REPORT ?? `${root}bench/report.md`
writeFileSync(target, report)
console.log(`\nwritten to ${target}`)
process.exit(0)
