// Roles of scoped signing keys. It owns what a grant says of its holder where the account itself says what he may.

import type { GrantScope, ReadVar } from '../../policy/scope.ts'
import type { NameGrammar } from '../../policy/template.ts'

/** The template of a scoped signing key, in the account, says what the user may. */
export interface Role {
  readonly key: string
  /** What the template reads as `{{name()}}`. */
  readonly name: string
  /** What it reads as `{{tag(team)}}`, by tag. */
  readonly tags: Readonly<Record<string, string>>
}

/** A `*` in it would open the template of a scoped key (facts/nats.md 5). */
const tokenGrammar: NameGrammar = {
  what: 'one token of a subject',
  reserved: '.*> ',
  faultIn: (sample) => (/^[A-Za-z0-9_-]+$/.test(sample) ? undefined : `"${sample}" is not letters, digits, - and _`),
}

/** What compileRole reads of a grant. */
interface Spec {
  readonly role?: string
  readonly name?: string
  readonly tags?: Readonly<Record<string, string>>
}

export function compileRole({ role: key, name = '', tags = {}, ...given }: Spec, scope: GrantScope) {
  const other = Object.keys(given).find((field) => !['account', 'creds'].includes(field))
  if (other !== undefined)
    scope.fault(other, 'stands beside role, whose signing key says what the user may', 'Remove one of them')
  if (name === '') return scope.fault('name', 'is missing', 'Say who he is to the template of the role: name: "{user}"')
  const templates = [['', name] as const, ...Object.entries(tags)].map(([tag, source]) => {
    if (tag !== '' && !/^[a-z0-9_-]{1,32}$/.test(tag))
      scope.fault(`tags.${tag}`, 'is not lower-case letters, digits, - and _', 'NATS lower-cases tags: write it so')
    const template = scope.name(source, tag === '' ? 'name' : `tags.${tag}`, tokenGrammar)
    if (template?.hole !== undefined)
      scope.fault(tag === '' ? 'name' : `tags.${tag}`, 'is left to the ask', 'Use values of the caller')
    return [tag, template] as const
  })
  return (read: ReadVar): Role | undefined => {
    const filled = templates.map(([tag, template]) => [tag, template?.fill(read)?.before] as const)
    if (!filled.every(([, text]) => text !== undefined && /^[A-Za-z0-9_-]{1,64}$/.test(text))) return undefined
    const [[, own], ...others] = filled as [readonly [string, string], ...(readonly [string, string])[]]
    return { key: key as string, name: own, tags: Object.fromEntries(others) }
  }
}
