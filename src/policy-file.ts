// The policy file on disk. It owns reading, watching and reloading it. A bad file never replaces a good one.

import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { type Log, toErrorFields } from './log.ts'
import { type Fault, faultText } from './policy/faults.ts'
import type { LoadedPolicy, LoadResult, ReadText } from './policy/load.ts'

export interface PolicyFileOptions {
  readonly path: string
  readonly log: Log
  /** Unix milliseconds. */
  readonly now: () => number
  load(text: string, readText: ReadText): LoadResult
  /** Puts a policy into force; where it throws, the one before stays. */
  apply(loaded: LoadedPolicy): void
}

export interface PolicyFileState {
  readonly digest: string
  /** ISO time. */
  readonly loadedAt: string
  /** What is wrong with the file as it is now, where an older one is in force. */
  readonly faults: readonly string[]
}

export interface PolicyFile {
  reload(): void
  state(): PolicyFileState
  close(): void
}

/** Looked at by reading: that sees the swapped symlinks of Kubernetes, network file systems, and changes that keep size and time. */
const pollMs = 1000

/** Reads paths as the policy file writes them, relative to it. */
export const readBeside =
  (path: string): ReadText =>
  (other) =>
    readFileSync(resolve(dirname(path), other), 'utf8')

/** @returns the open file, or the faults that keep it from being used at all */
export function openPolicyFile({ path, log, now, load, apply }: PolicyFileOptions): PolicyFile | readonly Fault[] {
  let state: PolicyFileState = { digest: '', loadedAt: '', faults: [] }
  /** What stood in each file at the last look, good or bad; undefined = it could not be read. */
  const seen = new Map<string, string | undefined>()

  function see(file: string): string {
    seen.set(file, undefined)
    const text = readFileSync(file, 'utf8')
    seen.set(file, text)
    return text
  }

  function read(): readonly Fault[] {
    seen.clear()
    let result: LoadResult
    try {
      result = load(see(path), (other) => see(resolve(dirname(path), other)))
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === undefined) throw error
      const rule = `${path} cannot be read (${code})`
      return [{ path: 'file', rule, mend: 'Check the path and its permissions', severity: 'fault' }]
    }
    const { loaded, faults } = result
    if (loaded === undefined) return faults
    if (loaded.digest !== state.digest) {
      apply(loaded)
      for (const warning of loaded.warnings) log.warn({ fault: faultText(warning), policy: loaded.digest }, 'policy')
      log.info({ policy: loaded.digest, file: path }, 'policy in force')
    }
    state = { digest: loaded.digest, loadedAt: new Date(now()).toISOString(), faults: [] }
    return []
  }

  function reload(): void {
    try {
      const faults = read()
      if (faults.length === 0) return
      state = { ...state, faults: faults.map(faultText) }
      for (const fault of state.faults)
        log.error({ fault, policy: state.digest }, 'the policy file is bad; the one before stays in force')
    } catch (error) {
      state = { ...state, faults: ['the file could not be put into force'] }
      log.error({ ...toErrorFields(error), policy: state.digest }, 'the policy could not be put into force')
    }
  }

  async function hasChanged(): Promise<boolean> {
    for (const [file, before] of seen) {
      const text = await readFile(file, 'utf8').catch(() => undefined)
      if (text !== before) return true
    }
    return false
  }

  const faults = read()
  if (state.digest === '') return faults
  let isLooking = false
  let isClosed = false
  const timer = setInterval(async () => {
    if (isLooking) return
    isLooking = true
    if ((await hasChanged()) && !isClosed) reload()
    isLooking = false
  }, pollMs).unref()
  return {
    reload,
    state: () => state,
    close: () => {
      isClosed = true
      clearInterval(timer)
    },
  }
}
