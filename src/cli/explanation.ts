// An explanation on paper. It owns the two forms in which `usher policy explain` answers: for people, and for machines.

import { isRefusal, type Refusal } from '../errors.ts'
import type { Caller } from '../identity/caller.ts'
import type { Decision } from '../policy/decide.ts'

export interface Explanation {
  /** Undefined where identity refuses. */
  readonly caller: Caller | undefined
  /** What became of each grant, in file order; empty where the decision fell before them. */
  readonly grants: readonly { readonly id: string; readonly outcome: string }[]
  readonly outcome: Decision<object> | Refusal
}

export function toJson({ caller, grants, outcome }: Explanation): object {
  const who = caller && {
    kind: caller.kind,
    source: caller.source,
    subject: caller.subject,
    expiresAt: caller.expiresAt,
  }
  if (isRefusal(outcome)) {
    const { reason, message, detail } = outcome
    return { decision: 'refused', caller: who, grants, reason, message, detail }
  }
  const { rights, grantIds } = outcome
  return { decision: 'allowed', caller: who, grants, grantIds, ttlSeconds: ttlSecondsOf(rights), rights }
}

export function toText({ caller, grants, outcome }: Explanation): string {
  const lines: [label: string, text: string][] = []
  if (caller !== undefined) lines.push(['caller', toCallerText(caller)])
  for (const { id, outcome } of grants) lines.push(['grant', `${id}: ${outcome}`])
  if (isRefusal(outcome)) {
    lines.push(['decision', `refused: ${outcome.reason}`], ['message', outcome.message])
    if (outcome.detail !== undefined) lines.push(['detail', outcome.detail])
  } else {
    const ttlSeconds = ttlSecondsOf(outcome.rights)
    const life = ttlSeconds === null ? 'without end' : `for ${ttlSeconds} s`
    lines.push(['decision', `allowed by ${outcome.grantIds.join(' and ')}, ${life}`])
    lines.push(['rights', JSON.stringify(outcome.rights)])
  }
  return lines.map(([label, text]) => `${label.padEnd(9)} ${text}\n`).join('')
}

const toCallerText = ({ kind, source, subject, expiresAt }: Caller): string =>
  [
    kind === source ? kind : `${kind} ${source}`,
    subject === undefined ? 'without a subject' : `subject ${subject}`,
    ...(expiresAt === undefined ? [] : [`until ${toIso(expiresAt)}`]),
  ].join(', ')

/** Dates end in the year 275760, numbers do not. */
function toIso(seconds: number): string {
  const date = new Date(seconds * 1000)
  return Number.isNaN(date.getTime()) ? String(seconds) : date.toISOString()
}

/** Each vendor counts in its own unit; null = without end. */
function ttlSecondsOf(rights: object): number | null {
  const { ttlSeconds, ttlMs } = rights as { ttlSeconds?: number; ttlMs?: number }
  return ttlSeconds ?? (ttlMs === undefined ? null : ttlMs / 1000)
}
