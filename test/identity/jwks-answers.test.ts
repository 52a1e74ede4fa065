import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { keys, publicJwk, rsaToken } from './forge.ts'
import { answerWith, type Idp, openIdp } from './idp.ts'
import { openIssuer, openWarmIssuer } from './issuer-under-test.ts'

const good = { keys: [publicJwk(keys.rsa, { kid: 'rsa' })] }
const known = rsaToken()

let idp: Idp
beforeEach(async () => {
  idp = await openIdp(answerWith(good))
})
afterEach(() => idp.kill())

describe('an answer that is not a key set', () => {
  const many = Array.from({ length: 101 }, (_, index) => publicJwk(keys.rsa, { kid: String(index) }))
  const privateJwk = { ...keys.rsa.privateKey.export({ format: 'jwk' }), kid: 'rsa' }
  const bad = [
    ['an empty set', answerWith({ keys: [] }), 'the key set has no public signature key'],
    ['an empty answer', answerWith(''), 'the key set is not a JSON object with a list of keys'],
    ['an error page', answerWith('<html>sorry</html>'), 'the key set is not a JSON object with a list of keys'],
    ['a list', answerWith([publicJwk(keys.rsa)]), 'the key set is not a JSON object with a list of keys'],
    ['null', answerWith('null'), 'the key set is not a JSON object with a list of keys'],
    ['keys that are an object', answerWith({ keys: { 0: publicJwk(keys.rsa) } }), 'is not a JSON object with a list'],
    ['101 keys', answerWith({ keys: many }), 'the key set has more than 100 keys'],
    ['a private key', answerWith({ keys: [privateJwk] }), 'the key set has no public signature key'],
    ['a symmetric key', answerWith({ keys: [{ kty: 'oct', k: 'AAAA' }] }), 'has no public signature key'],
    ['an encryption key', answerWith({ keys: [publicJwk(keys.rsa, { use: 'enc' })] }), 'has no public signature key'],
    [
      'a key for other work',
      answerWith({ keys: [publicJwk(keys.rsa, { key_ops: ['wrapKey'] })] }),
      'no public signature key',
    ],
    ['a key of 1024 bits', answerWith({ keys: [publicJwk(keys.weak)] }), 'no public signature key'],
    ['a key without numbers', answerWith({ keys: [{ kty: 'RSA' }, null, 7] }), 'no public signature key'],
    ['a good set of 300 KiB', answerWith({ pad: 'x'.repeat(300 * 1024), ...good }), 'larger than 262144 bytes'],
    ['a good set with status 500', answerWith(good, 500), 'the answer has status 500'],
    ['no content', answerWith('', 204), 'the answer has status 204'],
  ] as const

  it.each(bad)('does not replace the last good one: %s', async (_, answer, error) => {
    const { ask, keySet, clock, count } = await openWarmIssuer(idp.url)
    idp.answer = answer
    clock.ms = 600_001
    expect(await ask(known)).toBe('ok')
    expect(count.fetches).toBe(2)
    expect(keySet.state()).toMatchObject({ ageSeconds: 600, lastError: expect.stringContaining(error) })
  })

  it.each(bad)('is no first one: %s', async (_, answer) => {
    idp.answer = answer
    expect(await openIssuer(idp.url).ask(known)).toBe('identity_unavailable')
  })

  it('is not read to its end when it has none', async () => {
    let sent = 0
    let closed = false
    idp.answer = (_, reply) => {
      const chunk = Buffer.alloc(64 * 1024, ' ')
      const pour = () => {
        while (!reply.destroyed && reply.write(chunk)) sent += chunk.length
      }
      reply.on('drain', pour).on('close', () => {
        closed = true
      })
      pour()
    }
    expect(await openIssuer(idp.url).ask(known)).toBe('identity_unavailable')
    await vi.waitFor(() => expect(closed).toBe(true))
    expect(sent).toBeLessThan(16 * 1024 * 1024)
  })

  it('is not looked for elsewhere: a redirect is refused', async () => {
    idp.answer = (request, reply) => {
      if (request.url === '/elsewhere') reply.end(JSON.stringify(good))
      else reply.writeHead(302, { location: '/elsewhere' }).end()
    }
    expect(await openIssuer(idp.url).ask(known)).toBe('identity_unavailable')
    expect(idp.requests).toEqual(['/jwks'])
  })

  it('loses its private and symmetric keys and keeps the public ones', async () => {
    const shared = { kty: 'oct', k: 'AAAA', kid: 'shared' }
    idp.answer = answerWith({ keys: [{ ...privateJwk, kid: 'private' }, shared, null, ...good.keys] })
    const { ask } = openIssuer(idp.url)
    expect(await ask(known)).toBe('ok')
    expect(await ask(rsaToken({}, { kid: 'private' }))).toBe('unauthenticated')
  })
})
