import { compare } from 'bcryptjs'
import { describe, expect, it } from 'vitest'
import { generateToken, isUrlSafeToken, natsTokenFault, toBcrypt } from '../../../src/providers/nats/static-token.ts'

const good = 'N4tsTokenForTheLab22xyz'
const ofLength = (length: number) => good.repeat(4).slice(0, length)

describe('a shared NATS token', () => {
  it.each([good, ofLength(10), ofLength(72), 'with-all.of_the~marks', "!#$%&'()*+,/:;<=>?@[]^{|}"])(
    'may be %s',
    (token) => {
      expect(natsTokenFault(token)).toBeUndefined()
    },
  )

  it.each([
    ['', 'shorter than 10'],
    [ofLength(9), 'shorter than 10'],
    [ofLength(73), 'longer than 72'],
    [`${good} x`, 'printable ASCII'],
    [`${good}\n`, 'printable ASCII'],
    [`${good}\x00`, 'printable ASCII'],
    [`${good}\x7f`, 'printable ASCII'],
    [`${good}é`, 'printable ASCII'],
    [`${good}\uff21`, 'printable ASCII'],
    ['aaaaaaaaaaaaaaaaaaaaaa', 'easy to guess'],
    ['abcdeabcdeabcde', 'easy to guess'],
    ['xCHANGEMEx-7Kq', 'easy to guess'],
    ['Change-Me-7Kq2', 'easy to guess'],
    ['your_token_7Kq', 'easy to guess'],
    ['<your-token-here>', 'easy to guess'],
    ['S3cr3t-7Kq29x', 'easy to guess'],
    ['7Kq29xPassWord', 'easy to guess'],
    ['example-7Kq29x', 'easy to guess'],
  ])('is refused as %j', (token, rule) => {
    expect(natsTokenFault(token)?.rule).toContain(rule)
  })

  // The prefixes that nats-server/server/auth.go takes for bcrypt, whatever follows.
  it.each(['$2a$', '$2b$', '$2x$', '$2y$'])('is refused as a hash that starts with %s', (prefix) => {
    expect(natsTokenFault(`${prefix}11$x7Kq29xZ`)?.rule).toContain('bcrypt hash')
  })

  it.each(['$2c$11$x7Kq29xZ', '$2a$1$x7Kq29xZab', 'x$2a$11$x7Kq29xZ'])(
    'may be %s, which only resembles one',
    (token) => {
      expect(natsTokenFault(token)).toBeUndefined()
    },
  )

  it('is never quoted in its fault', () => {
    for (const token of [`${good} x`, ofLength(73), 'xCHANGEMEx-7Kq', '$2a$11$x7Kq29xZ'])
      expect(JSON.stringify(natsTokenFault(token))).not.toContain(token)
  })

  it('is safe in a URL when all its characters are unreserved', () => {
    expect(isUrlSafeToken('azAZ09-_.~')).toBe(true)
    for (const character of '@:/?#%+&="\\ !$\'()*,;[]^é\n') expect(isUrlSafeToken(`${good}${character}`)).toBe(false)
    expect(isUrlSafeToken('')).toBe(false)
  })
})

describe('a generated token', () => {
  const tokens = Array.from({ length: 2_000 }, generateToken)

  it('is 22 characters of base62, the first a letter', () => {
    for (const token of tokens) expect(token).toMatch(/^[A-Za-z][A-Za-z0-9]{21}$/)
  })

  it('has no fault and is safe in a URL', () => {
    for (const token of tokens) expect([natsTokenFault(token), isUrlSafeToken(token)]).toEqual([undefined, true])
  })

  it('is another one each time, and uses the whole alphabet in every place', () => {
    expect(new Set(tokens).size).toBe(tokens.length)
    expect(new Set(tokens.map((token) => token[0])).size).toBe(52)
    for (let place = 1; place < 22; place++) expect(new Set(tokens.map((token) => token[place])).size).toBe(62)
  })
})

describe('the bcrypt form', () => {
  it('is a $2a$ hash of the given cost that fits this token and no other', async () => {
    const hash = await toBcrypt(good, 5)
    expect(hash).toMatch(/^\$2a\$05\$[./A-Za-z0-9]{53}$/)
    expect(await compare(good, hash)).toBe(true)
    expect(await compare(`${good}x`, hash)).toBe(false)
  })

  it('covers all of 72 bytes and is refused for more', async () => {
    const hash = await toBcrypt(ofLength(72), 4)
    expect(await compare(ofLength(72), hash)).toBe(true)
    expect(await compare(ofLength(71), hash)).toBe(false)
    await expect(toBcrypt(ofLength(73), 4)).rejects.toThrow(RangeError)
    await expect(toBcrypt('é'.repeat(37), 4)).rejects.toThrow(RangeError)
  })
})
