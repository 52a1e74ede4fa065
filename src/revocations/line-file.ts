// A file of lines that outlives a crash. It owns the order of write, fsync and rename, and notices when the file is not ours alone.

import fs from 'node:fs/promises'
import { dirname } from 'node:path'

/** What of node:fs/promises it uses: an argument, so that tests can make a disk fail. */
export type Files = Pick<typeof fs, 'open' | 'rename' | 'stat' | 'unlink'>

export interface LineFile {
  /**
   * Opens the file that stands at the path now, makes it where there is none, and reads it.
   * A last line without a line break was never acknowledged: it is cut off.
   */
  read(): Promise<{ lines: readonly string[]; wasTorn: boolean }>
  /** Resolves once the lines are on the disk. After a rejection nothing is known of the file: `replace` it. */
  append(lines: string): Promise<void>
  /** Puts a new file in the place of the old one: whoever opens the path finds the one or the other, whole. */
  replace(lines: string): Promise<void>
  /** False once somebody else has written, replaced or removed it. */
  isOurs(): Promise<boolean>
  close(): Promise<void>
}

const lineBreak = 0x0a
/** Some file systems cannot sync a folder; theirs is no better promise to be had. */
const noFolderSync = ['EINVAL', 'ENOTSUP', 'EPERM', 'EACCES', 'EISDIR']

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? ''

export function createLineFile(path: string, files: Files = fs): LineFile {
  let handle: fs.FileHandle | undefined
  /** The file as we left it. */
  let left = { dev: 0, ino: 0, size: 0 }
  const opened = (): fs.FileHandle => {
    if (handle === undefined) throw new Error('read the file first')
    return handle
  }

  async function adopt(next: fs.FileHandle, size: number): Promise<void> {
    const { dev, ino } = await next.stat()
    const before = handle
    handle = next
    left = { dev, ino, size }
    await before?.close()
  }

  /** Without it a power cut can undo that the file was made or renamed. */
  async function syncFolder(): Promise<void> {
    const folder = await files.open(dirname(path), 'r')
    try {
      await folder.sync()
    } catch (error) {
      if (!noFolderSync.includes(codeOf(error))) throw error
    } finally {
      await folder.close()
    }
  }

  return {
    read: async () => {
      const next = await files.open(path, 'a+', 0o600)
      let bytes: Buffer
      try {
        bytes = await next.readFile()
        const end = bytes.lastIndexOf(lineBreak) + 1
        if (end < bytes.length) {
          await next.truncate(end)
          await next.sync()
        }
        await adopt(next, end)
      } catch (error) {
        await next.close()
        throw error
      }
      await syncFolder()
      const end = bytes.lastIndexOf(lineBreak) + 1
      const lines = end === 0 ? [] : bytes.toString('latin1', 0, end - 1).split('\n')
      return { lines, wasTorn: end < bytes.length }
    },
    append: async (lines) => {
      await opened().appendFile(lines)
      await opened().sync()
      left.size += Buffer.byteLength(lines)
    },
    replace: async (lines) => {
      const beside = `${path}.new`
      // One that a crash left behind.
      await files.unlink(beside).catch(() => {})
      const next = await files.open(beside, 'ax', 0o600)
      try {
        await next.appendFile(lines)
        await next.sync()
        await files.rename(beside, path)
        await syncFolder()
        await adopt(next, Buffer.byteLength(lines))
      } catch (error) {
        await next.close()
        await files.unlink(beside).catch(() => {})
        throw error
      }
    },
    isOurs: async () => {
      try {
        const { dev, ino, size } = await files.stat(path)
        return dev === left.dev && ino === left.ino && size === left.size
      } catch (error) {
        if (codeOf(error) === 'ENOENT') return false
        throw error
      }
    },
    close: async () => {
      await handle?.close()
      handle = undefined
    },
  }
}
