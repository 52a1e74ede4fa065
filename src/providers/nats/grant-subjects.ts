// Subjects in grants. It owns their templates and their linter, where the traps of nats-server are: a subscription to foo.> is
// inside a right to foo.*, and everybody's replies are below _INBOX.

import type { GrantScope, ReadVar } from '../../policy/scope.ts'
import type { Name, NameGrammar, NameTemplate } from '../../policy/template.ts'
import { covers, overlaps, parseEntry, type Tokens } from './subjects.ts'

const subjectGrammar: NameGrammar = {
  what: 'a NATS subject, where "." separates tokens, and "*" and ">" are whole tokens',
  reserved: '.*> ',
  faultIn: (sample) => {
    // As in an ask: twins of letters and wildcards, and characters that nobody sees, are told apart by nobody who reads the file.
    if (!/^[\x20-\x7e]*$/.test(sample)) return 'has a character outside printable ASCII'
    return parseEntry(sample) === undefined ? `"${sample}" is not a subject` : undefined
  },
}

type Side = 'publish' | 'subscribe' | 'deny'

/** @returns fills them; undefined where one cannot be filled, or its value would reach what only a grant's own words may */
export function compileSubjects(side: Side, sources: readonly string[], scope: GrantScope) {
  if (side === 'publish' && sources.includes(userInfo) && sources.some((source) => /^[*>]/.test(source)))
    scope.fault(
      `${side}.${userInfo}`,
      'stands beside a subject that begins with a wildcard, from which all of $SYS is kept away',
      'Begin that one with a word, or leave this out',
    )
  const templates = sources.flatMap((source) => {
    const path = `${side}.${source}`
    const template = scope.name(source, path, subjectGrammar)
    if (template === undefined) return []
    lint(side, template, path, scope)
    return [template]
  })
  return (read: ReadVar): readonly Name[] | undefined => {
    const names: Name[] = []
    for (const template of templates) {
      const name = template.fill(read)
      if (name === undefined || (startsWithVar(template.source) && isReservedToken(name.before))) return undefined
      names.push(name)
    }
    return names
  }
}

/** The one subject of the server that is harmless: it tells a client what he himself may do. */
const userInfo = '$SYS.REQ.USER.INFO'

const startsWithVar = (source: string): boolean => (source.split('.')[0] as string).includes('{')

/** `$SYS`, `$JS` and inboxes belong to the server and to other users: only a grant’s own words reach them, never a value. */
export const isReservedToken = (text: string): boolean => /^(\$|_INBOX)/.test(text)

function lint(side: Side, { source, hole }: NameTemplate, path: string, scope: GrantScope): void {
  const entry = parseEntry(source.replace(/\{[^{}]*\}/g, 'x'))
  if (entry === undefined) return
  const { subject, queue } = entry
  if (side === 'deny') {
    if (hole !== undefined) scope.fault(path, 'leaves a part of what is denied to the ask', 'Use values of the caller')
    if (queue !== undefined) scope.fault(path, 'names a queue', 'Deny the subject itself')
    return
  }
  if (side === 'publish' && queue !== undefined)
    scope.fault(path, 'names a queue, which only a subscription has', 'Remove what follows the space')
  const [first] = subject
  if (first === '$SYS' && !(side === 'publish' && source === userInfo))
    scope.fault(path, 'is a subject of the server itself', `Only publish: [${userInfo}] can be granted`)
  if (side === 'subscribe' && subject.at(-1) === '*')
    scope.fault(
      path,
      'ends in "*", which nats-server takes for ">" when somebody subscribes',
      'Write ">" if that is meant, or a word or var after the "*"',
    )
  if (first?.startsWith('_INBOX') === true)
    side === 'subscribe'
      ? scope.fault(path, "is where other users' replies arrive", 'Leave it out: every user gets an inbox of his own')
      : scope.warning(path, "lets him answer other users' requests", 'Use responses, which is for requests he got')
  if (first === '>' || first === '*')
    scope.warning(path, "reaches every subject, other users' inboxes too", 'Begin it with a word')
  if (first === '$JS' && covers(subject, ['$JS', 'API', '>']))
    scope.warning(path, 'is all of JetStream, streams of others and their deletion too', 'Name the calls that he needs')
}

/** A deny that meets nothing is a slip of the pen more often than a rule for other grants. */
export function lintDenies(deny: readonly string[], granted: readonly string[], scope: GrantScope): void {
  const patterns = granted.map(toPattern)
  for (const source of deny)
    if (!patterns.some((pattern) => overlaps(pattern, toPattern(source))))
      scope.warning(
        `deny.${source}`,
        'denies nothing that this grant gives',
        'Correct it, if it is not meant for other grants of the account',
      )
}

/**
 * nats-server does not look at the reply subject that a client gives: who hears his own request may answer it, on any subject, a
 * denied one too.
 */
export function lintResponses(
  { publish, subscribe, inbox }: { publish: readonly string[]; subscribe: readonly string[]; inbox: boolean },
  scope: GrantScope,
): void {
  const own = publish.map(toPattern)
  const hears = subscribe.some((source) => own.some((pattern) => overlaps(pattern, toPattern(source))))
  // No value begins like an inbox, so a subject that begins with a var reaches none.
  const hearsByInbox = inbox && publish.some((source) => /^([*>](\.|$)|_INBOX_)/.test(source))
  if (!scope.fullAccess && (hears || hearsByInbox))
    scope.fault(
      'responses',
      'lets him publish every subject, denied ones too: what he publishes he hears, and he may answer it wherever he says',
      'Keep apart what he publishes and what he subscribes, or add iKnow: full-access to the grant',
    )
}

/** A token with a var in it can be any word. */
const toPattern = (source: string): Tokens =>
  (source.split(' ')[0] as string).split('.').map((token) => (token.includes('{') ? '*' : token))
