// A provider as the registry sees it. It owns the shape of a provider's folder: entitlement, settings, how to open it, routes.

import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Audit } from '../audit.ts'
import type { Refusal } from '../errors.ts'
import type { Refuse } from '../http/refuse.ts'
import type { Log } from '../log.ts'
import type { Metrics } from '../metrics.ts'
import type { LoadedPolicy } from '../policy/load.ts'
import type { Revocation } from '../revocations/list.ts'
import type { ConfigFault, Setting, Settings } from '../settings.ts'
import type { AskBase, Entitlement, Minted, Provider } from './provider.ts'

export interface OpenDeps {
  /** Unix milliseconds. */
  readonly now: () => number
  readonly fetch: typeof fetch
  readonly log: Log
  readonly audit: Audit
  readonly metrics: Metrics
  /** The one in force. */
  readonly policy: () => LoadedPolicy
  readonly revocations: {
    /** Undefined for who may go on. */
    refuse(who: { source: string; subject?: string | undefined; tokenId?: string }): Refusal | undefined
    /** Those in force. */
    entries(): readonly Revocation[]
    /** Hears what comes into force, here or on another replica. @returns unsubscribes */
    onAdded(listener: (revocation: Revocation) => void): () => void
  }
}

export interface RouteDeps<Credential> {
  /** One issuance for this request’s caller. */
  issue(request: FastifyRequest, input: unknown): Promise<Minted<Credential> | Refusal>
  readonly refuse: Refuse
}

export interface ProviderModule<Ask extends AskBase, Offer, Rights, Credential> {
  /** As it is where no settings are known, such as on the command line. */
  readonly entitlement: Entitlement<Ask, Offer, Rights>
  /** The same, for what these settings can issue. */
  entitlementIn?(settings: Settings): Entitlement<Ask, Offer, Rights>
  readonly settings: readonly Setting[]
  /** Without one of these the provider is off; with one, all must be set. */
  required(settings: Settings): readonly string[]
  /** What is wrong between settings that are each fine. */
  faultsIn?(settings: Settings): readonly ConfigFault[]
  /** Values for the sandbox, made anew at each start. */
  sandboxSettings(): Readonly<Record<string, string>>
  /** A command that works in the sandbox. */
  curl(base: string): string
  open(settings: Settings, deps: OpenDeps): OpenProvider<Ask, Offer, Rights, Credential>
  routes(scope: FastifyInstance, deps: RouteDeps<Credential>): void
}

/** What became of a revocation at one vendor; `detail` is a sentence for whoever asked for it. */
export interface CutOff {
  readonly done: boolean
  readonly detail: string
}

export interface OpenProvider<Ask extends AskBase, Offer, Rights, Credential>
  extends Provider<Ask, Offer, Rights, Credential> {
  /** Loads what the first request would otherwise wait for. */
  warm?(): Promise<void>
  /** Whether it can do its work; asked by /readyz. */
  isReady?(): boolean
  /** For /status; never a secret. */
  state?(): object
  /** Ends what the revoked one has already. */
  cutOff?(revocation: Revocation): Promise<CutOff>
  close?(): Promise<void>
}
