// Policy file → policy. It owns the order in which a file is checked; each check lives with what it checks.
// Pure: the lists that `inFile` names are handed in.

import type { Entitlement } from '../providers/provider.ts'
import type { Rule } from './decide.ts'
import { parsePolicyFile } from './document.ts'
import { createReport, type Fault, isFatal, type Report } from './faults.ts'
import type { CallersDocument, GrantDocument, PolicyDocument } from './schema.ts'
import { toSeconds } from './schema.ts'
import { createScope, type ReadVar } from './scope.ts'
import { type CallerVar, compileVars, type Vars } from './vars.ts'
import { compileWhen, countSources, type When, type WhenContext } from './when.ts'

/** Any provider’s entitlement; what is inside stays between the provider and itself. */
// biome-ignore lint/suspicious/noExplicitAny: the registry is heterogeneous, and decide() restores the types by the provider it is given
export type AnyEntitlement = Entitlement<any, any, any>

export interface CompiledGrant extends Rule {
  /** The caller’s values that its conditions and its offer read. */
  readonly vars: readonly CallerVar[]
  readonly ttl: { readonly defaultMs: number; readonly maxMs: number } | undefined
  fill(read: ReadVar): unknown
}

export interface CompiledPolicy {
  readonly callers: CallersDocument
  readonly deny: readonly Rule[]
  /** The caller’s values that the deny rules read. */
  readonly denyVars: readonly CallerVar[]
  /** The claim behind each of the caller’s values, by var. */
  readonly origins: ReadonlyMap<string, string>
  /** By provider, in file order. */
  readonly grants: ReadonlyMap<string, readonly CompiledGrant[]>
  /** Whether any grant is for callers without a credential. */
  readonly allowsAnonymous: boolean
}

export interface CompileInput {
  readonly text: string
  readonly entitlements: readonly AnyEntitlement[]
  /** See when.ts. */
  readList: WhenContext['readList']
  /** Checks `callers`, which identity understands. */
  checkCallers(callers: CallersDocument, report: Report): void
}

/** Lifetimes of a grant that does not say its own. */
const usualTtl = { default: '10m', max: '1h' }

/** Every fault and warning is reported at once; the policy is there only if none is fatal. */
export function compilePolicy(input: CompileInput): { policy: CompiledPolicy | undefined; faults: readonly Fault[] } {
  const report = createReport()
  const schemas = Object.fromEntries(input.entitlements.map(({ name, grantSchema }) => [name, grantSchema]))
  const { document, locate } = parsePolicyFile(input.text, schemas, report)
  const policy = document === undefined ? undefined : compileDocument(document, input, report)
  const faults = locate(report.faults)
  return { policy: isFatal(faults) ? undefined : policy, faults }
}

function compileDocument(document: PolicyDocument, input: CompileInput, report: Report): CompiledPolicy {
  const callers = document.callers ?? {}
  input.checkCallers(callers, report)
  const vars = compileVars(document.vars ?? {}, report)
  const used = new Set<string>()
  const context: WhenContext = { vars, callers, readList: input.readList, report }
  const grants = new Map(input.entitlements.map(({ name }) => [name, [] as CompiledGrant[]]))
  checkIds([...document.grants, ...(document.deny ?? [])], report)
  for (const [index, grant] of document.grants.entries()) {
    const path = `grants[${index}]`
    const when = compileWhen(grant.when ?? {}, `${path}.when`, context)
    const usedHere = new Set(Object.keys(grant.when ?? {}))
    const given = input.entitlements.filter(({ name }) => grant[name] !== undefined)
    if (given.length === 0)
      report.fault(path, 'gives nothing', `Add one of: ${input.entitlements.map(({ name }) => name).join(', ')}`)
    for (const entitlement of given) {
      const usedByOffer = new Set(Object.keys(grant.when ?? {}))
      const scope = createScope(`${path}.${entitlement.name}`, {
        vars,
        report,
        used: usedByOffer,
        hasTtl: grant.ttl !== undefined,
        hasWhen: Object.keys(grant.when ?? {}).length > 0,
        fullAccess: grant.iKnow === 'full-access',
      })
      const offer = entitlement.compileGrant(grant[entitlement.name], scope)
      for (const name of usedByOffer) usedHere.add(name)
      if (offer === undefined) continue
      const ttl = offer.endless ? undefined : compileTtl(grant, path, entitlement, report)
      grants
        .get(entitlement.name)
        ?.push({ id: grant.id, when, vars: callerVars(usedByOffer, vars), ttl, fill: offer.fill })
    }
    checkSource(usedHere, when, path, { vars, callers, report })
    for (const name of usedHere) used.add(name)
  }
  const usedByDeny = new Set((document.deny ?? []).flatMap(({ when }) => Object.keys(when)))
  const deny = (document.deny ?? []).map(({ id, when, note }, index): Rule => {
    const compiled = compileWhen(when, `deny[${index}].when`, context)
    if (Object.keys(when).length === 0)
      report.fault(`deny[${index}].when`, 'is empty, which would deny everybody', 'Say whom it denies')
    return { id, when: compiled, ...(note === undefined ? {} : { note }) }
  })
  for (const [name, variable] of vars)
    if (variable !== undefined && !used.has(name) && !usedByDeny.has(name))
      report.fault(`vars.${name}`, 'is not used', 'Remove it, or correct the name where it should be used')
  const all = [...grants.values()].flat()
  const allowsAnonymous = all.some(({ when }) => when.kinds?.has('anonymous') === true)
  if (countSources(callers) === 0 && !allowsAnonymous && !all.some(({ when }) => when.kinds?.has('sandbox') === true))
    report.fault('callers', 'identifies nobody, and no grant is for anonymous callers', 'Add jwt, apiKeys or gateway')
  const origins = new Map(callerVars(new Set(vars.keys()), vars).map(({ name, origin }) => [name, origin]))
  return { callers, deny, denyVars: callerVars(usedByDeny, vars), origins, grants, allowsAnonymous }
}

const callerVars = (names: ReadonlySet<string>, vars: Vars): readonly CallerVar[] =>
  [...names].map((name) => vars.get(name)).filter((variable) => variable?.from === 'caller')

function checkIds(rules: readonly { id: string }[], report: Report): void {
  const ids = rules.map(({ id }) => id)
  for (const id of new Set(ids.filter((id, index) => ids.indexOf(id) !== index)))
    report.fault('grants', `more than one grant or rule has the id "${id}"`, 'Give each its own: the audit names them')
}

function compileTtl(
  grant: GrantDocument,
  path: string,
  entitlement: AnyEntitlement,
  report: Report,
): CompiledGrant['ttl'] {
  const maxSeconds = toSeconds(grant.ttl?.max ?? usualTtl.max)
  const usual = Math.min(toSeconds(usualTtl.default), maxSeconds)
  const defaultSeconds = grant.ttl?.default === undefined ? usual : toSeconds(grant.ttl.default)
  if (maxSeconds * 1000 > entitlement.maxTtlMs)
    report.fault(
      `${path}.ttl.max`,
      `is longer than ${entitlement.name} allows`,
      `At most ${entitlement.maxTtlMs / 3_600_000}h`,
    )
  if (defaultSeconds > maxSeconds) report.fault(`${path}.ttl.default`, 'is longer than max', 'Shorten it')
  return { defaultMs: defaultSeconds * 1000, maxMs: maxSeconds * 1000 }
}

/** `alice` of one issuer is not `alice` of another: a grant that uses a caller’s value says whose value it means. */
function checkSource(
  used: ReadonlySet<string>,
  when: When,
  path: string,
  { vars, callers, report }: { vars: Vars; callers: CallersDocument; report: Report },
): void {
  const callerVar = [...used].find((name) => vars.get(name)?.from === 'caller')
  if (callerVar === undefined) return
  if (when.kinds?.has('anonymous') === true)
    report.fault(
      `${path}.when.caller`,
      `is anonymous, but the grant uses "${callerVar}"`,
      'Anonymous callers have no values',
    )
  if (countSources(callers) > 1 && !when.namesSource)
    report.fault(
      `${path}.when`,
      `does not name the source of "${callerVar}", and there is more than one source of callers`,
      'Add issuer: <name>, client: <key id>, or caller: gateway',
    )
}
