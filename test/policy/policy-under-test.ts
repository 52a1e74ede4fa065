// A policy from its text, compiled as the service compiles it, and the callers that it is asked about.

import { isRefusal, type Refusal } from '../../src/errors.ts'
import type { Caller } from '../../src/identity/caller.ts'
import { toClaims } from '../../src/identity/caller.ts'
import { checkCallers } from '../../src/identity/check.ts'
import type { CompiledPolicy } from '../../src/policy/compile.ts'
import { decide } from '../../src/policy/decide.ts'
import { type Fault, faultText } from '../../src/policy/faults.ts'
import { type LoadResult, loadPolicy } from '../../src/policy/load.ts'
import type { AskBase, Entitlement } from '../../src/providers/provider.ts'
import { entitlements } from '../../src/providers/registry.ts'

/** Unix milliseconds, a whole second. */
export const nowMs = 1_795_219_200_000

export const oneIssuer = `callers:
  jwt:
    - { name: main, issuer: https://id.example.com/, jwksUri: https://id.example.com/jwks, audience: [rt], algorithms: [RS256] }
`
export const twoSources = `${oneIssuer}  gateway: { header: x-auth-user, trustedProxies: [10.0.0.0/24] }
`

/** @param known in place of those of a service without settings */
export function load(text: string, files: Readonly<Record<string, string>> = {}, known = entitlements): LoadResult {
  const readText = (path: string) => {
    const content = files[path]
    if (content === undefined) throw Object.assign(new Error('no such file'), { code: 'ENOENT' })
    return content
  }
  return loadPolicy(text, readText, {
    entitlements: known,
    checkCallers: (callers, report) => checkCallers(callers, report),
  })
}

/** The compiled policy; throws where the text has a fault, so that no test passes by a policy that is not in force. */
export function policyOf(text: string, files?: Readonly<Record<string, string>>, known = entitlements): CompiledPolicy {
  const { loaded, faults } = load(text, files, known)
  if (loaded === undefined) throw new Error(faults.map(faultText).join('\n'))
  return loaded.compiled
}

/** The faults of a text that must not come into force; warnings are left out. */
export function faultsOf(text: string, files?: Readonly<Record<string, string>>): readonly Fault[] {
  const { loaded, faults } = load(text, files)
  const fatal = faults.filter(({ severity }) => severity === 'fault')
  if ((loaded === undefined) !== fatal.length > 0) throw new Error('in force in spite of a fault, or not without one')
  return fatal
}

export const jwtCaller = (subject: string, claims: object = {}, rest: Partial<Caller> = {}): Caller => ({
  kind: 'jwt',
  source: 'main',
  subject,
  claims: toClaims(claims),
  expiresAt: nowMs / 1000 + 7200,
  ...rest,
})

export const anonymousCaller: Caller = { kind: 'anonymous', source: 'anonymous', claims: toClaims({}) }

/** What comes of an ask, from its parsing to the decision: the rights and the grants behind them, or the refusal. */
export function decided<Ask extends AskBase, Offer, Rights extends object>(
  entitlement: Entitlement<Ask, Offer, Rights>,
  policy: CompiledPolicy,
  caller: Caller,
  input: unknown,
  trace?: (id: string, outcome: string) => void,
): (Rights & { grants: readonly string[] }) | Refusal {
  const ask = entitlement.parseAsk(input)
  if (isRefusal(ask)) return ask
  const decision = decide(policy, entitlement, { caller, ask, nowMs, ...(trace === undefined ? {} : { trace }) })
  return isRefusal(decision) ? decision : { ...decision.rights, grants: decision.grantIds }
}
