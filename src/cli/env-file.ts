// The text of an environment file. It owns its form, for .env.example and for the .env that `usher init` writes.

import { coreSettings } from '../core-settings.ts'
import { registry } from '../providers/registry.ts'
import type { Setting } from '../settings.ts'

const head = `# What Usher reads from its environment. \`npm start\` reads .env; a variable that is set wins.
# NAME_FILE=path reads any of them from a file. A value with a space, $ or # stands in single quotes.
`

/** Every setting, in order; those with a value are set, the others stand as comments with their examples. */
export function toEnvFile(values: Readonly<Record<string, string>> = {}): string {
  const sections: readonly [title: string, settings: readonly Setting[]][] = [
    ['usher', coreSettings],
    ...registry.map(({ entitlement, settings }) => [entitlement.name, settings] as [string, readonly Setting[]]),
  ]
  return [head, ...sections.map(([title, settings]) => toSection(title, settings, values))].join('\n')
}

const toSection = (title: string, settings: readonly Setting[], values: Readonly<Record<string, string>>): string =>
  [`## ${title}`, '', ...settings.map((setting) => toEntry(setting, values[setting.name]))].join('\n')

function toEntry({ name, about, example, faultIn }: Setting, value: string | undefined): string {
  // An example that is refused says at once where a real value comes from.
  const mend = value === undefined ? faultIn?.(example)?.mend : undefined
  const comment = mend === undefined ? about : `${about}. ${mend}.`
  return `# ${comment}\n${value === undefined ? `#${name}=${example}` : `${name}=${value}`}\n`
}
