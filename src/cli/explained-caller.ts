// The caller that `usher policy explain` is about. It owns how flags and a file of claims become what identity would have made,
// without a credential: through identity's own functions wherever they need none.

import { type Refusal, refusal } from '../errors.ts'
import { callerOfApiKey } from '../identity/api-key.ts'
import { type Caller, isSubject, toClaims } from '../identity/caller.ts'
import { openGateway } from '../identity/gateway.ts'
import { createIdentify } from '../identity/identify.ts'
import { identifySandbox } from '../identity/sandbox.ts'
import type { CompiledPolicy } from '../policy/compile.ts'
import type { CallersDocument } from '../policy/schema.ts'
import { badInput, type Stop, usage } from './command.ts'

export interface Who {
  readonly issuer?: string | undefined
  readonly client?: string | undefined
  readonly onBehalfOf?: string | undefined
  readonly caller?: string | undefined
  readonly claims?: Readonly<Record<string, unknown>> | undefined
}

/** The caller; a refusal where identity refuses; a stop where the flags do not say who is meant. */
export async function explainedCaller(
  who: Who,
  { callers, allowsAnonymous }: CompiledPolicy,
): Promise<Caller | Refusal | Stop> {
  if ([who.issuer, who.client, who.caller].filter((flag) => flag !== undefined).length > 1)
    return usage('--issuer, --client and --caller exclude each other')
  if (who.onBehalfOf !== undefined && who.client === undefined) return usage('--on-behalf-of goes with --client')
  if (who.client !== undefined) return ofApiKey(who.client, who.onBehalfOf, callers)
  if (who.caller === undefined) return ofIssuer(who, callers)
  if (who.caller === 'sandbox') return identifySandbox({ rawHeaders: ['host', 'localhost'], peer: '127.0.0.1' })
  if (who.caller === 'anonymous') return createIdentify({ allowsAnonymous })({ rawHeaders: [], peer: '' })
  if (who.caller === 'gateway') return ofGateway(who.claims, callers)
  return usage('--caller is gateway, anonymous or sandbox')
}

function ofApiKey(
  id: string,
  onBehalfOf: string | undefined,
  { apiKeys = [] }: CallersDocument,
): Caller | Refusal | Stop {
  const document = apiKeys.find((key) => key.id === id)
  if (document === undefined)
    return badInput(`callers.apiKeys has ${listed(apiKeys.map((key) => key.id))}, and not that id`)
  return callerOfApiKey(document, onBehalfOf)
}

/** As jwt.ts makes it of a payload whose signature, audience and times it has checked. */
function ofIssuer({ issuer: name, claims }: Who, { jwt = [] }: CallersDocument): Caller | Refusal | Stop {
  if (claims === undefined) return usage('say who asks: --claims, --client or --caller')
  const issuer = jwt.find((document) =>
    name === undefined ? document.issuer === claims['iss'] : document.name === name,
  )
  if (issuer === undefined)
    return name === undefined
      ? refuse('iss of the claims is not, byte for byte, a configured issuer; --issuer names one')
      : badInput(`callers.jwt has ${listed(jwt.map((document) => document.name))}, and not that name`)
  const { sub, exp } = claims
  if (!isSubject(sub)) return refuse('sub is not 1 to 255 printable ASCII characters')
  if (exp !== undefined && typeof exp !== 'number') return refuse('exp is not a time')
  return {
    kind: 'jwt',
    source: issuer.name,
    subject: sub,
    claims: toClaims(claims),
    ...(exp === undefined ? {} : { expiresAt: Math.floor(exp) }),
  }
}

function ofGateway(claims: Who['claims'], { gateway }: CallersDocument): Caller | Refusal | Stop {
  if (gateway === undefined) return badInput('the policy has no callers.gateway')
  const subject = claims?.['sub']
  if (typeof subject !== 'string') return badInput('a gateway names its user: put him as sub into the --claims file')
  const [peer = ''] = (gateway.trustedProxies[0] as string).split('/')
  const secret = 'the same on both sides'
  return openGateway(gateway, [secret]).identify(peer, subject, [secret])
}

const listed = (names: readonly string[]): string => names.join(', ') || 'nothing'
const refuse = (detail: string): Refusal => refusal('unauthenticated', undefined, detail)
