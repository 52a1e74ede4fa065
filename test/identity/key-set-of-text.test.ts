import { describe, expect, it } from 'vitest'
import { keySetOfText } from '../../src/identity/jwks.ts'
import { createVerifyJwt, type IssuerDocument } from '../../src/identity/jwt.ts'
import { issuers, keys, now, publicJwk, rsaToken } from './forge.ts'

describe('a key set from a file', () => {
  it('verifies tokens without a network', async () => {
    const keySet = keySetOfText(JSON.stringify({ keys: [publicJwk(keys.rsa)] }))
    if (typeof keySet === 'string') throw new Error(keySet)
    await keySet.warm()
    expect(keySet.state()).toEqual({})
    const verify = createVerifyJwt([{ document: issuers[0]?.document as IssuerDocument, keys: keySet }], now)
    expect(await verify(rsaToken({}, { kid: undefined }), undefined)).toMatchObject({ subject: 'alice' })
  })

  it.each([
    ['{"keys":[]}', 'has no public signature key'],
    ['[]', 'is not a JSON object with a list of keys'],
    ['', 'is not a JSON object with a list of keys'],
    [JSON.stringify({ keys: [keys.rsa.privateKey.export({ format: 'jwk' })] }), 'has no public signature key'],
  ])('says what is wrong with it: %.20s', (text, fault) => {
    expect(keySetOfText(text)).toBe(fault)
  })
})
