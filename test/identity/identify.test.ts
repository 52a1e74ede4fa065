import { describe, expect, it } from 'vitest'
import { isRefusal, refusal } from '../../src/errors.ts'
import { createApiKey, openApiKeys } from '../../src/identity/api-key.ts'
import { createIdentify } from '../../src/identity/identify.ts'
import { createVerifyJwt } from '../../src/identity/jwt.ts'
import { claimsOf, forge, issuers, keys, now, rsaHeader, rsaToken, tokenOf, withRsa } from './forge.ts'

const { key, id, sha256 } = createApiKey()
const sources = {
  verifyJwt: createVerifyJwt(issuers, now),
  assertionHeaders: ['x-assertion'],
  identifyApiKey: openApiKeys([{ id, name: 'billing', sha256, onBehalfOf: '[a-z]{1,9}' }], now),
  allowsAnonymous: true,
}
const identify = createIdentify(sources)
const peer = '203.0.113.9'
const ask = async (...rawHeaders: string[]) => {
  const answer = await identify({ peer, rawHeaders })
  return isRefusal(answer) ? answer.reason : `${answer.kind} ${answer.source} ${answer.subject}`
}

const token = rsaToken()
const bearer = (text: string) => ['Authorization', `Bearer ${text}`]

describe('one credential', () => {
  it.each([
    ['a JWT', bearer(token), 'jwt rsa alice'],
    ['a JWT, whatever the case', ['AUTHORIZATION', `bEARER ${token}`], 'jwt rsa alice'],
    ['an assertion', ['X-Assertion', tokenOf('asserted')], 'jwt asserted alice'],
    ['an API key', bearer(key), `apiKey ${id} undefined`],
    ['an API key for a user', [...bearer(key), 'usher-on-behalf-of', 'bob'], `apiKey ${id} bob`],
    ['none', ['Host', 'usher.example', 'Accept', '*/*'], 'anonymous anonymous undefined'],
  ])('identifies the caller: %s', async (_, headers, expected) => {
    expect(await ask(...headers)).toBe(expected)
  })

  it('is answered at once where nothing has to be fetched', () => {
    expect(identify({ peer, rawHeaders: bearer(key) })).toMatchObject({ kind: 'apiKey' })
    expect(identify({ peer, rawHeaders: [] })).toMatchObject({ kind: 'anonymous' })
  })

  it('passes on that its keys are unavailable', async () => {
    const verifyJwt = async () => refusal('identity_unavailable')
    const answer = await createIdentify({ ...sources, verifyJwt })({ peer, rawHeaders: bearer(token) })
    expect(isRefusal(answer) && answer.reason).toBe('identity_unavailable')
  })
})

describe('no credential', () => {
  it('is refused where no grant is for anonymous callers', () => {
    const answer = createIdentify({ ...sources, allowsAnonymous: false })({ peer, rawHeaders: ['Host', 'usher'] })
    expect(isRefusal(answer) && answer.reason).toBe('unauthenticated')
  })
})

describe('a bad credential', () => {
  const forged = forge(rsaHeader, claimsOf('rsa'), withRsa(keys.stranger.privateKey))
  it.each([
    ['a forged JWT', bearer(forged)],
    ['an unknown API key', bearer(createApiKey().key)],
    ['a garbled API key', bearer('tok_')],
    ['an empty header', ['Authorization', '']],
    ['a scheme alone', ['Authorization', 'Bearer']],
    ['a scheme and a space', ['Authorization', 'Bearer ']],
    ['no scheme', ['Authorization', token]],
    ['Basic', ['Authorization', 'Basic YWxpY2U6cHc=']],
    ['another scheme with a good token', ['Authorization', `DPoP ${token}`]],
    ['a scheme that begins like ours', ['Authorization', `Bearers ${token}`]],
    ['a tab in place of the space', ['Authorization', `Bearer\t${token}`]],
    ['two tokens', ['Authorization', `Bearer ${token} ${token}`]],
    ['two tokens with a comma', ['Authorization', `Bearer ${token},Bearer ${token}`]],
    ['a forged assertion', ['X-Assertion', forged]],
    ['an empty assertion', ['X-Assertion', '']],
    ['an assertion with a scheme', ['X-Assertion', `Bearer ${tokenOf('asserted')}`]],
    ['an assertion in Authorization', bearer(tokenOf('asserted'))],
    ['a bearer token as an assertion', ['X-Assertion', token]],
    ['an API key as an assertion', ['X-Assertion', key]],
  ])('never makes an anonymous caller: %s', async (_, headers) => {
    expect(await ask(...headers)).toBe('unauthenticated')
  })

  it.each([
    ['a JWT', bearer(token)],
    ['an API key', bearer(key)],
  ])('is what everything is where it is not configured: %s', async (_, rawHeaders) => {
    const answer = await createIdentify({ allowsAnonymous: true })({ peer, rawHeaders })
    expect(isRefusal(answer) && answer.reason).toBe('unauthenticated')
  })
})

describe('two credentials', () => {
  it.each([
    ['Authorization twice', [...bearer(token), ...bearer(token)]],
    ['a good and an empty Authorization', [...bearer(token), 'authorization', '']],
    ['a JWT and an API key', [...bearer(token), ...bearer(key)]],
    ['a JWT and an assertion', [...bearer(token), 'X-Assertion', tokenOf('asserted')]],
    ['an assertion twice', ['X-Assertion', tokenOf('asserted'), 'x-assertion', tokenOf('asserted')]],
    ['a JWT and somebody to act for', [...bearer(token), 'Usher-On-Behalf-Of', 'bob']],
    ['nothing and somebody to act for', ['Usher-On-Behalf-Of', 'bob']],
    ['an assertion and somebody to act for', ['X-Assertion', tokenOf('asserted'), 'Usher-On-Behalf-Of', 'bob']],
    ['an API key and two to act for', [...bearer(key), 'Usher-On-Behalf-Of', 'bob', 'usher-on-behalf-of', 'bob']],
    ['Basic and somebody to act for', ['Authorization', 'Basic YTpi', 'Usher-On-Behalf-Of', 'bob']],
  ])('are ambiguous: %s', async (_, headers) => {
    expect(await ask(...headers)).toBe('ambiguous_credentials')
  })
})

describe('a header spelled with underscores', () => {
  it.each(['X_Assertion', 'Usher_On_Behalf_Of', 'usher-on_behalf-of'])('is refused: %s', async (name) => {
    expect(await ask(...bearer(key), name, 'bob')).toBe('invalid_request')
  })

  it('is none of our business under any other name', async () => {
    expect(await ask(...bearer(key), 'x_request_id', '1')).toBe(`apiKey ${id} undefined`)
  })
})
