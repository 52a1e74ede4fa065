// `usher policy explain`. It owns the walk from claims and an ask to the decision; every step is the service's own.

import { isRefusal, type Refusal } from '../errors.ts'
import type { Caller } from '../identity/caller.ts'
import type { AnyEntitlement, CompiledPolicy } from '../policy/compile.ts'
import { type Decision, decide } from '../policy/decide.ts'
import { faultText } from '../policy/faults.ts'
import { entitlements } from '../providers/registry.ts'
import { badInput, exit, type Io, isStop, parseFlags, type Stop, stop, usage } from './command.ts'
import { explainedCaller, type Who } from './explained-caller.ts'
import { type Explanation, toJson, toText } from './explanation.ts'
import { readFile, readPolicy } from './read-policy.ts'

const text = { type: 'string' } as const
const options = {
  provider: text,
  ask: { type: 'string', default: '{}' },
  claims: text,
  issuer: text,
  client: text,
  'on-behalf-of': text,
  caller: text,
  json: { type: 'boolean', default: false },
} as const

export async function policyExplain(argv: readonly string[], io: Io): Promise<number> {
  const flags = parseFlags(argv, { options, files: 1 })
  if (isStop(flags)) return stop(flags, io)
  const { values, positionals } = flags
  const names = entitlements.map(({ name }) => name)
  const entitlement = entitlements.find(({ name }) => name === values.provider)
  if (entitlement === undefined) return stop(usage(`--provider is one of ${names.join(', ')}`), io)
  const input = parseJson('--ask', values.ask)
  if (isStop(input)) return stop(input, io)
  const claims = values.claims === undefined ? undefined : readClaims(values.claims)
  if (isStop(claims)) return stop(claims, io)
  const policy = readPolicy(positionals[0] as string, io.now)
  if (isStop(policy)) return stop(policy, io)
  for (const fault of policy.faults) io.stderr.write(`${faultText(fault)}\n`)
  if (policy.loaded === undefined) return exit.refused

  const who: Who = { ...values, onBehalfOf: values['on-behalf-of'], claims }
  const caller = await explainedCaller(who, policy.loaded.compiled)
  if (isStop(caller)) return stop(caller, io)
  for (const note of notesOn(who, caller)) io.stderr.write(`note: ${note}\n`)
  const explanation = explain(policy.loaded.compiled, entitlement, { caller, input, nowMs: io.now() })
  io.stdout.write(values.json ? `${JSON.stringify(toJson(explanation))}\n` : toText(explanation))
  return isRefusal(explanation.outcome) ? exit.refused : exit.ok
}

function explain(
  policy: CompiledPolicy,
  entitlement: AnyEntitlement,
  { caller, input, nowMs }: { caller: Caller | Refusal; input: unknown; nowMs: number },
): Explanation {
  const grants: { id: string; outcome: string }[] = []
  if (isRefusal(caller)) return { caller: undefined, grants, outcome: caller }
  const ask = entitlement.parseAsk(input)
  const outcome: Decision<object> | Refusal = isRefusal(ask)
    ? ask
    : decide(policy, entitlement, { caller, ask, nowMs, trace: (id, outcome) => grants.push({ id, outcome }) })
  return { caller, grants, outcome }
}

/** What the service checks of a credential, and this command cannot. */
function notesOn({ claims, caller, client }: Who, identified: Caller | Refusal): readonly string[] {
  if (isRefusal(identified)) return []
  if (identified.kind === 'jwt')
    return [
      'the claims are believed: no signature, audience or lifetime is checked',
      ...(identified.expiresAt === undefined ? ['the claims have no exp; the service refuses such a token'] : []),
    ]
  if (claims === undefined) return []
  return caller === 'gateway'
    ? ['of the claims only sub is used: a gateway vouches for nothing else']
    : [
        `the claims are not used: ${client === undefined ? 'such a caller has none' : 'an API key has those of the policy file'}`,
      ]
}

function readClaims(path: string): Readonly<Record<string, unknown>> | Stop {
  const content = readFile(path)
  const claims = isStop(content) ? content : parseJson(path, content)
  if (isStop(claims)) return claims
  return typeof claims === 'object' && claims !== null && !Array.isArray(claims)
    ? (claims as Record<string, unknown>)
    : badInput(`${path} does not hold a JSON object of claims`)
}

/** The parser's own message would quote the text, and that may be a token. */
function parseJson(what: string, source: string): unknown {
  try {
    return JSON.parse(source)
  } catch {
    return badInput(`${what} is not JSON`)
  }
}
