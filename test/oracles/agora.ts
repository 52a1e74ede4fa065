// Agora's own parser of AccessToken2, which npm agora-token ships but neither exports nor types.

import { createRequire } from 'node:module'

export interface VendorService {
  readonly type: number
  /** Seconds by privilege number. */
  readonly privileges: Readonly<Record<string, number>>
  /** RTC: channel and uid; RTM and Chat: the user. */
  readonly texts: readonly string[]
}

export interface VendorToken {
  readonly appId: string
  readonly issuedAt: number
  readonly expiresIn: number
  readonly salt: number
  readonly services: readonly VendorService[]
  isSignedBy(certificate: string): boolean
}

interface AccessToken2 {
  readonly appId: Buffer | string
  readonly issueTs: number
  readonly expire: number
  readonly salt: number
  readonly services: readonly {
    service_type(): number
    readonly __privileges: Record<string, number>
    readonly __channel_name?: Buffer | string
    readonly __uid?: Buffer | string
    readonly __user_id?: Buffer | string
  }[]
  from_string(token: string): boolean
  verifySignature(certificate: string): boolean
}

const require = createRequire(import.meta.url)
const vendor = require('agora-token/src/AccessToken2.js') as {
  AccessToken2: new (appId: string, certificate: string, issueTs: number, expire: number) => AccessToken2
}

/** Undefined where the vendor does not take the text for a token. */
export function parseByVendor(text: string): VendorToken | undefined {
  const token = new vendor.AccessToken2('', '', 1, 1)
  if (!token.from_string(text)) return undefined
  return {
    appId: String(token.appId),
    issuedAt: token.issueTs,
    expiresIn: token.expire,
    salt: token.salt,
    services: token.services.map((service) => ({
      type: service.service_type(),
      privileges: service.__privileges,
      texts: [service.__channel_name, service.__uid, service.__user_id].filter((it) => it !== undefined).map(String),
    })),
    isSignedBy: (certificate) => token.verifySignature(certificate),
  }
}
