// The canary: a token that Usher makes for itself, to prove at start that a connect goes the whole way through nats-server and
// callout. It owns what such a token gives: an account, no subject, half a minute.

import { newSerial } from '../../revocations/token-id.ts'
import type { Authorization } from './callout/authorize.ts'
import { openTokenKeys, type TokenKeys } from './token.ts'

const lifetimeSeconds = 30

/** @param keys NATS_TOKEN_KEYS */
export const createCanaryToken = ({
  keys,
  nowMs,
  serial = newSerial(),
}: {
  keys: string | TokenKeys
  nowMs: number
  serial?: string
}): string =>
  (typeof keys === 'string' ? openTokenKeys(keys) : keys).seal({ canary: serial, t: Math.floor(nowMs / 1000) })

interface Canary {
  readonly canary: string
  readonly t: number
}

export const isCanary = (payload: unknown): payload is Canary => Object.hasOwn(payload as object, 'canary')

/** The user as nats-server shows it. */
export const canarySource = 'usher-canary'

/** Undefined for one that is past its time. */
export function canaryRights({ canary, t }: Canary, account: string, nowSeconds: number): Authorization | undefined {
  const expiresAt = t + lifetimeSeconds
  if (expiresAt <= nowSeconds) return undefined
  const rights = {
    shared: false as const,
    account,
    publish: [],
    subscribe: [],
    deny: [],
    connectionTypes: [],
    inbox: false,
    asked: {},
    ttlSeconds: lifetimeSeconds,
  }
  return { rights, owner: { source: canarySource }, serial: canary, expiresAt, grantIds: [], content: undefined }
}
