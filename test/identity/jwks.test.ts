import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { keys, publicJwk, rsaToken, withRsa } from './forge.ts'
import { answerWith, drip, hang, type Idp, openIdp } from './idp.ts'
import { openIssuer, openWarmIssuer } from './issuer-under-test.ts'

const second = 1000
const minute = 60 * second
const hour = 60 * minute

const good = { keys: [publicJwk(keys.rsa, { kid: 'rsa' })] }
const rotated = { keys: [publicJwk(keys.stranger, { kid: 'new' })] }
const known = rsaToken()
const renewed = rsaToken({}, { kid: 'new' }, withRsa(keys.stranger.privateKey))
const unknown = (index: number) => rsaToken({}, { kid: `unknown-${index}` })

let idp: Idp
beforeEach(async () => {
  idp = await openIdp(answerWith(good))
})
afterEach(() => idp.kill())

const msOf = async (work: Promise<unknown>) => {
  const start = performance.now()
  await work
  return performance.now() - start
}

describe('before the first keys', () => {
  it('fetches nothing until somebody asks', () => {
    const { count } = openIssuer(idp.url)
    expect(count.fetches).toBe(0)
  })

  it('answers 50 callers at once with one fetch', async () => {
    const { ask, count } = openIssuer(idp.url)
    const answers = await Promise.all(Array.from({ length: 50 }, () => ask(known)))
    expect(new Set(answers)).toEqual(new Set(['ok']))
    expect(count.fetches).toBe(1)
  })

  it('says that identity is unavailable, not that the caller is wrong, while the IdP is dead', async () => {
    await idp.kill()
    const { ask, keySet } = openIssuer(idp.url)
    expect(await ask(known)).toBe('identity_unavailable')
    expect(keySet.state()).toEqual({ lastError: 'fetch failed: ECONNREFUSED' })
  })

  it('tries again 10 seconds after a failure, and not before', async () => {
    idp.answer = answerWith('', 500)
    const { ask, keySet, clock, count } = openIssuer(idp.url)
    await ask(known)
    idp.answer = answerWith(good)
    clock.ms = 10 * second - 1
    for (let call = 0; call < 20; call++) expect(await ask(known)).toBe('identity_unavailable')
    expect(count.fetches).toBe(1)
    clock.ms = 10 * second
    expect(await ask(known)).toBe('ok')
    expect(count.fetches).toBe(2)
    expect(keySet.state()).toEqual({ ageSeconds: 0 })
  })

  it('has one fetch under way at a time, however long that one takes', async () => {
    idp.answer = hang
    const { ask, clock, count } = openIssuer(idp.url)
    const first = ask(known)
    clock.ms = 11 * second
    await Promise.all([first, ask(known)])
    expect(count.fetches).toBe(1)
  })

  it.each([
    ['never answers', hang],
    ['never ends its answer', drip],
  ])('waits 2 seconds, once for all callers, for an IdP that %s', async (_, answer) => {
    idp.answer = answer
    const { ask, count } = openIssuer(idp.url)
    const asks = Promise.all(Array.from({ length: 20 }, () => ask(known)))
    const ms = await msOf(asks)
    expect(new Set(await asks)).toEqual(new Set(['identity_unavailable']))
    expect(ms).toBeGreaterThan(1900)
    expect(ms).toBeLessThan(3500)
    expect(count.fetches).toBe(1)
  })

  it('warms up without ever throwing', async () => {
    await idp.kill()
    await expect(openIssuer(idp.url).keySet.warm()).resolves.toBeUndefined()
  })
})

describe('while the IdP is away', () => {
  it('keeps known callers in for 24 hours, and tries once in 10 seconds', async () => {
    const { ask, keySet, clock, count } = await openWarmIssuer(idp.url)
    await idp.kill()
    for (clock.ms = minute; clock.ms <= 20 * minute; clock.ms += second) expect(await ask(known)).toBe('ok')
    expect(count.fetches).toBeGreaterThan(30)
    expect(count.fetches).toBeLessThanOrEqual(1 + (15 * 60) / 10)
    clock.ms = 24 * hour
    expect(await ask(known)).toBe('ok')
    await idp.revive()
    clock.ms += 10 * second
    expect(await ask(known)).toBe('ok')
    expect(keySet.state()).toEqual({ ageSeconds: 0 })
  })

  it('believes no key that is older than 24 hours', async () => {
    const { ask, clock } = await openWarmIssuer(idp.url)
    idp.answer = answerWith('', 503)
    clock.ms = 24 * hour + 1
    expect(await ask(known)).toBe('identity_unavailable')
    idp.answer = answerWith(good)
    clock.ms += 10 * second
    expect(await ask(known)).toBe('ok')
  })

  it('lets no known caller wait for an IdP that hangs', async () => {
    const { ask, clock, count } = await openWarmIssuer(idp.url)
    idp.answer = hang
    clock.ms = 6 * minute
    expect(await msOf(ask(known))).toBeLessThan(1900)
    expect(await ask(known)).toBe('ok')
    expect(count.fetches).toBe(2)
  })

  it('tells a forger from an outage: an unknown key is refused although the IdP is dead', async () => {
    const { ask, clock } = await openWarmIssuer(idp.url)
    await idp.kill()
    clock.ms = minute
    expect(await ask(unknown(1))).toBe('unauthenticated')
  })
})

describe('keys that change', () => {
  it('are renewed in the background after half their age', async () => {
    const { ask, keySet, clock, count } = await openWarmIssuer(idp.url)
    clock.ms = 5 * minute
    await ask(known)
    expect(count.fetches).toBe(1)
    clock.ms = 5 * minute + 1
    expect(await ask(known)).toBe('ok')
    await vi.waitFor(() => expect(keySet.state()).toEqual({ ageSeconds: 0 }))
    expect(count.fetches).toBe(2)
  })

  it('are seen after the cooldown of 30 seconds, and not before', async () => {
    const { ask, clock } = await openWarmIssuer(idp.url)
    idp.answer = answerWith(rotated)
    clock.ms = 30 * second - 1
    expect(await ask(renewed)).toBe('unauthenticated')
    clock.ms = 30 * second
    expect(await ask(renewed)).toBe('ok')
    expect(await ask(known)).toBe('unauthenticated')
  })

  it('are renewed before use after an idle time, so that a withdrawn one does not pass once more', async () => {
    const { ask, clock } = await openWarmIssuer(idp.url)
    idp.answer = answerWith(rotated)
    clock.ms = 10 * minute + 1
    expect(await ask(known)).toBe('unauthenticated')
  })

  it.each([
    [
      'one after the other',
      async (asks: (() => Promise<string>)[]) => {
        for (const ask of asks) await ask()
      },
    ],
    [
      'at once',
      async (asks: (() => Promise<string>)[]) => {
        await Promise.all(asks.map((ask) => ask()))
      },
    ],
  ])('cost one fetch in a cooldown, however many unknown ones come %s', async (_, run) => {
    const { ask, clock, count } = await openWarmIssuer(idp.url)
    const flood = Array.from({ length: 200 }, (_, index) => () => ask(unknown(index)))
    await run(flood)
    expect(count.fetches).toBe(1)
    clock.ms = 30 * second
    await run(flood)
    expect(count.fetches).toBe(2)
    clock.ms = 60 * second - 1
    await run(flood)
    expect(count.fetches).toBe(2)
    expect(await ask(known)).toBe('ok')
  })

  it('cost no more while the IdP is dead: a failure starts the cooldown too', async () => {
    const { ask, clock, count } = await openWarmIssuer(idp.url)
    await idp.kill()
    clock.ms = 30 * second
    for (let index = 0; index < 200; index++) expect(await ask(unknown(index))).toBe('unauthenticated')
    clock.ms = 60 * second - 1
    await ask(unknown(0))
    expect(count.fetches).toBe(2)
  })
})
