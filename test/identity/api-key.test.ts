import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { isRefusal } from '../../src/errors.ts'
import {
  type ApiKeyDocument,
  checkApiKeys,
  createApiKey,
  looksLikeApiKey,
  openApiKeys,
} from '../../src/identity/api-key.ts'
import { createReport } from '../../src/policy/faults.ts'
import { now, rsaToken } from './forge.ts'

const { key, id, sha256 } = createApiKey()
const other = createApiKey()
const billing: ApiKeyDocument = { id, name: 'billing', sha256, claims: { tenant: 'acme' } }
const open = (document: Partial<ApiKeyDocument> = {}) => openApiKeys([{ ...billing, ...document }], now)
const outcome = (answer: ReturnType<ReturnType<typeof open>>) =>
  isRefusal(answer) ? `${answer.reason}: ${answer.detail}` : 'ok'

describe('a new API key', () => {
  it('has the form that secret scanners look for', () => {
    expect(key).toMatch(/^tok_live_[a-z0-9]{10}_[A-Za-z0-9_-]{43}_[0-9A-Za-z]{6}$/)
    expect(createApiKey('test').key).toMatch(/^tok_test_/)
    expect(key.split('_')[2]).toBe(id)
    expect(sha256).toBe(createHash('sha256').update(key).digest('hex'))
  })

  it('ends with the CRC-32 of what stands before, in base 62', () => {
    const alphabet = [...'0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz']
    const value = [...key.slice(-6)].reduce((sum, digit) => sum * 62 + alphabet.indexOf(digit), 0)
    expect(value).toBe(crc32(key.slice(0, -7)))
  })

  it('is never the same twice', () => {
    expect(other.key).not.toBe(key)
    expect(other.id).not.toBe(id)
  })

  it('is told from a JWT', () => {
    expect(looksLikeApiKey(key)).toBe(true)
    expect(looksLikeApiKey(rsaToken())).toBe(false)
  })
})

describe('an API key', () => {
  it('identifies its client, with the claims of the file and nobody to act for', () => {
    expect(open()(key, undefined)).toEqual({ kind: 'apiKey', source: id, claims: { tenant: 'acme' } })
  })

  it('has claims that no request can change and no prototype can add to', () => {
    const caller = open()(key, undefined)
    if (isRefusal(caller)) throw new Error(caller.detail)
    expect(Object.isFrozen(caller.claims)).toBe(true)
    expect(caller.claims['constructor']).toBeUndefined()
  })

  const garbled = `API key ${id} is unknown or wrong`
  it.each([
    ['an unknown id', other.key, `API key ${other.id} is unknown or wrong`],
    ['its id on another secret', withChecksum(other.key.slice(0, -7).replace(other.id, id)), garbled],
    ['another environment', withChecksum(key.slice(0, -7).replace('live', 'test')), garbled],
    ['one character of the secret changed', withChecksum(changed(key.slice(0, -7), 30)), garbled],
    ['one character mistyped', changed(key, 30), 'the API key is garbled: its checksum is wrong'],
    ['no checksum', key.slice(0, -7), 'the API key is malformed'],
    ['its id alone', `tok_live_${id}`, 'the API key is malformed'],
    ['its digest', `tok_live_${id}_${sha256}`, 'the API key is malformed'],
    ['something after it', `${key}0`, 'the API key is malformed'],
    ['upper case', key.toUpperCase(), 'the API key is malformed'],
    ['nothing', '', 'the API key is malformed'],
  ])('is refused with %s', (_, text, detail) => {
    const answer = open()(text, undefined)
    expect(outcome(answer)).toBe(`unauthenticated: ${detail}`)
    expect(JSON.stringify(answer)).not.toContain(key.slice(20, 50))
  })

  it('ends with the day of notAfter in UTC, and says so', () => {
    // 1 800 000 000 is 2027-01-15T08:00:00Z.
    expect(open({ notAfter: '2027-01-15' })(key, undefined)).toMatchObject({ expiresAt: 1_800_057_600 })
    expect(outcome(open({ notAfter: '2027-01-14' })(key, undefined))).toBe(`unauthenticated: API key ${id} has ended`)
    expect(outcome(open({ notAfter: '2027-01-15T08:00:01Z' })(key, undefined))).toBe('ok')
    expect(outcome(open({ notAfter: '2027-01-15T08:00:00Z' })(key, undefined))).toContain('has ended')
  })
})

describe('Usher-On-Behalf-Of', () => {
  const acting = open({ onBehalfOf: 'user-[0-9]{1,4}' })

  it('names the subject where the whole of it is in the pattern', () => {
    expect(acting(key, 'user-42')).toMatchObject({ kind: 'apiKey', source: id, subject: 'user-42' })
    expect(acting(key, undefined)).not.toHaveProperty('subject')
  })

  it.each([
    '',
    'user-',
    'user-12345',
    'xuser-1',
    'user-1x',
    'user-1 ',
    'user-1\n',
    'User-1',
    '*',
    'ｕser-1',
    'user-1,user-2',
  ])('is refused outside the pattern: %j', (subject) => {
    expect(outcome(acting(key, subject))).toContain('not_on_behalf')
  })

  it('is refused to a key that may act for nobody', () => {
    expect(outcome(open()(key, 'user-42'))).toContain('not_on_behalf')
  })

  it('does not make a wrong key right', () => {
    expect(outcome(acting(other.key, 'user-42'))).toContain('unauthenticated')
  })
})

describe('the check of apiKeys', () => {
  const faultsOf = (...documents: ApiKeyDocument[]) => {
    const report = createReport()
    checkApiKeys(documents, now, report)
    return report.faults.map(({ severity, path }) => `${severity} ${path}`)
  }

  it('finds nothing wrong with a good list', () => {
    expect(
      faultsOf({ ...billing, notAfter: '2028-02-29', onBehalfOf: '[a-z]{1,9}' }, { ...billing, id: other.id }),
    ).toEqual([])
  })

  it.each([
    ['an id that is used twice', [billing, billing], 'fault callers.apiKeys[1].id'],
    ['a pattern without a bound', [{ ...billing, onBehalfOf: '.*' }], 'fault callers.apiKeys[0].onBehalfOf'],
    ['a day that does not exist', [{ ...billing, notAfter: '2027-02-31' }], 'fault callers.apiKeys[0].notAfter'],
    [
      'a time that does not exist',
      [{ ...billing, notAfter: '2027-02-28T25:00:00Z' }],
      'fault callers.apiKeys[0].notAfter',
    ],
    ['a key that has ended', [{ ...billing, notAfter: '2020-01-01' }], 'warning callers.apiKeys[0].notAfter'],
  ])('reports %s', (_, documents, fault) => {
    expect(faultsOf(...documents)).toEqual([fault])
  })

  it.each([{ notAfter: '2027-02-31' }, { onBehalfOf: '.*' }])('is not to be skipped: %j does not open', (document) => {
    expect(() => open(document)).toThrow(TypeError)
  })
})

function changed(text: string, at: number): string {
  return `${text.slice(0, at)}${text[at] === 'A' ? 'B' : 'A'}${text.slice(at + 1)}`
}

/** Written a second time on purpose: the checksum is no secret, so a forger gets it right. */
function withChecksum(body: string): string {
  const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
  let digits = ''
  for (let rest = crc32(body); rest > 0; rest = Math.floor(rest / 62)) digits = alphabet[rest % 62] + digits
  return `${body}_${digits.padStart(6, '0')}`
}
