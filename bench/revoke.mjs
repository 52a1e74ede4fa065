// From POST /revoke to the end of the connection: 50 users one after another, each with one connection. Needs redis-server.
import { once } from 'node:events'
import { connect } from 'node:net'
import { folder, freePort, nodeVersion, spread, start, startUsher, stop } from './machine.mjs'
import { ask, calloutConf, natsVersion, source, startNats, usherEnv } from './nats-lab.mjs'
import { report } from './report.mjs'

const users = Number(process.env.USERS ?? 50)
const warmUp = 10

const redisUrl = await startRedis()
const layouts = [
  { name: 'one replica, REVOCATIONS_FILE', replicas: [{ REVOCATIONS_FILE: `${folder}/revocations` }] },
  { name: 'two replicas, REDIS_URL', replicas: [{ REDIS_URL: redisUrl }, { REDIS_URL: redisUrl }] },
  {
    name: 'two replicas, REDIS_URL; only the other one may end connections',
    replicas: [{ REDIS_URL: redisUrl, NATS_SYSTEM_SEED: '' }, { REDIS_URL: redisUrl }],
  },
]

async function measure({ name, replicas }, layout) {
  const nats = await startNats(`revoke-${layout}`, calloutConf)
  const ushers = []
  for (const [index, env] of replicas.entries())
    ushers.push(await startUsher(`revoke-${layout}-${index}`, { ...usherEnv(nats.port), ...env }))
  const [asked] = ushers
  const times = []
  const answers = []
  for (let index = -warmUp; index < users; index++) {
    // Nobody twice: who is revoked gets no token any more.
    const user = `r${layout}x${index + warmUp}`
    const { token } = await ask(asked, user, '/nats/token')
    const socket = await enter(nats.port, token)
    const startedAt = performance.now()
    const closed = once(socket, 'close').then(() => performance.now() - startedAt)
    await ask(asked, 'root', '/revoke', { source, subject: user })
    const answered = performance.now() - startedAt
    const ended = await closed
    if (index >= 0) {
      times.push(ended)
      answers.push(answered)
    }
  }
  await stop(...ushers, nats)
  const p90 = times.toSorted((a, b) => a - b)[Math.floor(times.length * 0.9)]
  const row = [name, `${spread(times, 1)} ms`, `${p90.toFixed(1)} ms`, `${spread(answers)} ms`]
  console.log(row.join(' | '))
  return row
}

/** Connected once the server has answered. */
async function enter(port, token) {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true })
  await once(socket, 'data')
  socket.write(`CONNECT ${JSON.stringify({ auth_token: token, verbose: false, pedantic: false })}\r\nPING\r\n`)
  const [answer] = await once(socket, 'data')
  if (!answer.toString().startsWith('PONG')) throw new Error(`refused: ${answer}`)
  return socket.on('error', () => {}).resume()
}

async function startRedis() {
  const port = await freePort()
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', folder]
  const child = start('redis-server', args, { stdio: ['ignore', 'pipe', 'inherit'] })
  let said = ''
  for await (const text of child.stdout) {
    said += text
    if (said.includes('Ready to accept connections')) break
  }
  return `redis://127.0.0.1:${port}`
}

const rows = []
for (const [index, layout] of layouts.entries()) rows.push(await measure(layout, index))

report(
  'NATS: from revoke to disconnected',
  `
Node ${nodeVersion}, ${natsVersion}, one machine; ${users} users one after another, each with one connection: from the begin of
\`POST /revoke\` until the client’s socket is closed. Medians, and in brackets what they lay between. The answer waits until every
nats-server has said whom it had.

| layout | disconnected | 9 of 10 within | answered |
|---|---|---|---|
${rows.map((row) => `| ${row.join(' | ')} |`).join('\n')}
`,
)
