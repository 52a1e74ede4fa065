// Callout mode. It owns what of it runs on this replica: minting always; answering callouts where the seeds are; ending connections
// where the login of the system account is.

import { createGate } from '../../../limits.ts'
import { parseTokenId } from '../../../revocations/token-id.ts'
import type { Settings } from '../../../settings.ts'
import type { CutOff, OpenDeps, OpenProvider } from '../../module.ts'
import type { NatsAsk } from '../ask.ts'
import type { NatsCredential } from '../credential.ts'
import type { NatsOffer } from '../grant.ts'
import { toUserName } from '../holder.ts'
import { openTokens } from '../mint-token.ts'
import { openSigner, type Signer } from '../nkeys.ts'
import { createNatsEntitlement, type NatsRights } from '../rights.ts'
import { createSoftExpiry } from '../soft-expiry.ts'
import { openTokenKeys } from '../token.ts'
import { openXkey } from '../xkey.ts'
import { openKicker } from './kicker.ts'
import { openResponder } from './open-responder.ts'

/** Answers that wait for their audit line. */
const maxInFlight = 4096

export function openCallout(
  settings: Settings,
  deps: OpenDeps,
): OpenProvider<NatsAsk, NatsOffer, NatsRights, NatsCredential> {
  const { now, log, metrics, audit, policy, revocations } = deps
  const accounts = settings.list('NATS_ACCOUNTS')
  const entitlement = createNatsEntitlement({ mode: 'callout', accounts, roles: [] })
  const keys = openTokenKeys(settings.text('NATS_TOKEN_KEYS'))
  const servers = settings.list(settings.has('NATS_SERVICE_URLS') ? 'NATS_SERVICE_URLS' : 'NATS_URLS')
  const loginOf = (name: string): Signer | undefined =>
    settings.has(name) ? openSigner(settings.text(name), 'user') : undefined

  const system = loginOf('NATS_SYSTEM_SEED')
  const kicker = system && openKicker({ servers, login: system, log, metrics, onUp: () => void endRevoked() })
  const early = Number(settings.text('NATS_SOFT_EXPIRY_SECONDS'))
  const softExpiry = kicker && early > 0 ? createSoftExpiry({ early, now, end: kicker.end }) : undefined
  const login = loginOf('NATS_CALLOUT_SEED')
  const issuers = settings.list('NATS_ISSUER_SEEDS').map((seed) => openSigner(seed, 'account'))
  const responder =
    login &&
    openResponder({
      servers,
      login,
      keys,
      entitlement,
      accounts,
      requestKeys: {
        issuers: new Map(issuers.map((issuer) => [issuer.publicKey, issuer])),
        xkeys: settings.list('NATS_XKEY_SEEDS').map(openXkey),
      },
      policy,
      refuseRevoked: revocations.refuse,
      audit,
      metrics,
      log,
      now,
      gate: createGate(maxInFlight),
      onAuthorized: (connection) => softExpiry?.add(connection),
    })

  const cutOff = async (who: Parameters<typeof userOf>[0]): Promise<CutOff> => {
    if (kicker === undefined)
      return {
        done: false,
        detail:
          'Connects are refused. Connections are ended by the replicas that have NATS_SYSTEM_SEED, or at their end',
      }
    const connections = await kicker.endUser(userOf(who), who.tokenId ?? '')
    return connections === undefined
      ? {
          done: false,
          detail: 'Connects are refused. nats-server could not be asked to end connections; it is tried again',
        }
      : { done: true, detail: `Connects are refused, and ${connections} connections were told to end` }
  }
  /** A revocation may be older than this process, or than its connection: its connections may be there still. */
  async function endRevoked(): Promise<void> {
    const users = new Set(revocations.entries().map(userOf))
    for (const user of users) await kicker?.endUser(user, 'in force')
  }
  const unsubscribe = kicker && revocations.onAdded((revocation) => void cutOff(revocation))
  return {
    ...openTokens({ entitlement, keys, now }),
    isReady: () => responder?.isReady() ?? true,
    state: () => ({
      callout: responder === undefined ? 'off' : responder.isReady() ? 'proven' : 'not ready',
      system: kicker === undefined ? 'off' : kicker.isUp() ? 'connected' : 'not connected',
    }),
    cutOff,
    close: async () => {
      unsubscribe?.()
      softExpiry?.close()
      await Promise.all([responder?.close(), kicker?.close()])
    },
  }
}

function userOf({
  source,
  subject,
  tokenId = '',
}: {
  readonly source: string
  readonly subject?: string
  readonly tokenId?: string
}): string {
  return toUserName({ source, ...(subject === undefined ? {} : { subject }) }, parseTokenId(tokenId)?.serial ?? '')
}
