// The nats-server itself. It owns what its greeting tells before anybody logs in: whether it is there, which version, and whether
// it asks who comes.

import type { NatsMode } from '../providers/nats/ask.ts'
import type { Settings } from '../settings.ts'
import type { Greeting } from './nats-check-connect.ts'
import { type Finding, fault, fine, warning } from './nats-check-report.ts'

export function greeted(
  server: string,
  greeting: Greeting | string,
  mode: NatsMode,
  settings: Settings,
): readonly Finding[] {
  const setting = settings.has('NATS_SERVICE_URLS') ? 'NATS_SERVICE_URLS' : 'NATS_URLS'
  if (typeof greeting === 'string')
    return [fault(`${setting}: no nats-server answers at ${server} (${greeting})`, `Start it, or correct ${setting}`)]
  const { version, server_name: name = '' } = greeting
  const findings = [fine(`nats-server ${version} (${name}) answers at ${server}`)]
  if (mode === 'callout' && isBefore(version, [2, 10, 0]))
    findings.push(fault(`nats-server ${version} has no auth callout`, 'Update it: 2.10 is the first that has'))
  else if (mode === 'callout' && showsTokens(version))
    findings.push(
      warning(
        `nats-server ${version} shows tokens of refused clients in /connz and in its advisories`,
        'Update it to 2.10.28 or 2.11.2, or later; until then keep its monitoring port on loopback',
      ),
    )
  if (greeting.auth_required !== true)
    findings.push(
      fault(
        'nats-server asks nobody who he is: it has no authorization, or a no_auth_user',
        'Give it the configuration that `usher nats setup` writes',
      ),
    )
  else if (mode !== 'static' && greeting.nonce === undefined)
    findings.push(
      fault('nats-server knows no nkeys and no JWTs', 'Give it the configuration that `usher nats setup` writes'),
    )
  return findings
}

type Version = readonly [major: number, minor: number, patch: number]

/** facts/nats.md 1.10 */
const showsTokens = (version: string): boolean =>
  isBefore(version, [2, 10, 28]) || (!isBefore(version, [2, 11, 0]) && isBefore(version, [2, 11, 2]))

function isBefore(version: string, than: Version): boolean {
  const parts = version.split(/[.-]/).map(Number)
  const index = than.findIndex((part, index) => parts[index] !== part)
  return index >= 0 && (parts[index] as number) < (than[index] as number)
}
