// NATS grants in a policy, compiled and decided about as a service in one of the modes does it.

import { isRefusal } from '../../../src/errors.ts'
import type { Caller } from '../../../src/identity/caller.ts'
import type { CompiledPolicy } from '../../../src/policy/compile.ts'
import { decide } from '../../../src/policy/decide.ts'
import type { NatsMode } from '../../../src/providers/nats/ask.ts'
import type { NatsEntitlement } from '../../../src/providers/nats/mint-token.ts'
import { createNatsEntitlement, type UserRights } from '../../../src/providers/nats/rights.ts'
import { adminEntitlement } from '../../../src/revocations/admin.ts'
import { decided, jwtCaller, load, nowMs, oneIssuer, policyOf } from '../../policy/policy-under-test.ts'

const varLines: Record<string, string> = {
  tenant: 'tenant: { from: claims.tenant, match: "[a-z0-9-]{1,32}" }',
  user: 'user: { from: sub, match: "[A-Za-z0-9_-]{1,64}" }',
  room: 'room: { from: ask, match: "[A-Za-z0-9_-]{1,40}" }',
  seat: 'seat: { from: ask, type: uint32 }',
  uid: 'uid: { from: claims.uid, type: uint32 }',
  roles: 'roles: { from: claims.roles, type: set }',
  // What no other template would do: it can be $SYS, and _INBOX.
  any: 'any: { from: claims.any, match: "[A-Za-z0-9_$:-]{1,64}" }',
  pick: 'pick: { from: ask, match: "[A-Za-z0-9_$:-]{1,64}" }',
  dotted: 'dotted: { from: claims.tenant, match: "[a-z.]{1,32}" }',
  starred: 'starred: { from: claims.tenant, match: "[a-z]{1,8}|[*]" }',
  open: 'open: { from: ask, match: "[a-z>]{1,8}" }',
  spaced: 'spaced: { from: ask, match: "[a-z ]{1,8}" }',
}

/** A file with these grants, `g0` the first, and the vars that they use. Keys beside `nats` follow its braces: `{ … }, ttl: …`. */
export const policyText = (...grants: readonly string[]): string => {
  const vars = Object.keys(varLines).filter((name) => grants.some((grant) => grant.includes(`{${name}}`)))
  const head = vars.length === 0 ? '' : `vars:\n${vars.map((name) => `  ${varLines[name]}\n`).join('')}`
  return `${oneIssuer}${head}grants:\n${grants.map((grant, index) => `  - { id: g${index}, nats: ${grant} }\n`).join('')}`
}

export const modes: Record<NatsMode | 'none', NatsEntitlement> = {
  static: createNatsEntitlement({ mode: 'static', accounts: ['APP'], roles: [] }),
  callout: createNatsEntitlement({ mode: 'callout', accounts: ['APP', 'OTHER'], roles: [] }),
  jwt: createNatsEntitlement({ mode: 'jwt', accounts: [], roles: ['APP', 'OTHER', 'APP:member'] }),
  none: createNatsEntitlement(),
}
export type ModeUnderTest = keyof typeof modes
const known = (mode: ModeUnderTest) => [modes[mode], adminEntitlement]

/** Throws where the text has a fault. */
export const policyFor = (mode: ModeUnderTest, text: string, files: Readonly<Record<string, string>> = {}) =>
  policyOf(text, files, known(mode))

/** Faults and warnings of these grants. */
export const findingsOf = (mode: ModeUnderTest, ...grants: string[]) =>
  load(policyText(...grants), {}, known(mode)).faults

export const alice = jwtCaller('alice', { tenant: 'acme', uid: 7 })

/** What an ask gets under these grants; or the reason of the refusal and the field that it names. */
export function outcomeOf(
  mode: ModeUnderTest,
  grants: string | readonly string[],
  input: object = {},
  caller: Caller = alice,
): (UserRights & { grants: readonly string[] }) | string {
  const rights = decided(modes[mode], policyFor(mode, policyText(...[grants].flat())), caller, input)
  if (isRefusal(rights)) return `${rights.reason} ${rights.message.split(':')[0]}`
  return rights as UserRights & { grants: readonly string[] }
}

/** A decision that a provider can mint from; throws where it is a refusal. */
export function grantedFor(mode: ModeUnderTest, policy: CompiledPolicy, input: object = {}, caller: Caller = alice) {
  const ask = modes[mode].parseAsk(input)
  if (isRefusal(ask)) throw new Error(ask.message)
  const decision = decide(policy, modes[mode], { caller, ask, nowMs })
  if (isRefusal(decision)) throw new Error(`${decision.reason}: ${decision.detail ?? decision.message}`)
  const { rights, grounds, grantIds } = decision
  if (rights.shared) throw new Error('shared')
  return { rights, grounds, grantIds }
}
