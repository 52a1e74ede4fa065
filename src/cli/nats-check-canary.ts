// The canary of `usher nats check`: a client with a token of Usher's own. It owns the proof that whoever answers callouts lets it
// in; where nobody does, this check answers, and sees what nats-server asks.

import type { NatsConnection } from '@nats-io/transport-node'
import { createCanaryToken } from '../providers/nats/canary.ts'
import { openSigner } from '../providers/nats/nkeys.ts'
import { openTokenKeys } from '../providers/nats/token.ts'
import { openXkey } from '../providers/nats/xkey.ts'
import { onRequest, refusedAnswer, refusedByOthers, unasked } from './nats-check-callout.ts'
import type { Chain, Probe } from './nats-check-chain.ts'
import { broken, type Failure, isFailure, tryConnect } from './nats-check-connect.ts'
import { type Finding, fault, fine } from './nats-check-report.ts'
import { watchCallouts } from './nats-check-responder.ts'

type Attempt = NatsConnection | Failure

export const connectCanary: Probe = async (chain) => {
  const { responders, callout, settings } = chain
  // A member more in the queue would take requests of real users from those who can answer them.
  const attempts = responders === 0 ? [] : await tryCanaries(chain, (responders ?? 1) === 1)
  const failures = attempts.filter(isFailure)
  if (await keepOne(attempts, chain))
    return [...letIn(settings.list('NATS_ACCOUNTS')), ...unequal(failures.length, attempts.length)]
  const failure = failures.find(({ failed }) => failed !== 'silent')
  if (failure?.failed === 'refused') return [refusedByOthers(responders)]
  if (failure?.failed === 'broken') return [broken('of a canary', failure)]
  // Its login was refused, which has been said.
  if (callout === undefined && settings.has('NATS_CALLOUT_SEED')) return []
  if (callout === undefined)
    return [
      fault(
        'nobody answers the callout about a canary, and this check cannot without NATS_CALLOUT_SEED',
        'Start the Usher that answers, and check with its environment',
      ),
    ]
  return answerCanaries(chain, callout)
}

/** Of several who may answer each gets one, most likely: nats-server chooses at random. */
const tryCanaries = (chain: Chain, isOne: boolean, timeoutMs?: number): Promise<readonly Attempt[]> =>
  Promise.all(Array.from({ length: isOne ? 1 : 16 }, () => tryCanary(chain, timeoutMs)))

const tryCanary = ({ server, settings, now }: Chain, timeoutMs?: number): Promise<Attempt> =>
  tryConnect(server, { token: createCanaryToken({ keys: settings.text('NATS_TOKEN_KEYS'), nowMs: now() }) }, timeoutMs)

const letIn = ([first, ...others]: readonly string[]): readonly Finding[] => {
  const untried = others.length === 0 ? '' : `; ${others.join(', ')} can be tried while no Usher runs`
  return [fine(`a canary was let in: nats-server asked Usher, encrypted, and placed it in ${first}${untried}`)]
}

const unequal = (failed: number, all: number): readonly Finding[] =>
  failed === 0
    ? []
    : [
        fault(
          `${failed} of ${all} canaries were not let in: one Usher that answers is set up otherwise than the others`,
          'Give all replicas the same NATS_… environment; the log of the one at fault has the reason',
        ),
      ]

/** Our answer takes milliseconds. */
const ownWaitMs = 1500

async function answerCanaries(chain: Chain, connection: NatsConnection): Promise<readonly Finding[]> {
  const { settings, now } = chain
  const issuers = settings.list('NATS_ISSUER_SEEDS').map((seed) => openSigner(seed, 'account'))
  const keys = {
    issuers: new Map(issuers.map((issuer) => [issuer.publicKey, issuer])),
    xkeys: settings.list('NATS_XKEY_SEEDS').map(openXkey),
    keys: openTokenKeys(settings.text('NATS_TOKEN_KEYS')),
  }
  const findings: Finding[] = []
  for (const account of settings.list('NATS_ACCOUNTS')) {
    const watch = await watchCallouts(connection, { ...keys, account, now })
    const attempts = await tryCanaries(chain, chain.responders === 0, ownWaitMs)
    watch.close()
    const seen = watch.seen()
    const failures = attempts.filter(isFailure)
    const isIn = await keepOne(attempts, chain)
    const failure = failures.find(({ failed }) => failed !== 'silent') ?? failures[0]
    if (seen === undefined) return [...findings, ...unasked(isIn ? undefined : failure, chain, watch.isRefused())]
    if (findings.length === 0) findings.push(...onRequest(seen, keys))
    if (!seen.isAnswered) return findings
    findings.push(
      isIn || failure === undefined
        ? fine(`a canary was let in, and placed in ${account}`)
        : refusedAnswer(account, failure),
    )
  }
  return findings
}

/** Leaves one connection, to be kicked. @returns whether there was any */
async function keepOne(attempts: readonly Attempt[], chain: Chain): Promise<boolean> {
  const connections = attempts.filter((attempt): attempt is NatsConnection => !isFailure(attempt))
  const [first] = connections
  if (chain.canary === undefined && first !== undefined) chain.canary = first
  await Promise.all(connections.filter((each) => each !== chain.canary).map((each) => each.close()))
  return first !== undefined
}
