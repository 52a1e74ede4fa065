// One issuer whose keys come from a real IdP, on a clock that the test moves.

import { isRefusal, type Reason } from '../../src/errors.ts'
import { type KeySet, openKeySet } from '../../src/identity/jwks.ts'
import { createVerifyJwt, type IssuerDocument } from '../../src/identity/jwt.ts'
import { issuers, now, rsaToken } from './forge.ts'

export interface IssuerUnderTest {
  readonly keySet: KeySet
  readonly clock: { ms: number }
  /** Fetches that were begun, whether or not they reached the IdP. */
  readonly count: { fetches: number }
  /** What the caller with this token is told. */
  ask(token: string): Promise<'ok' | Reason>
}

export function openIssuer(url: string): IssuerUnderTest {
  const clock = { ms: 0 }
  const count = { fetches: 0 }
  const keySet = openKeySet({
    url,
    now: () => clock.ms,
    fetch: (...args) => {
      count.fetches++
      return fetch(...args)
    },
  })
  const verify = createVerifyJwt([{ document: issuers[0]?.document as IssuerDocument, keys: keySet }], now)
  const ask = async (token: string) => {
    const answer = await verify(token, undefined)
    return isRefusal(answer) ? answer.reason : 'ok'
  }
  return { keySet, clock, count, ask }
}

/** An issuer whose keys were fetched at time 0. */
export async function openWarmIssuer(url: string): Promise<IssuerUnderTest> {
  const issuer = openIssuer(url)
  await issuer.keySet.warm()
  if ((await issuer.ask(rsaToken())) !== 'ok' || issuer.count.fetches !== 1) throw new Error('not warm')
  return issuer
}
