// The revocation list in a file: what was acknowledged is there after a crash, and what could not be written is not forgotten.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import realFiles, { type FileHandle } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { toEntryText } from '../../src/revocations/entry.ts'
import { openFileList, RevocationsFileError } from '../../src/revocations/file.ts'
import type { Files } from '../../src/revocations/line-file.ts'
import type { Revocation, RevocationList } from '../../src/revocations/list.ts'
import { compileRevocations } from './compiled.ts'
import { recordedLog } from './recorded-log.ts'

const { mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } = realFiles
const until = Math.floor(Date.now() / 1000) + 86_400
const user = (subject: string): Revocation => ({ source: 'main', subject, until })
const [alice, bob, carol] = ['alice', 'bob', 'carol'].map(user) as [Revocation, Revocation, Revocation]
const linesOf = (...entries: Revocation[]) => entries.map((entry) => `${toEntryText(entry)}\n`).join('')

let folder: string
let path: string
const lists: RevocationList[] = []
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'usher-revocations-'))
  path = join(folder, 'revocations.jsonl')
})
afterEach(async () => {
  await Promise.all(lists.splice(0).map((list) => list.close()))
  await rm(folder, { recursive: true, force: true })
})

async function open({ files = realFiles as Files, lookMs = 60_000, log = recordedLog(), now = Date.now } = {}) {
  const list = await openFileList({ path, log, now, files, lookMs })
  lists.push(list)
  return Object.assign(list, { log })
}
const text = () => readFile(path, 'utf8')
/** Whoever opens the file now. */
async function afterRestart(): Promise<RevocationList> {
  return open()
}

/** A disk that fails as `fault` says, each time before a file is appended to, synced or renamed. */
function failing(
  fault: (what: 'append' | 'sync' | 'rename', handle: FileHandle | undefined, data: string) => unknown,
): Files {
  return {
    ...realFiles,
    rename: async (from, to) => {
      await fault('rename', undefined, '')
      await realFiles.rename(from, to)
    },
    open: async (...args) => {
      const handle = await realFiles.open(...args)
      const { appendFile, sync } = handle
      handle.appendFile = async (data) => {
        await fault('append', handle, data as string)
        await appendFile.call(handle, data)
      }
      handle.sync = async () => {
        await fault('sync', handle, '')
        await sync.call(handle)
      }
      return handle
    },
  }
}
const errno = (code: string) => Object.assign(new Error(`${code}: ${path}`), { code })

describe('a file', () => {
  it('is made, for its owner only, and keeps what was added', async () => {
    const list = await open()
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    await list.add(alice)
    await list.add({ source: 'main', subject: 'bob', tokenId: 't', until })
    expect(await text()).toBe(linesOf(alice, { source: 'main', subject: 'bob', tokenId: 't', until }))
    const again = await afterRestart()
    expect(again.find(alice)).toEqual(alice)
    expect(again.find({ source: 'main', subject: 'bob', tokenId: 't' })).toMatchObject({ tokenId: 't' })
    expect(again.state()).toEqual({ store: 'file', entries: 2, isCurrent: true })
  })

  it('takes 500 at once in their order, and syncs far less often', async () => {
    let syncs = 0
    const list = await open({ files: failing((what) => what === 'sync' && syncs++) })
    syncs = 0
    const users = Array.from({ length: 500 }, (_, n) => user(`u${n}`))
    await Promise.all(users.map((entry) => list.add(entry)))
    expect(await text()).toBe(linesOf(...users))
    expect(syncs).toBeLessThan(10)
  })

  it('holds an entry before it is acknowledged, which is in force already', async () => {
    let release = () => {}
    const synced = new Promise<void>((resolve) => {
      release = resolve
    })
    let isSlow = false
    const list = await open({ files: failing((what) => (what === 'sync' && isSlow ? synced : undefined)) })
    isSlow = true
    let isAcknowledged = false
    const adding = list.add(alice).then(() => {
      isAcknowledged = true
    })
    expect(list.find(alice)).toEqual(alice)
    await vi.waitFor(async () => expect(await text()).toBe(linesOf(alice)))
    for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve))
    expect(isAcknowledged).toBe(false)
    release()
    await adding
  })

  it('is heard of by listeners, but for what was there at start', async () => {
    await writeFile(path, linesOf(alice))
    const list = await open()
    const heard: Revocation[] = []
    list.onAdded((revocation) => heard.push(revocation))
    await Promise.all([list.add(alice), list.add(bob), list.add(bob)])
    expect(heard).toEqual([bob])
  })

  it('takes no entry that is none, and none once it is closed', async () => {
    const list = await open()
    await expect(list.add({ source: 'main', until })).rejects.toThrow(TypeError)
    await list.close()
    await expect(list.add(alice)).rejects.toMatchObject({ code: 'REVOCATIONS_CLOSED' })
    expect(await text()).toBe('')
  })

  it('has everything when it is closed while it is written', async () => {
    const list = await open()
    const adding = [alice, bob, carol].map((entry) => list.add(entry))
    await list.close()
    await Promise.all(adding)
    expect(await text()).toBe(linesOf(alice, bob, carol))
  })

  it('stays where a symbolic link says it is', async () => {
    await mkdir(join(folder, 'volume'))
    const real = join(folder, 'volume/r.jsonl')
    await writeFile(real, linesOf({ ...alice, until: 1 }, bob))
    await symlink(real, path)
    const list = await open()
    await list.add(carol)
    expect(await readFile(real, 'utf8')).toBe(linesOf(bob, carol))
  })
})

describe('at start', () => {
  it('drops what has ended, from the file too', async () => {
    await writeFile(path, linesOf({ ...alice, until: 1_700_000_000 }, bob, { ...bob, until: until + 1 }, carol))
    const list = await open()
    expect(list.state().entries).toBe(2)
    expect(await text()).toBe(linesOf({ ...bob, until: until + 1 }, carol))
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    await list.add(alice)
    expect(await text()).toBe(linesOf({ ...bob, until: until + 1 }, carol, alice))
  })

  it('leaves a file alone that has nothing to drop', async () => {
    await writeFile(path, linesOf(alice, bob))
    const before = await stat(path)
    await open()
    const after = await stat(path)
    expect([after.ino, after.mtimeMs]).toEqual([before.ino, before.mtimeMs])
  })

  it('starts with a file that it cannot make smaller, and adds to it', async () => {
    await writeFile(path, linesOf({ ...alice, until: 1 }, bob))
    const list = await open({
      files: failing((what) => {
        if (what === 'rename') throw errno('EBUSY')
      }),
    })
    expect(list.log.lines).toMatchObject([{ level: 'warn', fields: { code: 'EBUSY', file: path } }])
    await list.add(carol)
    expect(await text()).toBe(linesOf({ ...alice, until: 1 }, bob, carol))
  })

  it.each([
    ['half a line', toEntryText(bob).slice(0, -5)],
    ['a line without its break', toEntryText(bob)],
    ['zeros, as a power cut leaves them', '\0'.repeat(4096)],
  ])('cuts off %s at the end, which nobody was told of', async (_what, tail) => {
    await writeFile(path, linesOf(alice) + tail)
    const list = await open()
    expect(list.find(bob)).toBeUndefined()
    expect(await text()).toBe(linesOf(alice))
    await list.add(carol)
    expect(await text()).toBe(linesOf(alice, carol))
    expect(list.log.lines).toMatchObject([{ level: 'warn', fields: { file: path } }])
  })

  it.each([
    ['words', 'mallory was here\n'],
    ['nothing', '\n'],
    ['an entry that names nobody', '{"source":"main","until":1900000000}\n'],
    ['half an entry', `${toEntryText(bob).slice(0, -5)}\n`],
    ['a damaged byte', linesOf(bob).replace('bob', 'b\u0080b')],
    ['two entries', `${toEntryText(bob)}${linesOf(carol)}`],
    ['the line break of another system', `${toEntryText(bob)}\r\n`],
  ])('does not start where a line is %s, and says which, not what', async (_what, line) => {
    await writeFile(path, linesOf(alice, alice) + line + linesOf(carol), 'latin1')
    const error = await open().catch((error: unknown) => error)
    expect(error).toBeInstanceOf(RevocationsFileError)
    const { message } = error as Error
    expect(message).toContain(`${path}: line 3 `)
    expect(message).not.toMatch(/mallory|bob|main/)
    expect(await readFile(path, 'latin1')).toBe(linesOf(alice, alice) + line + linesOf(carol))
  })

  it.each([
    ['a folder that is not there', () => join(folder, 'none/revocations.jsonl'), 'ENOENT'],
    ['a folder in its place', () => folder, 'EISDIR'],
    ['a file in the place of its folder', () => '/dev/null/revocations.jsonl', 'ENOTDIR'],
  ])('does not start with %s', async (_what, where, code) => {
    path = where()
    const error = await open().catch((error: unknown) => error)
    expect(error).toBeInstanceOf(RevocationsFileError)
    expect((error as Error).message).toContain(`${path}: cannot be opened for reading and writing (${code}).`)
  })
})

describe('a disk that fails', () => {
  /** Fails while `isBroken`, as the name says. */
  const breakable = (fault: (handle: FileHandle | undefined, data: string) => Promise<unknown>, at: string) => {
    const disk = { isBroken: false }
    const files = failing(async (what, handle, data) => {
      if (disk.isBroken && what === at) await fault(handle, data)
    })
    return Object.assign(disk, { files })
  }
  const full = () =>
    breakable(async (handle, data) => {
      await handle?.write(data.slice(0, data.length / 2))
      throw errno('ENOSPC')
    }, 'append')
  const faulty = () =>
    breakable(async () => {
      throw errno('EIO')
    }, 'sync')

  it.each([
    ['full', full],
    ['faulty', faulty],
  ])('%s: add rejects, the entry is in force, and is written without anybody asking again', async (_what, make) => {
    const disk = make()
    const list = await open({ files: disk.files, lookMs: 20 })
    await list.add(alice)
    disk.isBroken = true
    await expect(list.add(bob)).rejects.toMatchObject({ code: 'REVOCATION_NOT_WRITTEN' })
    expect(list.find(bob)).toEqual(bob)
    expect(list.isCurrent()).toBe(true)
    disk.isBroken = false
    await vi.waitFor(async () => expect(await text()).toBe(linesOf(alice, bob)))
    expect((await afterRestart()).find(bob)).toEqual(bob)
    // Said when it begins and when it ends, however often it was tried between.
    await vi.waitFor(() => expect(list.log.lines.map(({ level }) => level)).toEqual(['error', 'info']))
  })

  it.each([
    ['full', full],
    ['faulty', faulty],
  ])('%s: the next entry brings those with it that were not written', async (_what, make) => {
    const disk = make()
    const list = await open({ files: disk.files })
    await list.add(alice)
    disk.isBroken = true
    await expect(list.add(bob)).rejects.toThrow()
    await expect(list.add(user('dave'))).rejects.toThrow()
    disk.isBroken = false
    await list.add(carol)
    expect(await text()).toBe(linesOf(alice, bob, user('dave'), carol))
    const again = await afterRestart()
    for (const entry of [alice, bob, carol]) expect(again.find(entry)).toEqual(entry)
  })

  it('after an fsync that failed it is a new file: what the old one holds is anybody’s guess', async () => {
    const disk = faulty()
    const list = await open({ files: disk.files })
    const { ino } = await stat(path)
    disk.isBroken = true
    await expect(list.add(alice)).rejects.toThrow()
    disk.isBroken = false
    await list.add(bob)
    expect((await stat(path)).ino).not.toBe(ino)
    expect(await text()).toBe(linesOf(alice, bob))
  })

  it('that breaks while a new file takes the place leaves the old one, and no litter', async () => {
    const disk = breakable(async () => {
      throw errno('EIO')
    }, 'rename')
    const files = failing(async (what) => {
      if (disk.isBroken && what !== 'rename') throw errno('EIO')
    })
    const list = await open({ files: { ...files, rename: disk.files.rename } })
    await list.add(alice)
    disk.isBroken = true
    await expect(list.add(bob)).rejects.toThrow()
    await expect(list.add(carol)).rejects.toThrow()
    expect((await realFiles.readdir(folder)).sort()).toEqual(['revocations.jsonl'])
    expect((await afterRestart()).find(alice)).toEqual(alice)
  })

  it('that hangs costs the one who asks two seconds, not more', async () => {
    let release = () => {}
    const disk = breakable(
      () =>
        new Promise<void>((resolve) => {
          release = resolve
        }),
      'sync',
    )
    const list = await open({ files: disk.files })
    disk.isBroken = true
    const before = performance.now()
    await expect(list.add(alice)).rejects.toMatchObject({ code: 'REVOCATION_TOO_SLOW' })
    expect(performance.now() - before).toBeLessThan(4000)
    expect(list.find(alice)).toEqual(alice)
    disk.isBroken = false
    release()
    await vi.waitFor(async () => expect(await text()).toBe(linesOf(alice)))
  })
})

describe('somebody else at the file', () => {
  it('a new process that takes over: each hears what the other is told, and the file has it all', async () => {
    const before = await open({ lookMs: 20 })
    await before.add(alice)
    const after = await open({ lookMs: 20 })
    const heard: Revocation[] = []
    after.onAdded((revocation) => heard.push(revocation))
    await Promise.all([before.add(bob), after.add(carol)])
    await vi.waitFor(() => {
      expect(after.find(bob)).toEqual(bob)
      expect(before.find(carol)).toEqual(carol)
    })
    expect(heard.map(({ subject }) => subject).sort()).toEqual(['bob', 'carol'])
    expect(before.log.text()).toContain('REDIS_URL')
    await Promise.all([before.close(), after.close()])
    const again = await afterRestart()
    for (const entry of [alice, bob, carol]) expect(again.find(entry)).toEqual(entry)
  })

  it('a new process that makes the file smaller loses nothing of the old one', async () => {
    const clock = { now: Date.now() }
    const before = await open({ now: () => clock.now })
    await before.add({ ...alice, until: Math.floor(clock.now / 1000) + 5 })
    clock.now += 10_000
    await open({ now: () => clock.now })
    expect(await text()).toBe('')
    // The old one has the file open that was replaced: what it writes there is nowhere.
    await before.add(bob)
    expect(await text()).toBe(linesOf(bob))
  })

  const replace = async (lines: string) => {
    await writeFile(`${path}.x`, lines)
    await realFiles.rename(`${path}.x`, path)
  }
  it.each([
    ['removes it', () => rm(path)],
    ['empties it', () => writeFile(path, '')],
    ['replaces it', () => replace(linesOf(carol))],
    ['replaces it by one of the same size', () => replace(linesOf(bob, alice).replace('bob', 'eve'))],
  ])('who %s: it has everything again', async (_what, act) => {
    const list = await open({ lookMs: 20 })
    await list.add(alice)
    await list.add(bob)
    await act()
    await vi.waitFor(async () =>
      expect((await text()).split('\n').sort()).toEqual(expect.arrayContaining(linesOf(alice, bob).trim().split('\n'))),
    )
    await list.add(user('dave'))
    const again = await afterRestart()
    for (const entry of [alice, bob, user('dave')]) expect(again.find(entry)).toEqual(entry)
  })

  it('who writes a line that is no entry stops nothing', async () => {
    const list = await open({ lookMs: 20 })
    await writeFile(path, `mallory\n${linesOf(bob)}`)
    await vi.waitFor(() => expect(list.find(bob)).toEqual(bob))
    expect(list.log.text()).toContain('line 1')
    expect(list.log.text()).not.toContain('mallory')
    await list.add(alice)
    expect(await text()).toContain(toEntryText(alice))
  })
})

it('kill -9 in the middle of many: every entry that was acknowledged is there', async () => {
  const open = compileRevocations()
  const script = `
    import { writeSync } from 'node:fs'
    const { openRevocations } = await import(${JSON.stringify(open)})
    const quiet = { debug() {}, info() {}, warn() {}, error() {}, flush() {} }
    const list = await openRevocations({ file: process.argv[1], redisUrl: undefined, log: quiet, now: Date.now })
    const add = async (worker) => {
      for (let n = 0; ; n++) {
        const subject = process.argv[2] + '-' + worker + '-' + n
        await list.add({ source: 'main', subject, until: ${until} })
        writeSync(1, subject + '\\n')
      }
    }
    for (let worker = 0; worker < 8; worker++) void add(worker)
  `
  const acknowledged: string[] = []
  for (const round of ['a', 'b', 'c']) {
    const child = spawn(process.execPath, ['--input-type=module', '-e', script, path, round], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const closed = once(child, 'close')
    let count = 0
    for await (const line of createInterface(child.stdout)) {
      acknowledged.push(line)
      if (++count === 300) child.kill('SIGKILL')
    }
    await closed
    expect(count).toBeGreaterThanOrEqual(300)
    const list = await afterRestart()
    for (const subject of acknowledged) expect(list.find({ source: 'main', subject })).toBeDefined()
    await list.close()
  }
})
