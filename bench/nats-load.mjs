// The load of bench/nats.mjs, in a process of its own and as light as can be: connects by bare sockets, each until the server’s PONG
// or error, and then the next. Reads one job a line of stdin, as JSON, and answers each with a line.
import { connect } from 'node:net'
import { createInterface } from 'node:readline'

/** @param logins what CONNECT says of the user, in turn */
function run({ port, logins, connects, parallel }) {
  const options = { host: '127.0.0.1', port, noDelay: true }
  const lines = logins.map(
    (login) =>
      `CONNECT ${JSON.stringify({ ...login, verbose: false, pedantic: false, lang: 'bench', version: '1' })}\r\nPING\r\n`,
  )
  const times = new Float64Array(connects)
  let begun = 0
  let ended = 0
  let refused = 0
  return new Promise((resolve) => {
    const startedAt = performance.now()
    const next = () => {
      if (begun === connects) return
      const index = begun++
      const from = performance.now()
      let isAsked = false
      const socket = connect(options)
      socket.on('data', (data) => {
        if (!isAsked) {
          isAsked = true
          return socket.write(lines[index % lines.length])
        }
        // PONG, or -ERR: the first byte tells.
        end(data[0] === 0x50)
      })
      socket.on('error', () => end(false))
      socket.on('close', () => end(false))
      let isOver = false
      const end = (isIn) => {
        if (isOver) return
        isOver = true
        times[index] = performance.now() - from
        if (!isIn) refused++
        // A reset: ports in TIME_WAIT would run out.
        socket.resetAndDestroy()
        if (++ended === connects)
          resolve({ seconds: (performance.now() - startedAt) / 1000, refused, times: times.sort() })
        else next()
      }
    }
    for (let index = 0; index < parallel; index++) next()
  })
}

for await (const line of createInterface({ input: process.stdin })) {
  const job = JSON.parse(line)
  const { seconds, refused, times } = await run(job)
  const at = (share) => times[Math.floor(times.length * share)]
  console.log(JSON.stringify({ perSecond: job.connects / seconds, refused, p50: at(0.5), p99: at(0.99) }))
}
