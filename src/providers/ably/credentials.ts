// Ably's credentials. It owns their fields (https://ably.com/docs/api/realtime-sdk/types#token-request).

export interface SignedTokenRequest {
  readonly keyName: string
  /** Milliseconds, from the redemption on. */
  readonly ttl: number
  /** Canonical JSON text. */
  readonly capability: string
  readonly clientId?: string
  /** Unix milliseconds; Ably takes it for 2 minutes. */
  readonly timestamp: number
  /** 16 characters or more, used once. */
  readonly nonce: string
  readonly mac: string
}

export interface TokenDetails {
  readonly token: string
  readonly keyName?: string
  /** Unix milliseconds. */
  readonly issued: number
  readonly expires: number
  readonly capability: string
  readonly clientId?: string
}

export type AblyCredential = SignedTokenRequest | TokenDetails

export const isTokenDetails = (credential: AblyCredential): credential is TokenDetails => 'token' in credential
