import { describe, expect, it } from 'vitest'
import { isRefusal } from '../../../src/errors.ts'
import { isClientId, parseAblyAsk } from '../../../src/providers/ably/ask.ts'
import { toText } from '../../../src/providers/ably/capability.ts'
import { nameOfTrap, trapTexts, trapValues } from '../../trap-values.ts'

/** The ask, its capability as text; or the field that a refusal names. */
const read = (input: unknown) => {
  const ask = parseAblyAsk(input)
  if (!isRefusal(ask))
    return { ...ask, ...(ask.capability === undefined ? {} : { capability: toText(ask.capability) }) }
  expect(ask.reason).toBe('invalid_request')
  return ask.message.split(':')[0]
}
const capability = '{"b":["subscribe"],"a":["publish"]}'
const canonical = '{"a":["publish"],"b":["subscribe"]}'

describe('an ask to Ably', () => {
  it.each<[string, object, object]>([
    ['that is empty', {}, { mode: 'request' }],
    ['with a clientId', { clientId: 'alice' }, { mode: 'request', clientId: 'alice' }],
    ['with client_id, as ably-python writes it', { client_id: 'alice' }, { mode: 'request', clientId: 'alice' }],
    ['with both, alike', { clientId: 'alice', client_id: 'alice' }, { mode: 'request', clientId: 'alice' }],
    ['with one of them empty', { clientId: '', client_id: 'alice' }, { mode: 'request', clientId: 'alice' }],
    ['with an empty clientId, as SDKs in Node send it', { clientId: '' }, { mode: 'request' }],
    ['with the clientId "null", as browsers send it', { clientId: 'null' }, { mode: 'request' }],
    ['with a clientId of null', { clientId: null }, { mode: 'request' }],
    ['with an e-mail address', { clientId: 'a@b.example' }, { mode: 'request', clientId: 'a@b.example' }],
    ['with a capability as text', { capability }, { mode: 'request', capability: canonical }],
    [
      'with a capability as an object',
      { capability: JSON.parse(capability) },
      { mode: 'request', capability: canonical },
    ],
    ['with an empty text for a capability', { capability: '' }, { mode: 'request' }],
    ['with a ttl', { ttl: 60_000 }, { mode: 'request', ttlMs: 60_000 }],
    ['with a ttl as text', { ttl: '60000' }, { mode: 'request', ttlMs: 60_000 }],
    ['with an empty ttl', { ttl: '' }, { mode: 'request' }],
    ['for a token', { mode: 'token' }, { mode: 'token' }],
    [
      'with what SDKs send besides',
      { rnd: '123', format: 'json', timestamp: '1', nonce: 'mine', mac: 'mine', keyName: 'mine', issued: 1 },
      { mode: 'request' },
    ],
  ])('%s is taken', (_what, input, ask) => {
    expect(read(input)).toEqual(ask)
  })

  it.each<[string, unknown, string]>([
    ['with two clientIds', { clientId: ['alice', 'bob'] }, 'clientId'],
    ['with one clientId in a list', { clientId: ['alice'] }, 'clientId'],
    ['with two that contradict', { clientId: 'alice', client_id: 'bob' }, 'clientId'],
    ['with two capabilities', { capability: [capability, capability] }, 'capability'],
    ['with two lifetimes', { ttl: ['1', '2'] }, 'ttl'],
    ['with two modes', { mode: ['request', 'token'] }, 'mode'],
    ['with any clientId', { clientId: '*' }, 'clientId'],
    ['with a * in its clientId', { clientId: 'a*' }, 'clientId'],
    ['with a line break in its clientId, which would shift what is signed', { clientId: 'a\n1\nx' }, 'clientId'],
    ['with a number for a clientId', { clientId: 7 }, 'clientId'],
    ['with 0 for a clientId', { clientId: 0 }, 'clientId'],
    ['with an object for a clientId', { clientId: { toString: 'a' } }, 'clientId'],
    ['with a clientId that is too long', { clientId: 'a'.repeat(256) }, 'clientId'],
    ['with an empty capability', { capability: '{}' }, 'capability'],
    ['with an empty object for a capability', { capability: {} }, 'capability'],
    ['with a capability that is no JSON', { capability: '{"a":' }, 'capability'],
    ['with a number for a capability', { capability: 7 }, 'capability'],
    ['with false for a capability', { capability: false }, 'capability'],
    ['with a ttl of 0, which is an hour to Ably', { ttl: 0 }, 'ttl'],
    ['with a ttl of "0"', { ttl: '0' }, 'ttl'],
    ['with a negative ttl', { ttl: -1 }, 'ttl'],
    ['with a fraction', { ttl: 1.5 }, 'ttl'],
    ['with a ttl above 24 hours', { ttl: 86_400_001 }, 'ttl'],
    ['with a ttl in another notation', { ttl: '1e3' }, 'ttl'],
    ['with a ttl that goes on after a line break', { ttl: '3600000\n{"*":["*"]}' }, 'ttl'],
    ['with a ttl of true', { ttl: true }, 'ttl'],
    ['in another mode', { mode: 'jwt' }, 'mode'],
    ['in a mode of an object', { mode: 'constructor' }, 'mode'],
    ['in an empty mode', { mode: '' }, 'mode'],
    ['that is a list', [], 'body'],
    ['that is a text', 'clientId=alice', 'body'],
    ['that is null', null, 'body'],
    ['that is nothing', undefined, 'body'],
  ])('%s is refused', (_what, input, field) => {
    expect(read(input)).toBe(field)
  })

  it.each(trapValues.map((value) => [nameOfTrap(value), value]))(
    'with a clientId that is %s has that very one, or none',
    (_name, value) => {
      const ask = read({ clientId: value })
      if (typeof ask === 'object' && ask.clientId !== undefined) expect(ask.clientId).toBe(value)
      else if (typeof ask === 'object') expect(['', 'null', 'undefined', null, undefined]).toContain(value)
      else expect(ask).toBe('clientId')
    },
  )

  it.each(trapValues.map((value) => [nameOfTrap(value), value]))(
    'with %s in every field does not throw',
    (_name, value) => {
      for (const field of ['clientId', 'client_id', 'capability', 'ttl', 'mode']) {
        const ask = read({ [field]: value })
        if (typeof ask === 'object' && ask.ttlMs !== undefined) expect([0, -1]).not.toContain(ask.ttlMs)
      }
    },
  )
})

describe('a clientId', () => {
  it('is 1 to 255 printable characters without *', () => {
    const chars = Array.from({ length: 0x250 }, (_, code) => String.fromCharCode(code))
    expect(chars.filter(isClientId).join('')).toBe(
      Array.from({ length: 95 }, (_, index) => String.fromCharCode(32 + index))
        .filter((it) => it !== '*')
        .join(''),
    )
    expect(['', 'a', 'a'.repeat(255), 'a'.repeat(256)].map(isClientId)).toEqual([false, true, true, false])
    expect(trapTexts.filter((text) => isClientId(text) && /[*\n\r\0\t]|[^ -~]/.test(text))).toEqual([])
  })
})
