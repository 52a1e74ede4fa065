// The revocation list in a file, for one replica. It owns when an entry is durable, and that none is forgotten where it cannot be
// made so. The file is looked at as well: while a new process takes over from an old one, each hears what the other is told.

import fs from 'node:fs/promises'
import { dirname } from 'node:path'
import { type Log, toErrorFields } from '../log.ts'
import { failure, withDeadline } from './deadline.ts'
import { parseEntryText, toEntryText } from './entry.ts'
import { createLineFile, type Files } from './line-file.ts'
import { addDeadlineMs, createIndex, type Revocation, type RevocationList } from './list.ts'

export interface FileListOptions {
  readonly path: string
  readonly log: Log
  /** Unix milliseconds. */
  readonly now: () => number
  readonly files?: Files
  /** How often it looks whether somebody else wrote the file, and tries again what could not be written. */
  readonly lookMs?: number
}

/** The file cannot be used. The message names file, line and mend, and nothing of what stands there. */
export class RevocationsFileError extends Error {
  override readonly name = 'RevocationsFileError'
  readonly code = 'REVOCATIONS_FILE'
}

interface Waiting {
  readonly revocation: Revocation
  resolve(): void
  reject(error: Error): void
}

/** @throws RevocationsFileError */
export async function openFileList({
  path: given,
  log,
  now,
  files = fs,
  lookMs = 250,
}: FileListOptions): Promise<RevocationList> {
  // A rename over a symbolic link would leave the file that it stands for behind.
  const path = await fs.realpath(given).catch(() => given)
  const index = createIndex({ now, log })
  const file = createLineFile(path, files)
  let waiting: Waiting[] = []
  /** Whether the file holds every entry that does not wait. */
  let isSound = true
  let isClosed = false

  /** Puts into force what stands in the file. @returns the entries that it lacks, or need not hold */
  async function load({ isStart }: { isStart: boolean }): Promise<{ lacks: boolean; spare: number }> {
    const { lines, wasTorn } = await file.read()
    if (wasTorn)
      log.warn({ file: path }, 'the last line of the revocations was not whole, and was never acknowledged: cut off')
    const stored = new Set<Revocation>()
    for (const [at, line] of lines.entries()) {
      const entry = parseEntryText(line)
      if (entry === undefined) {
        if (isStart) throw badLine(path, at + 1)
        log.error(
          { file: path, fault: `line ${at + 1}` },
          'a line of the revocations that somebody wrote is not an entry',
        )
        continue
      }
      const held = index.put(entry, { isSilent: isStart })
      if (held?.until === entry.until) stored.add(held)
    }
    const held = index.entries()
    return { lacks: held.some((entry) => !stored.has(entry)), spare: lines.length - held.length }
  }

  const replace = () => file.replace(toLines(index.entries()))

  /** Writes what waits; where the file is not as we left it, makes it hold everything again. One at a time. */
  async function save(): Promise<void> {
    const batch = waiting
    waiting = []
    const wasSound = isSound
    try {
      if (batch.length > 0 && isSound) await file.append(toLines(batch.map(({ revocation }) => revocation)))
      if (!isSound) await replace()
      else if (!(await file.isOurs())) {
        log.warn(
          { file: path },
          'somebody else changed the file of revocations: it is for one replica, REDIS_URL is for several',
        )
        if ((await load({ isStart: false })).lacks) await replace()
      }
      isSound = true
      if (!wasSound) log.info({ file: path }, 'revocations can be written again, and none is missing')
      for (const { resolve } of batch) resolve()
    } catch (error) {
      // What an fsync that failed has left on the disk is anybody's guess: from here on only a whole new file will do.
      isSound = false
      if (wasSound)
        log.error(
          { ...toErrorFields(error), file: path },
          'revocations cannot be written; they are in force, and it is tried again',
        )
      for (const { reject } of batch) reject(failure('REVOCATION_NOT_WRITTEN'))
    }
  }

  let saving: Promise<void> | undefined
  /** Entries that come while one write is under way go out together in the next. */
  const saveInTurn = (): void => {
    saving ??= save().finally(() => {
      saving = undefined
      if (waiting.length > 0) saveInTurn()
    })
  }

  try {
    const { spare } = await load({ isStart: true })
    if (spare > 0) await replace().catch((error) => log.warn({ ...toErrorFields(error), file: path }, notCompact))
  } catch (error) {
    await file.close()
    throw toOpenError(error, path)
  }
  const timer = setInterval(saveInTurn, lookMs).unref()

  return {
    find: index.find,
    entries: index.entries,
    isCurrent: () => true,
    add: (revocation) => {
      if (isClosed) return Promise.reject(failure('REVOCATIONS_CLOSED'))
      try {
        index.put(revocation)
      } catch (error) {
        return Promise.reject(error)
      }
      const written = new Promise<void>((resolve, reject) => waiting.push({ revocation, resolve, reject }))
      saveInTurn()
      return withDeadline(written, addDeadlineMs, 'REVOCATION_TOO_SLOW')
    },
    onAdded: index.onAdded,
    close: async () => {
      isClosed = true
      clearInterval(timer)
      saveInTurn()
      while (saving !== undefined) await saving
      await file.close()
    },
    state: () => ({ store: 'file', entries: index.entries().length, isCurrent: true }),
  }
}

const notCompact =
  'the file of revocations could not be rewritten without what has ended: mount its folder, not the file; entries are added as ever'

const toLines = (entries: readonly Revocation[]): string => entries.map((entry) => `${toEntryText(entry)}\n`).join('')

const badLine = (path: string, line: number): Error =>
  new RevocationsFileError(
    `${path}: line ${line} is not an entry of the revocation list, so nobody can tell whom it revoked. ` +
      'Correct it, or remove it and revoke again whom it may have meant.',
  )

function toOpenError(error: unknown, path: string): unknown {
  if (error instanceof RevocationsFileError) return error
  const { code } = error as NodeJS.ErrnoException
  if (code === undefined) return error
  const mend =
    code === 'ENOENT' ? `Make the folder ${dirname(path)}` : 'Check the path, its permissions and the room on the disk'
  return new RevocationsFileError(`${path}: cannot be opened for reading and writing (${code}). ${mend}.`)
}
