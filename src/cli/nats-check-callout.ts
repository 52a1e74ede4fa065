// What the fate of a canary says about auth_callout. It owns the sentences: not asked, in another account, not encrypted, for
// another key, not believed.

import type { RequestKeys } from '../providers/nats/callout/request.ts'
import { calloutSubject, queue } from '../providers/nats/callout/responder.ts'
import type { Chain } from './nats-check-chain.ts'
import { broken, type Failure } from './nats-check-connect.ts'
import { type Finding, fault, fine, warning } from './nats-check-report.ts'
import type { Seen } from './nats-check-responder.ts'

const restart = 'and restart the server: a reload does not read it'

/** @param responders undefined where nobody could be asked */
export function refusedByOthers(responders: number | undefined): Finding {
  const reasons = [
    ...(responders === undefined ? ['nats-server has no auth_callout'] : []),
    'an Usher that answers has other NATS_TOKEN_KEYS',
    'nats-server knows no account of the name that NATS_ACCOUNTS has first',
  ]
  return fault(
    `a canary was refused at once: ${reasons.join(', or ')}`,
    `${responders === undefined ? 'Set NATS_SYSTEM_SEED, so that this check sees who answers' : 'Stop Usher and check again: then this check answers, and sees which'}; the log of nats-server says it too`,
  )
}

/** No request came to us. @param failure of a canary; undefined where it was let in */
export function unasked(
  failure: Failure | undefined,
  { responders, calloutAccount }: Chain,
  isRefused: boolean,
): readonly Finding[] {
  if (failure === undefined) return [fine('a canary was let in, by an Usher that began to answer meanwhile')]
  // Where its permissions were seen they have been judged.
  if (isRefused) return calloutAccount === undefined ? [mayNotSubscribe] : []
  if (failure.failed === 'refused')
    return [
      fault(
        'nats-server does not ask Usher: it refused a canary by itself',
        `Write auth_callout into authorization, as \`usher nats setup\` does, ${restart}`,
      ),
    ]
  if (failure.failed === 'broken') return [broken('of a canary', failure)]
  if (responders !== undefined && responders > 0)
    return [
      fault(
        'those who answer callouts answered no canary',
        'Look into the log of Usher, or stop it and check again: then this check answers, and sees why',
      ),
    ]
  const account = calloutAccount ?? 'of the user of NATS_CALLOUT_SEED'
  return [
    fault(
      `nats-server asks, but not in the account ${account}, where Usher answers`,
      `Write account: ${account} into auth_callout ${restart}`,
    ),
  ]
}

export const mayNotSubscribe = fault(
  `NATS_CALLOUT_SEED: its user may not subscribe ${calloutSubject} in the queue ${queue}, so Usher is never asked`,
  `Allow subscribe: "${calloutSubject} ${queue}"`,
)

export function onRequest(seen: Seen, { xkeys, issuers }: RequestKeys): readonly Finding[] {
  const { isEncrypted, opened } = seen
  const [xkey, issuer] = [xkeys[0]?.publicKey, [...issuers.keys()]]
  if (opened === undefined)
    return [
      fault(
        'nats-server encrypts its requests for another xkey than that of NATS_XKEY_SEEDS',
        `Write xkey: ${xkey} into auth_callout ${restart}; or put the seed of its xkey into NATS_XKEY_SEEDS`,
      ),
    ]
  const findings: Finding[] = []
  if (isEncrypted) findings.push(fine('nats-server asks Usher, and encrypts its requests'))
  else
    findings.push(
      fault(
        'nats-server does not encrypt its requests, and Usher answers no others',
        `Write xkey: ${xkey} into auth_callout ${restart}`,
      ),
    )
  if (!issuers.has(opened.issuer))
    findings.push(
      fault(
        `auth_callout.issuer is ${opened.issuer}, and NATS_ISSUER_SEEDS has ${issuer.join(', ')}`,
        `Write issuer: ${issuer[0]} ${restart}; or put the seed of its issuer into NATS_ISSUER_SEEDS`,
      ),
    )
  if (opened.timeoutSeconds < 5)
    findings.push(
      warning(
        `nats-server waits ${opened.timeoutSeconds} s for an answer: a crowd that comes back at once will not get through`,
        'Write timeout: 10 into authorization, as a number',
      ),
    )
  const apartSeconds = Math.abs(opened.aheadSeconds)
  if (apartSeconds > 5)
    findings.push(
      (seen.isAnswered ? warning : fault)(
        `the clock of nats-server differs from this one by ${apartSeconds} s, and tokens and requests end by both`,
        'Set both by NTP',
      ),
    )
  if (!seen.isAnswered && findings.every(({ level }) => level === 'ok'))
    findings.push(fault('nats-server asks Usher about others, and not about a canary', 'Check again'))
  return findings
}

export function refusedAnswer(account: string, failure: Failure): Finding {
  if (failure.failed === 'refused')
    return fault(
      `nats-server does not place a user in ${account}, which NATS_ACCOUNTS names`,
      `Add ${account} { } to accounts of its configuration, or correct NATS_ACCOUNTS; its log has the reason`,
    )
  return failure.failed === 'broken'
    ? broken('of a canary', failure)
    : fault(
        'what was answered about a canary did not reach nats-server',
        'Let the user of NATS_CALLOUT_SEED publish to "$SYS._INBOX.>"',
      )
}
