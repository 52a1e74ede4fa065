// A provider as the registry sees it. It owns the shape of a provider's folder: entitlement, settings, how to open it, routes.

import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Refusal } from '../errors.ts'
import type { Refuse } from '../http/refuse.ts'
import type { Setting, Settings } from '../settings.ts'
import type { AskBase, Entitlement, Minted, Provider } from './provider.ts'

export interface OpenDeps {
  /** Unix milliseconds. */
  readonly now: () => number
  readonly fetch: typeof fetch
}

export interface RouteDeps<Credential> {
  /** One issuance for this request’s caller. */
  issue(request: FastifyRequest, input: unknown): Promise<Minted<Credential> | Refusal>
  readonly refuse: Refuse
}

export interface ProviderModule<Ask extends AskBase, Offer, Rights, Credential> {
  readonly entitlement: Entitlement<Ask, Offer, Rights>
  readonly settings: readonly Setting[]
  /** Without one of these the provider is off; with one, all must be set. */
  readonly required: readonly string[]
  /** Values for the sandbox, made anew at each start. */
  sandboxSettings(): Readonly<Record<string, string>>
  /** A command that works in the sandbox. */
  curl(base: string): string
  open(settings: Settings, deps: OpenDeps): OpenProvider<Ask, Offer, Rights, Credential>
  routes(scope: FastifyInstance, deps: RouteDeps<Credential>): void
}

export interface OpenProvider<Ask extends AskBase, Offer, Rights, Credential>
  extends Provider<Ask, Offer, Rights, Credential> {
  /** Loads what the first request would otherwise wait for. */
  warm?(): Promise<void>
}
