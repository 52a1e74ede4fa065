// Mints RTC tokens. It owns the App Certificate; nothing of it leaves but signatures.

import type { Secret } from '../../secret.ts'
import type { Provider } from '../provider.ts'
import type { AgoraAsk } from './ask.ts'
import { createTokenKey, newSalt, packToken, parseToken, type Service } from './codec.ts'
import { type AgoraOffer, type AgoraRights, agoraEntitlement } from './rights.ts'

export interface AgoraConfig {
  /** 32 hex characters. */
  readonly appId: string
  readonly certificate: Secret
  /** Ordinary zlib in place of stored blocks. */
  readonly deflate: boolean
}

const rtc = 1

/** uid 0 packs as the empty text, "any user"; rights hold it only where a grant says `uid: any`. */
const userText = ({ uid, account }: AgoraRights): string => account ?? (uid === 0 ? '' : String(uid))

export function openAgora(
  { appId, certificate, deflate }: AgoraConfig,
  now: () => number,
): Provider<AgoraAsk, AgoraOffer, AgoraRights, string> {
  const keyOf = createTokenKey(certificate.reveal())
  return {
    entitlement: agoraEntitlement,
    mint: (rights) => {
      const issuedAt = Math.floor(now() / 1000)
      const { channel, privileges, ttlSeconds } = rights
      const services = [{ type: rtc, privileges, texts: [channel, userText(rights)] }]
      const token = packToken({ appId, issuedAt, expiresIn: ttlSeconds, salt: newSalt(), services }, keyOf, { deflate })
      return { credential: token, expiresAt: issuedAt + ttlSeconds, identifies: token }
    },
    findOverreach: ({ credential, expiresAt }, rights) => {
      const token = parseToken(credential)
      const [service, ...more] = token?.services ?? []
      if (token === undefined || service === undefined) return 'the token does not decode'
      const isRtcAlone = token.isWhole && more.length === 0 && service.type === rtc
      if (token.appId !== appId || !isRtcAlone) return 'the token is for another service'
      if (token.expiresIn !== rights.ttlSeconds || token.issuedAt + token.expiresIn !== expiresAt)
        return 'the token lives longer'
      return differenceOf(service, rights)
    },
  }
}

function differenceOf({ texts: [channel, user], privileges }: Service, rights: AgoraRights): string | undefined {
  if (channel !== rights.channel || channel === '') return 'the token is for another channel'
  if (user !== userText(rights)) return 'the token is for another user'
  if ((user === '' || user === '0') && rights.uid !== 0) return 'the token is for any user'
  const given = Object.entries(privileges)
  const isWithin = given.every(
    ([privilege, seconds]) => seconds > 0 && seconds === rights.privileges[Number(privilege)],
  )
  return isWithin ? undefined : 'the token holds another privilege'
}
