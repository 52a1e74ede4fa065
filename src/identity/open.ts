// Identity as a whole. It owns how `callers:` of a policy becomes the function that identifies.

import type { Report } from '../policy/faults.ts'
import type { LoadedPolicy, ReadText } from '../policy/load.ts'
import type { CallersDocument } from '../policy/schema.ts'
import type { Secret } from '../secret.ts'
import { openApiKeys } from './api-key.ts'
import { checkCallers } from './check.ts'
import { openGateway } from './gateway.ts'
import { createIdentify, type Identify } from './identify.ts'
import { type KeySet, type KeySetState, keySetOfText, openKeySet } from './jwks.ts'
import { createVerifyJwt } from './jwt.ts'

export interface IdentityDeps {
  readonly gatewaySecrets: readonly Secret[]
  readonly fetch: typeof fetch
  /** Unix milliseconds. */
  readonly now: () => number
  /** Key sets by address: they outlive a reload of the policy, so that it costs no fetch. */
  readonly keySets: Map<string, KeySet>
}

export interface OpenIdentity {
  readonly identify: Identify
  warm(): Promise<void>
  /** The state of each issuer’s keys, for the ops port. */
  keys(): readonly ({ issuer: string } & KeySetState)[]
}

/** Everything that would keep `openIdentity` from opening, reported with the policy’s own faults. */
export function checkIdentity(
  callers: CallersDocument,
  report: Report,
  { gatewaySecrets, now }: Pick<IdentityDeps, 'gatewaySecrets' | 'now'>,
  readText: ReadText,
): void {
  checkCallers(callers, report, now)
  if (callers.gateway !== undefined && gatewaySecrets.length === 0)
    report.fault(
      'callers.gateway',
      'needs the variable GATEWAY_SECRET, which is not set',
      'Set it here and in the gateway',
    )
  for (const [index, { jwksFile }] of (callers.jwt ?? []).entries()) {
    if (jwksFile === undefined) continue
    const keys = readKeySet(jwksFile, readText)
    if (typeof keys === 'string')
      report.fault(`callers.jwt[${index}].jwksFile`, keys, 'Its path is relative to the policy file')
  }
}

export function openIdentity({ compiled, texts }: LoadedPolicy, deps: IdentityDeps): OpenIdentity {
  const { callers, allowsAnonymous } = compiled
  const readText = (path: string) => texts.get(path) ?? ''
  const issuers = (callers.jwt ?? []).map((document) => {
    const keys =
      document.jwksUri === undefined
        ? readKeySet(document.jwksFile as string, readText)
        : keySetAt(document.jwksUri, deps)
    if (typeof keys === 'string') throw new TypeError(`jwksFile of ${document.name} ${keys}`)
    return { document, keys }
  })
  const { apiKeys, gateway } = callers
  return {
    identify: createIdentify({
      verifyJwt: issuers.length === 0 ? undefined : createVerifyJwt(issuers, deps.now),
      assertionHeaders: issuers.flatMap(({ document: { header } }) => (header === undefined ? [] : [header])),
      identifyApiKey: apiKeys && openApiKeys(apiKeys, deps.now),
      gateway:
        gateway &&
        openGateway(
          gateway,
          deps.gatewaySecrets.map((secret) => secret.reveal()),
        ),
      allowsAnonymous,
    }),
    warm: async () => {
      await Promise.all(issuers.map(({ keys }) => keys.warm()))
    },
    keys: () => issuers.map(({ document, keys }) => ({ issuer: document.name, ...keys.state() })),
  }
}

function keySetAt(url: string, { keySets, fetch }: IdentityDeps): KeySet {
  const known = keySets.get(url) ?? openKeySet({ url, fetch })
  keySets.set(url, known)
  return known
}

function readKeySet(path: string, readText: ReadText): KeySet | string {
  try {
    const keys = keySetOfText(readText(path))
    return typeof keys === 'string' ? `the key set ${keys}` : keys
  } catch (error) {
    return `cannot be read (${(error as NodeJS.ErrnoException).code ?? 'error'})`
  }
}
