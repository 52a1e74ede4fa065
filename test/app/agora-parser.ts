// Agora's own parser of AccessToken2: the judge of our tokens, which shares no line with the code that makes them.

import { createRequire } from 'node:module'

interface ParsedService {
  readonly __type: number
  readonly __channel_name: Buffer
  readonly __uid: Buffer
  readonly __privileges: Readonly<Record<number, number>>
}
interface Parser {
  readonly appId: Buffer
  readonly issueTs: number
  readonly expire: number
  readonly services: readonly ParsedService[]
  from_string(token: string): boolean
  verifySignature(certificate: string): boolean
}
const { AccessToken2 } = createRequire(import.meta.url)('agora-token/src/AccessToken2.js') as {
  AccessToken2: new (appId: string, certificate: string, issuedAt: number, expire: number) => Parser
}

/** Seconds by privilege: 1 join, 2 audio, 3 video, 4 data. An empty `user` is any user. */
export function readAgoraToken(token: string, certificate: string) {
  const parser = new AccessToken2('', '', 0, 0)
  if (!parser.from_string(token)) throw new Error('Agora would not parse this token')
  if (!parser.verifySignature(certificate)) throw new Error('Agora would not believe this token')
  const { appId, issueTs: issuedAt, expire, services } = parser
  return {
    appId: appId.toString(),
    issuedAt,
    expire,
    services: services.map(({ __type, __channel_name, __uid, __privileges }) => ({
      type: __type,
      channel: __channel_name.toString(),
      user: __uid.toString(),
      privileges: { ...__privileges },
    })),
  }
}
