// The policy in force. It owns what a loaded policy file is: compiled, with its digest; and who its callers are.

import { createHash } from 'node:crypto'
import { type CompiledPolicy, type CompileInput, compilePolicy } from './compile.ts'
import type { Fault, Report } from './faults.ts'
import type { CallersDocument } from './schema.ts'

export interface LoadedPolicy {
  readonly compiled: CompiledPolicy
  /** SHA-256 over the file and all that it names, first 16 hex characters. */
  readonly digest: string
  readonly warnings: readonly Fault[]
  /** The files that it names, by path, as they were when it was loaded. */
  readonly texts: ReadonlyMap<string, string>
}

/** A file that can be read as text, by its path as the policy writes it; throws where it cannot. */
export type ReadText = (path: string) => string

export interface LoadResult {
  readonly loaded: LoadedPolicy | undefined
  readonly faults: readonly Fault[]
}

export interface LoadInput {
  readonly entitlements: CompileInput['entitlements']
  /** Checks `callers`, which identity understands; what it reads becomes part of the policy. */
  checkCallers(callers: CallersDocument, report: Report, readText: ReadText): void
}

export function loadPolicy(text: string, readText: ReadText, { entitlements, checkCallers }: LoadInput): LoadResult {
  const texts = new Map<string, string>()
  const read: ReadText = (path) => {
    const content = texts.get(path) ?? readText(path)
    texts.set(path, content)
    return content
  }
  const { policy, faults } = compilePolicy({
    text,
    entitlements,
    readList: (path) => toList(read(path)),
    checkCallers: (callers, report) => checkCallers(callers, report, read),
  })
  return { loaded: policy && { compiled: policy, digest: digestOf(text, texts), warnings: faults, texts }, faults }
}

/** Undefined for an empty file: an editor may have been caught half-way, and an empty deny list denies nobody. */
function toList(text: string): ReadonlySet<string> | undefined {
  // Trimmed of a byte order mark too: a name that hides behind one would not be denied.
  const lines = text.split(/[\r\n]+/).map((line) => line.trim())
  return text.trim() === '' ? undefined : new Set(lines.filter((line) => line !== '' && !line.startsWith('#')))
}

function digestOf(text: string, texts: ReadonlyMap<string, string>): string {
  const digest = createHash('sha256').update(text)
  for (const [path, content] of texts) digest.update(`\0${path}\0`).update(content)
  return digest.digest('hex').slice(0, 16)
}
