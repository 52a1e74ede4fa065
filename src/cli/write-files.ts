// Files that hold secrets. It owns how they come to disk: all of them or none, and never over a file or through a link.

import { closeSync, openSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { exit, type Stop } from './command.ts'

export interface TextFile {
  readonly name: string
  readonly text: string
  readonly mode: number
}

/** All of them or none; a file or a link that is there stays as it is. */
export function writeFiles(folder: string, files: readonly TextFile[]): Stop | undefined {
  const open: { path: string; fd: number }[] = []
  try {
    for (const { name, mode } of files) {
      const path = join(folder, name)
      // wx = O_EXCL: nobody can prepare a file or a link that the secrets would then go into.
      open.push({ path, fd: openSync(path, 'wx', mode) })
    }
    for (const [index, { text }] of files.entries()) writeFileSync((open[index] as { fd: number }).fd, text)
    return undefined
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === undefined) throw error
    for (const { path } of open) unlinkSync(path)
    const { name } = files[Math.min(open.length, files.length - 1)] as TextFile
    return code === 'EEXIST'
      ? {
          exitCode: exit.refused,
          message: `${join(folder, name)} is there already, and nothing was written. Move it away, or name another --dir`,
        }
      : { exitCode: exit.data, message: `${join(folder, name)} cannot be written (${code})` }
  } finally {
    for (const { fd } of open) closeSync(fd)
  }
}

/** For whoever runs it; the others may not read it. */
export const secretFile = (name: string, text: string): TextFile => ({ name, text, mode: 0o600 })
export const openFile = (name: string, text: string): TextFile => ({ name, text, mode: 0o644 })
