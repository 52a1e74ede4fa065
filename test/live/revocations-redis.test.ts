// The revocation list in a real Redis: who is revoked on one replica is revoked on all, and whatever becomes of Redis, nobody who
// was revoked comes back, nothing hangs, and a list that may lack somebody says so.

import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it, type TestContext, vi } from 'vitest'
import { toEntryText } from '../../src/revocations/entry.ts'
import type { Revocation, RevocationList } from '../../src/revocations/list.ts'
import { openRevocations } from '../../src/revocations/open.ts'
import { openRedisList } from '../../src/revocations/redis.ts'
import { createSecret } from '../../src/secret.ts'
import { compileRevocations } from '../revocations/compiled.ts'
import { recordedLog } from '../revocations/recorded-log.ts'
import { freePort, obtainRedisServer, type RedisServer, startRedisServer } from './redis-server.ts'

const run = promisify(execFile)
const binary = await obtainRedisServer()
const key = 'usher:revocations'
const durable = ['--appendonly', 'yes', '--appendfsync', 'always']

let made = 0
/** Somebody whom no other test has revoked. */
const somebody = (): Revocation => ({
  source: 'main',
  subject: `user-${made++}`,
  until: Math.floor(Date.now() / 1000) + 86_400,
})

interface OpenOptions {
  startMs?: number
  addMs?: number
  monotonic?: () => number
}

async function open({ onTestFinished }: TestContext, url: string, options: OpenOptions = {}) {
  const log = recordedLog()
  const list = await openRedisList({ url: createSecret(url), log, now: Date.now, ...options })
  onTestFinished(() => list.close(), 5000)
  const heard: Revocation[] = []
  list.onAdded((revocation) => heard.push(revocation))
  return Object.assign(list, { log, heard })
}

/** Looks often: what is measured here is milliseconds. */
const eventually = (check: () => unknown, timeout = 10_000) => vi.waitFor(check, { timeout, interval: 5 })
const current = (list: RevocationList) => eventually(() => expect(list.isCurrent()).toBe(true))
const stale = (list: RevocationList) => eventually(() => expect(list.isCurrent()).toBe(false))
const hears = (list: Awaited<ReturnType<typeof open>>, revocation: Revocation) =>
  eventually(() => expect(list.heard).toContainEqual(revocation))

/** What a replica knows that starts now. */
async function newcomer(test: TestContext, server: RedisServer) {
  const list = await open(test, server.url)
  await current(list)
  return list
}

/** A process that opens the list, adds one, closes the list, and then must end because nothing is left to do. @returns what it said */
async function runClient(url: string, env: Record<string, string> = {}): Promise<string> {
  const script = `
    const { openRevocations } = await import(${JSON.stringify(compiled())})
    const log = { debug() {}, info() {}, warn() {}, error: ({ code }) => console.log(code), flush() {} }
    const redisUrl = { reveal: () => process.argv[1] }
    const list = await openRevocations({ redisUrl, file: undefined, log, now: Date.now })
    console.log('current', list.isCurrent())
    await list.add({ source: 'main', subject: 'alice', until: ${Math.floor(Date.now() / 1000) + 60} })
    console.log('added')
    await list.close()
  `
  const child = run(process.execPath, ['--input-type=module', '-e', script, url], {
    env: { ...process.env, ...env },
    timeout: 10_000,
  })
  return (await child.catch((error: { stdout: string }) => error)).stdout
}
let url: string | undefined
const compiled = (): string => {
  url ??= compileRevocations()
  return url
}

describe.skipIf(binary === undefined)('with Redis', () => {
  describe('that is well', () => {
    it('an entry is in force on another replica within milliseconds, and heard of once', async (test) => {
      const server = await startRedisServer()
      const [one, other] = [await open(test, server.url), await open(test, server.url)]
      const times: number[] = []
      const revoked = Array.from({ length: 50 }, somebody)
      for (const revocation of revoked) {
        const before = performance.now()
        const arrived = new Promise<void>((resolve) => {
          const unsubscribe = other.onAdded(() => {
            times.push(performance.now() - before)
            unsubscribe()
            resolve()
          })
        })
        await Promise.all([one.add(revocation), arrived])
        expect(other.find(revocation)).toEqual(revocation)
      }
      const median = times.sort((a, b) => a - b)[25] as number
      console.info(`propagation over Redis: median ${median.toFixed(1)} ms, slowest ${times.at(-1)?.toFixed(1)} ms`)
      expect(median).toBeLessThan(50)
      expect(one.heard).toEqual(revoked)
      expect(other.heard).toEqual(revoked)
      expect(one.state()).toMatchObject({ store: 'redis', entries: 50, isCurrent: true })
      await server.stop()
    })

    it.concurrent('a replica that starts later knows all, more than one reply holds, and tells no listener of it', async (test) => {
      const server = await startRedisServer()
      const one = await open(test, server.url)
      const revoked = Array.from({ length: 2500 }, somebody)
      await Promise.all(revoked.map((revocation) => one.add(revocation)))
      const late = await newcomer(test, server)
      for (const revocation of revoked) expect(late.find(revocation)).toEqual(revocation)
      expect(late.heard).toEqual([])
      await server.stop()
    })

    it('an idle list stays current, and is never older than its two questions', async (test) => {
      const server = await startRedisServer()
      const list = await open(test, server.url)
      const states: ReturnType<RevocationList['state']>[] = []
      while (states.length < 30) {
        await new Promise((resolve) => setTimeout(resolve, 50))
        states.push(list.state())
      }
      expect(states.filter(({ isCurrent }) => isCurrent).length).toBeGreaterThan(25)
      // An answer proves what was so when the question was sent, a quarter of a second before.
      const ages = states.map(({ ageSeconds }) => ageSeconds as number).sort((a, b) => a - b)
      expect(ages[15]).toBeGreaterThan(0.25)
      expect(ages[15]).toBeLessThan(0.7)
      await server.stop()
    })

    it.concurrent('what ended more than a day ago is dropped from Redis, nothing younger', async (test) => {
      const server = await startRedisServer()
      const hoursAgo = (hours: number) => Date.now() - hours * 3_600_000
      const many = "for n = 1, 300 do redis.call('XADD', KEYS[1], ARGV[1] .. '-' .. n, 'r', ARGV[2]) end"
      await server.command('EVAL', many, '1', key, `${hoursAgo(26)}`, toEntryText(somebody()))
      const kept = somebody()
      await server.command('XADD', key, `${hoursAgo(24.9)}-0`, 'r', toEntryText(kept))
      const list = await open(test, server.url)
      await eventually(async () => expect(await server.command('XLEN', key)).toBeLessThan(200))
      expect((await newcomer(test, server)).find(kept)).toEqual(kept)
      await list.close()
      await server.stop()
    })

    it.concurrent('needs no more of it than four commands on one key', async (test) => {
      const server = await startRedisServer()
      const rights = ['~usher:revocations', '+xread', '+xadd', '+xtrim', '+xinfo|stream']
      await server.command('ACL', 'SETUSER', 'usher', 'on', '>pw', ...rights)
      const list = await open(test, `redis://usher:pw@127.0.0.1:${server.port}`)
      await current(list)
      await list.add(somebody())
      expect(list.log.lines).toEqual([])
      await server.stop()
    })

    it.concurrent('keeps to the database that its address names', async (test) => {
      const server = await startRedisServer()
      const [one, other] = [await open(test, server.url), await open(test, `${server.url}/3`)]
      const [here, there] = [somebody(), somebody()]
      await Promise.all([one.add(here), other.add(there)])
      const third = await open(test, `${server.url}/3`)
      expect([third.find(here), third.find(there)]).toEqual([undefined, there])
      await server.stop()
    })

    it.concurrent('closing ends its connections, and what it is asked after that fails at once', async (test) => {
      const server = await startRedisServer()
      const list = await open(test, server.url)
      const connected = async () =>
        (String(await server.command('CLIENT', 'LIST')).match(/cmd=(xread|xadd)/g) ?? []).length
      await list.add(somebody())
      await eventually(async () => expect(await connected()).toBe(1))
      await list.close()
      await eventually(async () => expect(await connected()).toBe(0))
      await expect(list.add(somebody())).rejects.toMatchObject({ code: 'REVOCATIONS_CLOSED' })
      await server.stop()
    })

    it.concurrent('a process that has closed its list ends by itself', async () => {
      const server = await startRedisServer()
      await server.command('CONFIG', 'SET', 'requirepass', 'pw%/')
      const said = await runClient(`redis://:pw%25%2F@127.0.0.1:${server.port}`)
      expect(said).toBe('current true\nadded\n')
      await server.stop()
    })
  })

  describe.concurrent('that goes away', () => {
    it('kill -9, and again with its data: entries stay in force, and added ones go on to all', async (test) => {
      const server = await startRedisServer({ args: durable })
      const [one, other] = [await open(test, server.url), await open(test, server.url)]
      const [before, during] = [somebody(), somebody()]
      await one.add(before)
      await hears(other, before)
      await server.kill()
      await stale(one)
      await stale(other)
      expect(one.find(before)).toEqual(before)
      const asked = performance.now()
      await expect(one.add(during)).rejects.toMatchObject({ code: 'REVOCATION_TOO_SLOW' })
      expect(performance.now() - asked).toBeLessThan(3000)
      expect(one.find(during)).toEqual(during)
      expect(other.find(during)).toBeUndefined()

      await server.start()
      await current(one)
      await current(other)
      // The one that was refused to the caller is written without his asking again.
      await hears(other, during)
      const late = await newcomer(test, server)
      for (const revocation of [before, during]) expect(late.find(revocation)).toEqual(revocation)
      expect(one.heard).toEqual([before, during])
      expect(other.heard).toEqual([before, during])
      // Once each way, however often it was tried.
      const said = one.log.lines.map(({ fields, message }) => `${fields.code} ${message}`)
      expect(new Set(said).size).toBe(said.length)
      await server.stop()
    })

    it('kill -9, and again without its data: what the replicas know is written back', async (test) => {
      const server = await startRedisServer()
      const [one, other] = [await open(test, server.url), await open(test, server.url)]
      const revoked = Array.from({ length: 250 }, somebody)
      await Promise.all(revoked.map((revocation) => one.add(revocation)))
      await eventually(() => expect(other.state().entries).toBe(250))
      await server.kill()
      await stale(one)
      await server.start()
      await current(one)
      await current(other)
      for (const revocation of revoked) {
        expect(one.find(revocation)).toEqual(revocation)
        expect(other.find(revocation)).toEqual(revocation)
      }
      await eventually(async () => expect(await server.command('XLEN', key)).toBeGreaterThanOrEqual(250))
      const late = await newcomer(test, server)
      expect(late.state().entries).toBe(250)
      expect(one.heard).toHaveLength(250)
      await server.stop()
    })

    it('a start without it: the list opens, is not current, and is once Redis is there', async (test) => {
      const server = await startRedisServer({ args: durable })
      const known = somebody()
      await server.command('XADD', key, '*', 'r', toEntryText(known))
      await server.kill()
      const before = performance.now()
      const list = await open(test, server.url, { startMs: 300 })
      expect(performance.now() - before).toBeLessThan(1500)
      expect(list.isCurrent()).toBe(false)
      expect(list.state()).toEqual({ store: 'redis', entries: 0, isCurrent: false })
      const added = somebody()
      const adding = list.add(added).catch(() => {})
      await server.start()
      await current(list)
      await adding
      expect(list.find(known)).toEqual(known)
      expect(list.heard).toEqual([added])
      expect((await newcomer(test, server)).find(added)).toEqual(added)
      await server.stop()
    })

    it('frozen: not current within the second, add gives up in time, and all is well when it goes on', async (test) => {
      const server = await startRedisServer()
      const [one, other] = [await open(test, server.url), await open(test, server.url)]
      const [before, during] = [somebody(), somebody()]
      await one.add(before)
      server.signal('SIGSTOP')
      const frozenAt = performance.now()
      const adding = expect(one.add(during)).rejects.toMatchObject({ code: 'REVOCATION_TOO_SLOW' })
      await stale(one)
      await stale(other)
      expect(performance.now() - frozenAt).toBeLessThan(1500)
      expect(one.find(before)).toEqual(before)
      await adding
      expect(performance.now() - frozenAt).toBeLessThan(3000)
      server.signal('SIGCONT')
      await current(one)
      await hears(other, during)
      expect(other.heard.filter(({ subject }) => subject === during.subject)).toEqual([during])
      await server.stop()
    })

    it('closing does not wait for a Redis that is frozen', async (test) => {
      const server = await startRedisServer()
      const list = await open(test, server.url)
      server.signal('SIGSTOP')
      const adding = expect(list.add(somebody())).rejects.toMatchObject({ code: 'REVOCATIONS_CLOSED' })
      const before = performance.now()
      await list.close()
      await adding
      expect(performance.now() - before).toBeLessThan(2500)
      expect(list.log.text()).toContain('1 revocations')
      await server.stop()
    })

    it('is not current by a clock that has gone on for a second since the last proof', async (test) => {
      const clock = { skew: 0 }
      const server = await startRedisServer()
      const list = await open(test, server.url, { monotonic: () => performance.now() + clock.skew })
      server.signal('SIGSTOP')
      expect(list.isCurrent()).toBe(true)
      clock.skew = 1000
      expect(list.isCurrent()).toBe(false)
      await server.stop()
    })
  })

  describe.concurrent('that forgets', () => {
    it.for<[string, string[]]>([
      ['FLUSHALL', ['FLUSHALL']],
      ['DEL', ['DEL', key]],
      ['SWAPDB', ['SWAPDB', '0', '1']],
    ])('%s: nobody comes back, and new replicas are told', async ([, command], test) => {
      const server = await startRedisServer()
      const [one, other] = [await open(test, server.url), await open(test, server.url)]
      const revoked = Array.from({ length: 20 }, somebody)
      await Promise.all(revoked.map((revocation) => one.add(revocation)))
      await eventually(() => expect(other.state().entries).toBe(20))
      await server.command(...command)
      await eventually(async () => expect(await server.command('XLEN', key)).toBeGreaterThanOrEqual(20))
      await current(one)
      for (const revocation of revoked) expect(one.find(revocation)).toEqual(revocation)
      const late = await newcomer(test, server)
      for (const revocation of revoked) expect(late.find(revocation)).toEqual(revocation)
      // From here on as ever.
      const next = somebody()
      await late.add(next)
      await hears(one, next)
      await hears(other, next)
      expect(other.heard).toEqual([...revoked, next])
      await server.stop()
    })

    it('and gets a new entry at once, so that its last id is ahead of what was read: that is noticed too', async (test) => {
      const server = await startRedisServer()
      const list = await open(test, server.url)
      const [old, added] = [somebody(), somebody()]
      await list.add(old)
      await current(list)
      // In one script: no look at the stream can fall between.
      await server.command(
        'EVAL',
        "redis.call('FLUSHALL') redis.call('XADD', KEYS[1], '*', 'r', ARGV[1])",
        '1',
        key,
        toEntryText(added),
      )
      await hears(list, added)
      await eventually(async () => expect((await newcomer(test, server)).find(old)).toEqual(old))
      await server.stop()
    })

    it('and starts again with ids of the past: what is added there is heard', async (test) => {
      const server = await startRedisServer()
      const list = await open(test, server.url)
      const [old, added] = [somebody(), somebody()]
      await list.add(old)
      await server.command(
        'EVAL',
        "redis.call('FLUSHALL') redis.call('XADD', KEYS[1], ARGV[2], 'r', ARGV[1]) redis.call('XADD', KEYS[1], ARGV[3], 'x', 'y')",
        '1',
        key,
        toEntryText(added),
        `${Date.now() - 3_600_000}-0`,
        `${Date.now() - 3_500_000}-0`,
      )
      await hears(list, added)
      await eventually(async () => expect((await newcomer(test, server)).find(old)).toEqual(old))
      await server.stop()
    })
  })

  describe.concurrent('that is not as it should be', () => {
    it('a key of another type: not current, and again when it is gone', async (test) => {
      const server = await startRedisServer()
      const list = await open(test, server.url, { addMs: 300 })
      await server.command('SET', key, 'x')
      await stale(list)
      const revoked = somebody()
      await expect(list.add(revoked)).rejects.toMatchObject({ code: 'REVOCATION_TOO_SLOW' })
      expect(list.log.lines).toContainEqual(expect.objectContaining({ level: 'error', fields: { code: 'WRONGTYPE' } }))
      await server.command('DEL', key)
      await current(list)
      await eventually(async () => expect((await newcomer(test, server)).find(revoked)).toEqual(revoked))
      await server.stop()
    })

    it.for([
      ['a wrong password', ':hunter2wrong@', 'WRONGPASS'],
      ['no password', '', 'NOAUTH'],
      ['an unknown user', 'hunter2:x@', 'WRONGPASS'],
    ] as const)('%s: not current, and no word of it anywhere', async ([, login, code], test) => {
      const server = await startRedisServer({ password: 'hunter2right' })
      const list = await open(test, `redis://${login}127.0.0.1:${server.port}`, { startMs: 300, addMs: 300 })
      expect(list.isCurrent()).toBe(false)
      const error = await list.add(somebody()).catch((error: unknown) => error)
      expect(error).toMatchObject({ code: 'REVOCATION_TOO_SLOW' })
      expect(list.log.lines.map(({ fields }) => fields.code)).toEqual(expect.arrayContaining([code]))
      expect(list.log.text() + String((error as Error).stack)).not.toContain('hunter2')
      await server.stop()
    })

    it('a replica that may be read and not written is no place to hear of a revocation', async (test) => {
      // A full copy starts at once, not after five seconds.
      const server = await startRedisServer({ args: ['--repl-diskless-sync-delay', '0'] })
      const list = await open(test, server.url)
      const readOnly = await startRedisServer({ args: ['--replicaof', '127.0.0.1', String(server.port)] })
      const reader = await open(test, readOnly.url, { startMs: 300 })
      expect(reader.isCurrent()).toBe(false)
      await eventually(() => expect(reader.log.text()).toContain('"READONLY"'))
      expect(reader.isCurrent()).toBe(false)
      // A fail-over: the replica is the master now.
      const revoked = somebody()
      await list.add(revoked)
      await eventually(async () => expect(await readOnly.command('XLEN', key)).toBe(1))
      await readOnly.command('REPLICAOF', 'NO', 'ONE')
      await current(reader)
      expect(reader.find(revoked)).toEqual(revoked)
      // And the old master its replica: the list that still reads it must not believe it.
      await server.command('REPLICAOF', '127.0.0.1', String(readOnly.port))
      await stale(list)
      expect(list.find(revoked)).toEqual(revoked)
      await readOnly.stop()
      await server.stop()
    })

    it('one that is full: what is read is current, and what could not be written is as soon as there is room', async (test) => {
      const server = await startRedisServer()
      const [one, other] = [await open(test, server.url, { addMs: 300 }), await open(test, server.url)]
      await server.command('CONFIG', 'SET', 'maxmemory', '1')
      const revoked = [somebody(), somebody()]
      await Promise.all(
        revoked.map((revocation) => expect(one.add(revocation)).rejects.toMatchObject({ code: 'REVOCATION_TOO_SLOW' })),
      )
      const brief = { ...somebody(), until: Math.floor(Date.now() / 1000) + 2 }
      await expect(one.add(brief)).rejects.toMatchObject({ code: 'REVOCATION_TOO_SLOW' })
      expect(one.log.lines).toMatchObject([{ level: 'error', fields: { code: 'OOM' } }])
      await current(one)
      await eventually(() => expect(one.find(brief)).toBeUndefined())
      await server.command('CONFIG', 'SET', 'maxmemory', '0')
      for (const revocation of revoked) await hears(other, revocation)
      await eventually(() => expect(one.log.lines.at(-1)).toMatchObject({ level: 'info' }))
      // The third has ended before it could be written.
      expect(await server.command('XLEN', key)).toBe(2)
      await server.stop()
    })

    it('one that takes no entry from here: what another replica writes is written', async (test) => {
      const server = await startRedisServer()
      await server.command('ACL', 'SETUSER', 'usher', 'on', '>pw', '~*', '+@all', '-xadd')
      const one = await open(test, `redis://usher:pw@127.0.0.1:${server.port}`, { addMs: 10_000 })
      const other = await open(test, server.url)
      const revoked = somebody()
      const adding = one.add(revoked)
      await eventually(() => expect(one.log.text()).toContain('NOPERM'))
      await other.add({ ...revoked })
      await adding
      await server.stop()
    })

    it('entries that are garbage are said to be so and left; those beside them count', async (test) => {
      const server = await startRedisServer()
      const list = await open(test, server.url)
      const revoked = somebody()
      for (const fields of [
        ['r', 'hunter2'],
        ['r', '{"source":"main"}'],
        ['x', toEntryText(somebody())],
        ['r', toEntryText({ ...somebody(), until: Number.MAX_SAFE_INTEGER })],
        ['r', toEntryText(revoked), 'more', 'x'],
      ])
        await server.command('XADD', key, '*', ...fields)
      await hears(list, revoked)
      expect(list.heard).toEqual([revoked])
      await current(list)
      expect(list.log.lines).toContainEqual(
        expect.objectContaining({ level: 'error', fields: { detail: '1 entries' } }),
      )
      expect(list.log.text()).not.toContain('hunter2')
      const late = await newcomer(test, server)
      expect(late.find(revoked)).toEqual(revoked)
      expect(late.log.lines).toMatchObject([{ fields: { detail: '4 entries' } }])
      await server.stop()
    })

    it('an entry that somebody deleted stays in force where it is known', async (test) => {
      const server = await startRedisServer()
      const list = await open(test, server.url)
      const [deleted, next] = [somebody(), somebody()]
      await list.add(deleted)
      const [[id]] = (await server.command('XRANGE', key, '-', '+')) as [[string]]
      await server.command('XDEL', key, id)
      await list.add(next)
      const other = await newcomer(test, server)
      await hears(list, next)
      expect(list.find(deleted)).toEqual(deleted)
      await current(list)
      await current(other)
      await server.stop()
    })
  })

  describe('over TLS', () => {
    it('that the machine trusts, it is current; any other is refused before the password is sent', async (test) => {
      const folder = await mkdtemp(join(tmpdir(), 'usher-tls-'))
      const [cert, certKey] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
      const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1']
      await run('openssl', [
        'req',
        '-x509',
        '-newkey',
        'rsa:2048',
        '-nodes',
        '-keyout',
        certKey,
        '-out',
        cert,
        ...subject,
      ])
      const port = await freePort()
      const server = await startRedisServer({
        args: ['--tls-port', `${port}`, '--tls-cert-file', cert, '--tls-key-file', certKey, '--tls-auth-clients', 'no'],
        password: 'hunter2right',
      })
      const tls = `rediss://:hunter2right@127.0.0.1:${port}`
      expect(await runClient(tls, { NODE_EXTRA_CA_CERTS: cert })).toBe('current true\nadded\n')
      expect(await server.command('XLEN', key)).toBe(1)
      const list = await open(test, tls, { startMs: 500 })
      expect(list.isCurrent()).toBe(false)
      expect(list.log.lines).toMatchObject([{ fields: { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' } }])
      await server.stop()
      await rm(folder, { recursive: true })
    })
  })

  it('REDIS_URL wins over REVOCATIONS_FILE, and that is said', async ({ onTestFinished }) => {
    const server = await startRedisServer()
    const log = recordedLog()
    const list = await openRevocations({ file: '/nowhere/x', redisUrl: createSecret(server.url), log, now: Date.now })
    onTestFinished(() => list?.close())
    expect(list?.state()).toMatchObject({ store: 'redis', isCurrent: true })
    expect(log.lines).toMatchObject([{ level: 'warn', fields: { file: '/nowhere/x' } }])
    await server.stop()
  })
})
