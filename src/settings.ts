// Settings from the environment. It owns what a setting is and how one is read: `X` or `X_FILE`, checked, with a mend.

import { createSecret, type Secret } from './secret.ts'

export interface SettingFault {
  readonly rule: string
  readonly mend: string
}

export interface Setting {
  readonly name: string
  /** Kept out of every output, and removed from the environment once read. */
  readonly secret?: true
  /** One line for .env.example and the README. */
  readonly about: string
  /** As .env.example has it. The example of a secret is refused. */
  readonly example: string
  readonly fallback?: string
  faultIn?(text: string): SettingFault | undefined
}

/** The checked values. Reading a name that is not among the settings is a programming fault. */
export interface Settings {
  has(name: string): boolean
  text(name: string): string
  secret(name: string): Secret
  list(name: string): readonly string[]
  flag(name: string): boolean
}

export interface ConfigFault extends SettingFault {
  readonly name: string
}

export type Environment = Readonly<Record<string, string | undefined>>
export type ReadFile = (path: string) => string

/** Reads and checks all settings; every fault is reported, none stops the others. */
export function readSettings(
  all: readonly Setting[],
  env: Environment,
  readFile: ReadFile,
  faults: ConfigFault[],
): Settings {
  const values = new Map<string, string>()
  for (const setting of all) {
    const value = read(setting, env, readFile, faults)
    if (value !== undefined) values.set(setting.name, value)
    else if (setting.fallback !== undefined) values.set(setting.name, setting.fallback)
  }
  return toSettings(values)
}

export function toSettings(values: ReadonlyMap<string, string>): Settings {
  const text = (name: string) => {
    const value = values.get(name)
    if (value === undefined) throw new Error(`${name} is not set`)
    return value
  }
  return {
    has: (name) => values.has(name),
    text,
    secret: (name) => createSecret(text(name)),
    list: (name) => toList(values.get(name) ?? ''),
    flag: (name) => isTrue(values.get(name) ?? ''),
  }
}

export const toList = (text: string): readonly string[] =>
  text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '')

const isTrue = (text: string): boolean => ['true', 'on'].includes(text)

export const flagFault = (text: string): SettingFault | undefined =>
  ['true', 'false', 'on', 'off'].includes(text) ? undefined : { rule: 'is not a switch', mend: 'Write true or false' }

function read(setting: Setting, env: Environment, readFile: ReadFile, faults: ConfigFault[]): string | undefined {
  const { name } = setting
  const [direct, file] = [env[name] || undefined, env[`${name}_FILE`] || undefined]
  const fault = (rule: string, mend: string) => {
    faults.push({ name, rule, mend })
    return undefined
  }
  if (direct !== undefined && file !== undefined) return fault(`is set, and ${name}_FILE too`, 'Set one of them')
  const value = file === undefined ? direct : fromFile(file)
  if (value === undefined) return undefined
  if (setting.secret && value === setting.example)
    return fault('is the example value', 'Set your own; the example is public')
  const found = setting.faultIn?.(value)
  return found === undefined ? value : fault(found.rule, found.mend)

  function fromFile(path: string): string | undefined {
    try {
      return readFile(path).replace(/\r?\n$/, '')
    } catch (error) {
      return fault(
        `${name}_FILE cannot be read (${(error as NodeJS.ErrnoException).code ?? 'error'})`,
        'Check the path and its permissions',
      )
    }
  }
}
