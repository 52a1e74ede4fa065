// The revocation list against what is no Redis, or one that fails in ways a real one cannot be made to: nothing hangs, nothing is
// thrown at nobody, nothing is believed, and no secret is repeated.

import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { describe, expect, it, type TestContext, vi } from 'vitest'
import { openRedisList } from '../../src/revocations/redis.ts'
import { isAfter, isSameStream } from '../../src/revocations/redis-stream.ts'
import { createSecret } from '../../src/secret.ts'
import { recordedLog } from './recorded-log.ts'

const alice = { source: 'main', subject: 'alice', until: Math.floor(Date.now() / 1000) + 3600 }
/** Commands of a chunk, as the client writes them: whole, and without line breaks in an argument. */
const commandsIn = (chunk: Buffer): string[][] =>
  chunk
    .toString()
    .split(/^\*\d+\r\n/m)
    .slice(1)
    .map((command) => command.split('\r\n').filter((_line, at) => at % 2 === 1))

/** A server on loopback that answers each command as it is told. @returns its port */
async function answering(
  { onTestFinished }: TestContext,
  answer: (socket: Socket, command: string[]) => void,
  onConnect?: (socket: Socket) => void,
) {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    onConnect?.(socket)
    socket.on('data', (chunk) => {
      for (const command of commandsIn(chunk)) answer(socket, command)
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return (server.address() as { port: number }).port
}

async function open({ onTestFinished }: TestContext, url: string) {
  const log = recordedLog()
  const list = await openRedisList({ url: createSecret(url), log, now: Date.now, startMs: 300, addMs: 300 })
  onTestFinished(() => list.close(), 5000)
  return { list, log }
}

const text = (value: string) => `$${value.length}\r\n${value}\r\n`
const info = (fields: Record<string, string>) =>
  `*${Object.keys(fields).length * 2}\r\n${Object.entries(fields)
    .map(([name, value]) => text(name) + value)
    .join('')}`
const always = (reply: string) => (socket: Socket) => socket.write(reply)
/** Answers as an empty Redis does, but for some commands. */
const but =
  (replies: Record<string, string | ((socket: Socket) => void)>) =>
  (socket: Socket, [name = '']: string[]) => {
    const reply = replies[name]
    if (typeof reply === 'function') reply(socket)
    else socket.write(reply ?? { XTRIM: ':0\r\n', XINFO: '-ERR no such key\r\n', XREAD: '*-1\r\n' }[name] ?? '+OK\r\n')
  }

const drip = (socket: Socket) => {
  const timer = setInterval(() => socket.write('$'), 50)
  socket.once('close', () => clearInterval(timer))
}

type Answering = Parameters<typeof answering> extends [unknown, ...infer Rest] ? Rest : never
const faults: [what: string, server: Answering, code: string][] = [
  ['says nothing', [() => {}], 'REDIS_TOO_SLOW'],
  ['hangs up on everybody', [() => {}, (socket) => socket.destroy()], 'SocketClosedUnexpectedlyError'],
  ['hangs up when it is asked', [(socket) => socket.destroy()], 'SocketClosedUnexpectedlyError'],
  ['speaks HTTP', [always('HTTP/1.1 400 Bad Request\r\n\r\n')], 'Error'],
  ['answers too much', [always(':1\r\n:2\r\n:3\r\n')], 'TypeError'],
  ['stops in the middle of an answer', [always('*2\r\n$5\r\nusher')], 'REDIS_TOO_SLOW'],
  ['drips', [drip], 'REDIS_TOO_SLOW'],
  ['is loading', [always('-LOADING Redis is loading the dataset in memory\r\n')], 'LOADING'],
  ['wants a password', [always('-NOAUTH Authentication required.\r\n')], 'NOAUTH'],
  ['is read-only', [but({ XTRIM: "-READONLY You can't write against a read only replica.\r\n" })], 'READONLY'],
  ['has lost its replicas', [but({ XTRIM: '-NOREPLICAS Not enough good replicas to write.\r\n' })], 'NOREPLICAS'],
  ['cannot save', [but({ XTRIM: '-MISCONF Errors writing to the AOF file\r\n' })], 'MISCONF'],
  ['forbids a command', [but({ XINFO: "-NOPERM this user has no permissions to run 'xinfo'\r\n" })], 'NOPERM'],
  ['is a cluster', [but({ XREAD: '-MOVED 3999 127.0.0.1:6381\r\n' })], 'MOVED'],
  [
    'is older than 7.0',
    [but({ XINFO: info({ length: ':0\r\n', 'last-generated-id': text('0-0') }) })],
    'REDIS_BEFORE_7',
  ],
  ['knows no streams', [always("-ERR unknown command 'XTRIM'\r\n")], 'ERR'],
  [
    'counts in words',
    [but({ XINFO: info({ 'entries-added': text('many'), 'last-generated-id': text('0-0') }) })],
    'REDIS_GARBLED',
  ],
  [
    'has ids of its own',
    [but({ XINFO: info({ 'entries-added': ':1\r\n', 'last-generated-id': text('first') }) })],
    'REDIS_GARBLED',
  ],
  ['reads out a number', [but({ XREAD: ':7\r\n' })], 'REDIS_GARBLED'],
  ['reads out an empty list', [but({ XREAD: '*0\r\n' })], 'REDIS_GARBLED'],
  [
    'reads out entries without ids',
    [but({ XREAD: `*1\r\n*2\r\n${text('k')}*1\r\n*2\r\n${text('x')}*0\r\n` })],
    'REDIS_GARBLED',
  ],
  ['freezes after the first look', [but({ XREAD: () => {} })], 'REDIS_TOO_SLOW'],
]

describe.concurrent('a server that', () => {
  it.for(faults)('%s: is not believed, and keeps nobody waiting', async ([, server, code], test) => {
    const port = await answering(test, ...server)
    const before = performance.now()
    const { list, log } = await open(test, `redis://:hunter2@127.0.0.1:${port}`)
    expect(list.isCurrent()).toBe(false)
    await expect(list.add(alice)).rejects.toMatchObject({ code: 'REVOCATION_TOO_SLOW' })
    expect(performance.now() - before).toBeLessThan(4000)
    expect(list.find(alice)).toEqual(alice)
    const codes = () => log.lines.filter(({ message }) => message.includes('tell who')).map(({ fields }) => fields.code)
    await vi.waitFor(() => expect(codes(), log.text()).toContain(code), { timeout: 4000 })
    expect(list.isCurrent()).toBe(false)
    expect(log.text()).not.toMatch(/hunter2|alice|127\.0\.0\.1/)
  })
})

it.for<[string, string, unknown]>([
  ['nobody listens', 'redis://:hunter2@127.0.0.1:1', 'ECONNREFUSED'],
  ['has no such name', 'redis://:hunter2@none.invalid:6379', expect.stringMatching(/ENOTFOUND|EAI_AGAIN/)],
  ['speaks no TLS', 'rediss://:hunter2@127.0.0.1:', expect.stringMatching(/^E/)],
])('a place where %s: not current, and no word of the password', async ([, url, code], test) => {
  const port = url.endsWith(':') ? await answering(test, always('+OK\r\n'), (socket) => socket.write('+OK\r\n')) : ''
  const { list, log } = await open(test, `${url}${port}`)
  expect(list.isCurrent()).toBe(false)
  expect(log.lines).toMatchObject([{ level: 'error', fields: { code } }])
  expect(log.text()).not.toContain('hunter2')
})

it('tries again soon at first, and then once a second, however long it takes', async (test) => {
  const at: number[] = []
  const port = await answering(test, always('-LOADING\r\n'), () => at.push(performance.now()))
  await open(test, `redis://127.0.0.1:${port}`)
  // Waiting twice as long each time, it would take 19 seconds.
  await expect.poll(() => at.length, { timeout: 14_000 }).toBeGreaterThan(9)
  const gaps = at.slice(1).map((time, index) => time - (at[index] as number))
  expect(gaps[0]).toBeLessThan(400)
  expect(gaps.at(-1)).toBeGreaterThan(400)
})

describe('positions in a stream', () => {
  it.each([
    ['1-0', '0-0', true],
    ['1-1', '1-0', true],
    ['1-10', '1-9', true],
    ['10-0', '9-5', true],
    ['1-0', '1-0', false],
    ['9-5', '10-0', false],
    ['18446744073709551615-1', '18446744073709551614-2', true],
  ])('%s after %s: %s', (id, other, is) => expect(isAfter(id, other)).toBe(is))

  const at = (lastId: string, added: number) => ({ lastId, added })
  it.each([
    ['nothing has happened', at('5-0', 3), at('5-0', 3), true],
    ['nothing ever was', at('0-0', 0), at('0-0', 0), true],
    ['more has come', at('5-0', 3), at('6-0', 4), true],
    ['it is gone', at('5-0', 3), at('0-0', 0), false],
    ['it is gone, and another began', at('5-0', 3), at('6-0', 1), false],
    ['another began with as many', at('5-0', 3), at('6-0', 3), false],
    ['another began with more, in the past', at('5-0', 3), at('4-0', 9), false],
    ['it counts on without an entry', at('5-0', 3), at('5-0', 4), false],
  ])('%s', (_what, read, now, is) => expect(isSameStream(read, now)).toBe(is))
})
