// The policy file as text. It owns: YAML to a checked document, and the line of each fault.

import type { TSchema } from 'typebox'
import { Settings } from 'typebox/system'
import { Value } from 'typebox/value'
import { isMap, isScalar, LineCounter, parseDocument } from 'yaml'
import type { Fault, Report } from './faults.ts'
import { type PolicyDocument, policySchema } from './schema.ts'

export interface ParsedFile {
  /** Undefined where the text is not YAML or not of the schema’s shape; the report says why. */
  readonly document: PolicyDocument | undefined
  /** The same faults with their lines. */
  locate(faults: readonly Fault[]): Fault[]
}

export function parsePolicyFile(
  text: string,
  providerSchemas: Readonly<Record<string, TSchema>>,
  report: Report,
): ParsedFile {
  const lines = new LineCounter()
  const yaml = parseDocument(text, { lineCounter: lines, uniqueKeys: true, stringKeys: true, version: '1.2' })
  for (const { message, pos } of [...yaml.errors, ...yaml.warnings])
    report.fault(
      'file',
      `is not valid YAML at line ${lines.linePos(pos[0]).line} (${message.split('\n')[0]?.replace(/ at line .*/, '')})`,
      'Correct it',
    )
  const document = report.faults.length > 0 ? undefined : toDocument(yaml, report)
  if (report.faults.length > 0) return { document: undefined, locate: (faults) => [...faults] }
  const schema = policySchema(providerSchemas)
  checkShape(schema, document, report)
  const locate = (faults: readonly Fault[]) =>
    faults.map((fault) => {
      const offset = offsetOf(yaml, fault.path)
      return offset === undefined ? fault : { ...fault, line: lines.linePos(offset).line }
    })
  return { document: report.faults.length === 0 ? (document as PolicyDocument) : undefined, locate }
}

/** YAML aliases can multiply without end: a policy needs few. */
function toDocument(yaml: ReturnType<typeof parseDocument>, report: Report): unknown {
  try {
    return yaml.toJS({ maxAliasCount: 20 })
  } catch (error) {
    return report.fault('file', `is not valid YAML (${(error as Error).message})`, 'Correct it')
  }
}

/** TypeBox stops at 8 errors, and what it would have said next is a key that nobody checks. */
function errorsIn(schema: TSchema, document: unknown) {
  const { maxErrors } = Settings.Get()
  Settings.Set({ maxErrors: 1000 })
  try {
    return Value.Errors(schema, document)
  } finally {
    Settings.Set({ maxErrors })
  }
}

function checkShape(schema: TSchema, document: unknown, report: Report): void {
  for (const { keyword, instancePath, schemaPath, params, message } of errorsIn(schema, document)) {
    const path = toPath(instancePath)
    const values = params as {
      additionalProperties?: string[]
      requiredProperties?: string[]
      allowedValues?: unknown[]
    }
    if (keyword === 'boolean') continue // the same fault as additionalProperties, said twice
    if (keyword === 'additionalProperties') {
      const known = Object.keys((schemaAt(schema, schemaPath) as { properties?: object } | undefined)?.properties ?? {})
      for (const key of values.additionalProperties ?? [])
        report.fault(path === '' ? key : `${path}.${key}`, 'is not a key here', `Known keys: ${known.join(', ')}`)
    } else if (keyword === 'required')
      for (const key of values.requiredProperties ?? [])
        report.fault(path === '' ? key : `${path}.${key}`, 'is missing', 'Add it')
    else if (keyword === 'enum')
      report.fault(path, 'is not one of the allowed values', `Write one of: ${values.allowedValues?.join(', ')}`)
    else {
      const description = (schemaAt(schema, schemaPath) as { description?: string } | undefined)?.description
      report.fault(
        path || 'file',
        message,
        description === undefined ? 'See policy.example.yaml' : `Write ${description}`,
      )
    }
  }
  // Whatever the errors say or leave out: what is not of the schema's shape never comes into force.
  if (report.faults.length === 0 && !Value.Check(schema, document))
    report.fault('file', 'is not of the shape of a policy', 'See policy.example.yaml')
}

/** `/grants/0/agora` → `grants[0].agora` */
const toPath = (pointer: string): string =>
  pointer
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
    .reduce((path, part) => (/^\d+$/.test(part) ? `${path}[${part}]` : path === '' ? part : `${path}.${part}`), '')

function schemaAt(schema: unknown, path: string): unknown {
  return path
    .split('/')
    .slice(1)
    .reduce(
      (at: unknown, part) =>
        (at as Record<string, unknown> | undefined)?.[part.replaceAll('~1', '/').replaceAll('~0', '~')],
      schema,
    )
}

/** The offset of the deepest part of the path that stands in the file: of its key, or of the item of a list. */
function offsetOf(yaml: ReturnType<typeof parseDocument>, path: string): number | undefined {
  const keys = [...path.matchAll(/\[(\d+)\]|([^.[\]]+)/g)].map(([, index, key]) =>
    index === undefined ? key : Number(index),
  )
  for (let length = keys.length; length > 0; length--) {
    const parent = length === 1 ? yaml.contents : yaml.getIn(keys.slice(0, length - 1), true)
    const pair = isMap(parent)
      ? parent.items.find(({ key }) => isScalar(key) && key.value === keys[length - 1])
      : undefined
    const node = (pair?.key ?? yaml.getIn(keys.slice(0, length), true)) as { range?: [number, number, number] | null }
    if (node?.range) return node.range[0]
  }
  return undefined
}
