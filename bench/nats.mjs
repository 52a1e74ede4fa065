// Connects that Usher authorises, against those of the same nats-server with a password in its configuration: 64 at a time, both in
// turn. What is compared is connects a second, and the CPU that each process spends on one.
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { cpuSeconds, median, node, nodeVersion, root, spread, start, startUsher, stop } from './machine.mjs'
import { calloutConf, natsVersion, password, passwordConf, startNats, tokensOf, usherEnv } from './nats-lab.mjs'
import { report } from './report.mjs'

const rounds = Number(process.env.ROUNDS ?? 5)
const connects = Number(process.env.CONNECTS ?? 10_000)
const parallel = 64

const layouts = [
  { name: 'all on the same cores', cores: {} },
  { name: 'Usher on one core, nats-server and the load on the other', cores: { usher: '0', others: '1' } },
]

async function measure({ name, cores }) {
  const callout = await startNats('callout', calloutConf, { core: cores.others })
  const plain = await startNats('password', passwordConf, { core: cores.others })
  const flags = process.env.BENCH_FLAGS?.split(' ') ?? []
  const usher = await startUsher('usher', usherEnv(callout.port), { core: cores.usher, flags })
  const logins = (await tokensOf(usher, 200)).map((auth_token) => ({ auth_token }))
  const load = startLoad(cores.others)

  const sides = [
    { name: 'password', server: plain, logins: [password], runs: [] },
    { name: 'callout', server: callout, logins, runs: [] },
  ]
  const pids = { usher: usher.pid, load: load.pid }
  for (let round = -1; round < rounds; round++)
    for (const { name, server, logins, runs } of sides) {
      const all = { ...pids, server: server.pid }
      const before = Object.fromEntries(Object.entries(all).map(([who, pid]) => [who, cpuSeconds(pid)]))
      const result = await load.run({ port: server.port, logins, connects: round < 0 ? 2000 : connects, parallel })
      if (result.refused > 0) throw new Error(`${name}: ${result.refused} of ${connects} connects were refused`)
      const cpu = Object.fromEntries(
        Object.entries(all).map(([who, pid]) => [who, ((cpuSeconds(pid) - before[who]) / connects) * 1e6]),
      )
      // The first round warms up.
      if (round >= 0) runs.push({ ...result, cpu })
    }
  await stop(usher, load, callout, plain)

  const ratios = sides[1].runs.map(({ perSecond }, round) => (100 * perSecond) / sides[0].runs[round].perSecond)
  const table = sides.map(({ name: side, runs }) => {
    const of = (pick, digits) => spread(runs.map(pick), digits)
    const row = [
      name,
      side,
      of(({ perSecond }) => perSecond),
      side === 'callout' ? `${spread(ratios)} %` : '',
      side === 'callout' ? of(({ cpu }) => cpu.usher) : '',
      of(({ cpu }) => cpu.server),
      of(({ cpu }) => cpu.load),
      `${median(runs.map(({ p50 }) => p50)).toFixed(0)} / ${median(runs.map(({ p99 }) => p99)).toFixed(0)} ms`,
    ]
    console.log(row.join(' | '))
    return row
  })
  return { sides, table }
}

/** One process for all rounds, so that it is warm for both sides. */
function startLoad(core = '') {
  const command = [...(core === '' ? [] : ['taskset', '-c', core]), node, `${root}bench/nats-load.mjs`]
  const child = start(command[0], command.slice(1), { stdio: ['pipe', 'pipe', 'inherit'] })
  const lines = createInterface({ input: child.stdout })
  return {
    child,
    pid: child.pid,
    run: async (job) => {
      child.stdin.write(`${JSON.stringify(job)}\n`)
      const [line] = await once(lines, 'line')
      return JSON.parse(line)
    },
  }
}

const rows = []
const limits = []
for (const layout of layouts) {
  const { sides, table } = await measure(layout)
  rows.push(...table)
  // Where all share the CPUs, what nats-server itself does for a callout sets the limit.
  const [plain, callout] = sides.map(({ runs }) => median(runs.map(({ cpu }) => cpu.server + cpu.load)))
  limits.push(`${Math.round((100 * plain) / callout)} % (${layout.name})`)
}

report(
  'NATS: connects by auth callout',
  `
Node ${nodeVersion}, ${natsVersion}, one replica, xkey on, \`timeout: 10\`; ${connects} connects, ${parallel} at a time, ${rounds} rounds of
both in turn; medians, and in brackets what they lay between. Every connect of every round was authorised. "password" is the
same nats-server with one user in its configuration, and the same permissions. CPU is µs a connect.

| layout | login | connects/s | share of password | Usher | nats-server | load | p50 / p99 |
|---|---|---|---|---|---|---|---|
${rows.map((row) => `| ${row.join(' | ')} |`).join('\n')}

nats-server makes a key, signs, seals, opens and verifies twice for each callout: that is most of the CPU. With an Usher that took none
at all the share would be ${limits.join(', ')}, by CPU of nats-server and the load.
`,
)
