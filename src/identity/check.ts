// `callers:` of a policy file. It owns what no single source of callers can see: that no two are mistaken for each other.

import type { Report } from '../policy/faults.ts'
import { type CallersDocument, toSeconds } from '../policy/schema.ts'
import { checkApiKeys } from './api-key.ts'
import { callerKinds } from './caller.ts'
import { checkGateway, defaultSecretHeader } from './gateway.ts'
import { onBehalfOfHeader } from './identify.ts'
import type { IssuerDocument } from './jwt.ts'
import { isLoopbackName } from './loopback.ts'

const maxToleranceSeconds = 300
const takenHeaders = ['authorization', 'cookie', 'host', 'origin', onBehalfOfHeader]

/** Reports everything that would keep identity from opening, or make it believe the wrong source. */
export function checkCallers(callers: CallersDocument, report: Report, now: () => number = Date.now): void {
  const { jwt = [], apiKeys = [], gateway } = callers
  const claimIssuer = createRegister('issuer', [], report)
  // (source, subject) is the caller: an issuer named like another source would speak for its subjects.
  const claimSource = createRegister('source', [...callerKinds, ...apiKeys.map(({ id }) => id)], report)
  const claimHeader = createRegister('header', takenHeaders, report)

  for (const [index, issuer] of jwt.entries()) {
    const path = `callers.jwt[${index}]`
    checkIssuer(issuer, path, report)
    claimIssuer(issuer.issuer, `${path}.issuer`)
    claimSource(issuer.name, `${path}.name`)
    claimHeader(issuer.header, `${path}.header`, 'any issuer')
  }
  checkApiKeys(apiKeys, now, report)
  if (gateway !== undefined) {
    checkGateway(gateway, report)
    claimHeader(gateway.header, 'callers.gateway.header')
    claimHeader(gateway.secretHeader ?? defaultSecretHeader, 'callers.gateway.secretHeader')
  }
}

function checkIssuer({ jwksUri, jwksFile, clockTolerance }: IssuerDocument, path: string, report: Report): void {
  if ((jwksUri === undefined) === (jwksFile === undefined))
    report.fault(path, 'needs jwksUri or jwksFile, and not both', 'Say where the keys of the issuer are')
  if (jwksUri !== undefined && !isSafeUrl(jwksUri))
    report.fault(`${path}.jwksUri`, 'is not an https address', 'Use https; http is for loopback addresses only')
  if (clockTolerance !== undefined && toSeconds(clockTolerance) > maxToleranceSeconds)
    report.fault(`${path}.clockTolerance`, 'is more than 5m, which keeps dead tokens alive', 'Set the clocks instead')
}

/** Whoever can change the answer on its way can name every caller. */
function isSafeUrl(text: string): boolean {
  if (!URL.canParse(text)) return false
  const { protocol, hostname, username, password } = new URL(text)
  return (
    username === '' && password === '' && (protocol === 'https:' || (protocol === 'http:' && isLoopbackName(hostname)))
  )
}

/** Hands each name to its first owner, and reports every other who claims it. */
function createRegister(what: string, taken: readonly string[], report: Report) {
  const owners = new Map(taken.map((name) => [name, 'usher itself']))
  return (name: string | undefined, path: string, owner = path): void => {
    if (name === undefined) return
    if ((owners.get(name) ?? owner) !== owner)
      report.fault(path, `is the ${what} of somebody else already: ${name}`, 'Choose another one')
    else owners.set(name, owner)
  }
}
