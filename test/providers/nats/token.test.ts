// The token of callout mode: what was sealed opens as the same, and nothing else opens.

import { createHmac, randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import {
  fromPayload,
  maxTokenBytes,
  openTokenKeys,
  prefix,
  type TokenContent,
  tokenKeysFault,
  toPayload,
} from '../../../src/providers/nats/token.ts'
import { trapTexts } from '../../trap-values.ts'

const newSecret = () => randomBytes(32).toString('base64url')
const [first, second] = [newSecret(), newSecret()]
const keys = openTokenKeys(`k1:${first}`)
const base64url = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

const content: TokenContent = {
  serial: 'm7MRJSPON8dwp1bH',
  basis: {
    caller: { kind: 'jwt', source: 'main', subject: 'alice' },
    grantIds: ['bus'],
    values: { tenant: 'acme', uid: 7, roles: ['host', 'guest'] },
    origin: 'Zm9vYmFyYmF',
  },
  issuedAt: 1_795_219_200,
  lifetime: 600,
  asked: {},
}
const token = keys.seal(toPayload(content))

/** A token as the format says it, made without src/: the key decides, and not whose code wrote it. */
function sealedBy(secret: string, body: string): string {
  return `${body}.${createHmac('sha256', Buffer.from(secret, 'base64url')).update(body).digest('base64url')}`
}
const bodyOf = (payload: unknown, id = 'k1') =>
  `ntk_${id}.${Buffer.from(JSON.stringify(payload)).toString('base64url')}`

describe('a token', () => {
  it('is prefix, key id, payload and HMAC-SHA256, of characters that no URL changes', () => {
    expect(token).toMatch(/^ntk_k1\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{43}$/)
    expect(token).toMatch(/^[A-Za-z0-9\-._~]+$/)
    expect(token.startsWith(prefix)).toBe(true)
    expect(sealedBy(first, token.slice(0, token.lastIndexOf('.')))).toBe(token)
    expect(encodeURIComponent(token)).toBe(token)
    expect(new URL(`nats://${token}@host:4222`).username).toBe(token)
  })

  it.each<[string, Partial<TokenContent>]>([
    ['of a user', {}],
    ['of a caller without subject', { basis: { ...content.basis, caller: { kind: 'apiKey', source: 'k7f3a2c1' } } }],
    [
      'of an anonymous caller',
      { basis: { caller: { kind: 'anonymous', source: 'anonymous' }, grantIds: ['a'], values: {}, origin: '' } },
    ],
    [
      'of a user with a subject of marks',
      { basis: { ...content.basis, caller: { kind: 'jwt', source: 'main', subject: '"/:\\{}$&' } } },
    ],
    [
      'with a var that is named like a member of every object',
      { basis: { ...content.basis, values: { toString: 'x', constructor: 'y' } } },
    ],
    [
      'that was asked for whole',
      { asked: { account: 'APP', publish: ['a.b'], subscribe: ['c q'], connectionTypes: ['mqtt'] } },
    ],
    ['that was asked for with nothing on a side', { asked: { publish: [], subscribe: [] } }],
  ])('%s opens as what it was', (_what, change) => {
    const whole = { ...content, ...change }
    expect(fromPayload(keys.open(keys.seal(toPayload(whole))))).toEqual(whole)
  })

  it('of another kind of payload is not a user’s', () => {
    expect(fromPayload(keys.open(keys.seal({ canary: 'x', t: 1 })))).toBeUndefined()
    expect(fromPayload({})).toBeUndefined()
  })
})

describe('nothing else opens', () => {
  it('not with any one character another one: every place, every character', () => {
    const opened: string[] = []
    for (let at = 0; at < token.length; at++)
      for (const char of `${base64url}.~= `) {
        const other = token.slice(0, at) + char + token.slice(at + 1)
        if (other !== token && keys.open(other) !== undefined) opened.push(other)
      }
    expect(opened).toEqual([])
    expect(keys.open(token)).toBeDefined()
  })

  it('not by another text of the same MAC: its last character has two bits that mean nothing', () => {
    const last = base64url.indexOf(token.at(-1) as string)
    const twins = [0, 1, 2, 3].map((bits) => token.slice(0, -1) + base64url[(last & ~3) | bits])
    expect(new Set(twins.map((twin) => Buffer.from(twin.slice(-43), 'base64url').toString('hex'))).size).toBe(1)
    expect(twins.filter((twin) => keys.open(twin) !== undefined)).toEqual([token])
  })

  it.each<[string, string]>([
    ['cut off', token.slice(0, -1)],
    ['without its MAC', token.slice(0, token.lastIndexOf('.'))],
    ['with an empty MAC', token.slice(0, token.lastIndexOf('.') + 1)],
    ['without its payload', `ntk_k1..${token.slice(-43)}`],
    ['with one more character', `${token}A`],
    ['with padding', `${token}=`],
    ['with a line break', `${token}\n`],
    ['with a space before it', ` ${token}`],
    ['in capitals', token.toUpperCase()],
    ['without prefix', token.slice(4)],
    ['with another prefix', token.replace('ntk_', 'nta_')],
    ['in standard base64', token.replaceAll('-', '+').replaceAll('_', '/')],
    ['twice', `${token}.${token}`],
    ['with a key id of nothing', token.replace('ntk_k1', 'ntk_')],
    ['with a key id that is no id', token.replace('ntk_k1', 'ntk_K1')],
    ['with a key id of every object', token.replace('ntk_k1', 'ntk_toString')],
    ['a JWT', 'eyJhbGciOiJub25lIn0.e30.'],
  ])('not a token %s', (_what, text) => expect(keys.open(text)).toBeUndefined())

  it.each(trapTexts)('not %j, and it throws nothing', (text) => {
    for (const trap of [text, `ntk_${text}`, `ntk_k1.${text}.${token.slice(-43)}`, `${token}${text}`])
      if (trap !== token) expect(keys.open(trap)).toBeUndefined()
  })

  it('not what another key signed, under its own id or under ours', () => {
    expect(keys.open(sealedBy(second, bodyOf(toPayload(content))))).toBeUndefined()
    expect(keys.open(sealedBy(second, bodyOf(toPayload(content), 'k2')))).toBeUndefined()
    expect(keys.open(openTokenKeys(`k2:${second}`).seal(toPayload(content)))).toBeUndefined()
    expect(keys.open(sealedBy(first, bodyOf(toPayload(content))))).toBeDefined()
  })

  it('not what is longer than a token may be, whoever signed it', () => {
    const long = (length: number) => sealedBy(first, `ntk_k1.${'A'.repeat(length - 51)}`)
    expect(long(maxTokenBytes)).toHaveLength(maxTokenBytes)
    expect(() => keys.open(long(maxTokenBytes))).toThrow(SyntaxError)
    expect(keys.open(long(maxTokenBytes + 1))).toBeUndefined()
  })
})

describe('while keys are rotated', () => {
  it('the first signs, all open, and one that is gone opens nothing', () => {
    const both = openTokenKeys(`k2:${second},k1:${first}`)
    expect(both.seal(toPayload(content))).toMatch(/^ntk_k2\./)
    expect(both.open(token)).toBeDefined()
    expect(openTokenKeys(`k1:${first}, k2:${second}`).open(both.seal({}))).toEqual({})
    expect(openTokenKeys(`k2:${second}`).open(token)).toBeUndefined()
  })

  it('a token does not pass for one of the other key by its id', () => {
    const both = openTokenKeys(`k2:${second},k1:${first}`)
    expect(both.open(token.replace('ntk_k1', 'ntk_k2'))).toBeUndefined()
  })

  it('an id that is used again with another secret opens nothing of before', () => {
    expect(openTokenKeys(`k1:${second}`).open(token)).toBeUndefined()
  })
})

describe('NATS_TOKEN_KEYS', () => {
  it.each([`k1:${first}`, `k2:${second},k1:${first}`, `k2:${second} , k1:${first},`, `0:${first}`])(
    'may be %j',
    (text) => expect(tokenKeysFault(text)).toBeUndefined(),
  )

  it.each<[string, string]>([
    ['nothing', ''],
    ['commas', ','],
    ['no id', first],
    ['an empty id', `:${first}`],
    ['an id in capitals', `K1:${first}`],
    ['a long id', `k12345678:${first}`],
    ['an id with a dot, which would divide the token', `k.1:${first}`],
    ['a short secret', `k1:${first.slice(1)}`],
    ['a long secret', `k1:${first}A`],
    ['standard base64', `k1:${'+'.repeat(2)}${first.slice(2)}`],
    ['an id twice', `k1:${first},k1:${second}`],
    ['a secret that is not random', `k1:${'A'.repeat(43)}`],
    ['a second secret that is not random', `k1:${first},k2:${'abcdefgh'.repeat(6).slice(0, 43)}`],
    ['a line break', `k1:${first}\nk2:${second}`],
  ])('may not be %s', (_what, text) => {
    const fault = tokenKeysFault(text)
    expect(fault?.mend).toMatch(/\w/)
    expect(JSON.stringify(fault)).not.toContain(first)
  })
})
