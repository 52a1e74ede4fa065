// The sandbox’s one caller. It owns that the sandbox, which believes everybody, is asked from this machine only.
// The Host is checked because a page can point its own name at 127.0.0.1 (DNS rebinding), the Origin because it can just call.

import { type Refusal, refusal } from '../errors.ts'
import { type Caller, toClaims } from './caller.ts'
import type { IdentityRequest } from './identify.ts'
import { isLoopbackAddress, isLoopbackHost, isLoopbackOrigin } from './loopback.ts'

/** Being on this machine is all that the caller shows, and every page that is open on it shows the same. */
const caller: Caller = Object.freeze({
  kind: 'sandbox',
  source: 'sandbox',
  subject: 'sandbox',
  claims: toClaims({}),
  isAmbient: true,
})

/** What proxies add. One that adds nothing and rewrites the Host cannot be told from a caller on this machine. */
const isProxyHeader = (name: string): boolean =>
  /^(forwarded|x-forwarded-.*|via|x-real-ip|x-client-ip|true-client-ip|cf-connecting-ip)$/.test(name)

export function identifySandbox({ rawHeaders, peer }: IdentityRequest): Caller | Refusal {
  if (!isLoopbackAddress(peer)) return refuse('the peer')
  let hosts = 0
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = (rawHeaders[index] as string).toLowerCase().replaceAll('_', '-')
    const value = rawHeaders[index + 1] as string
    if (isProxyHeader(name)) return refuse(name)
    if (name === 'origin' && !isLoopbackOrigin(value)) return refuse(name)
    if (name !== 'host') continue
    if (!isLoopbackHost(value)) return refuse(name)
    hosts++
  }
  return hosts === 1 ? caller : refuse('not one host')
}

const refuse = (what: string): Refusal => refusal('sandbox_only', undefined, `asked from elsewhere: ${what}`)
