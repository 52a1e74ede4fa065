// The header-spoofing table (facts/security.md, A18 and 3c): whoever is not the gateway is nobody, whatever he writes.

import { describe, expect, it } from 'vitest'
import { isRefusal } from '../../src/errors.ts'
import { checkGateway, openGateway } from '../../src/identity/gateway.ts'
import { createIdentify } from '../../src/identity/identify.ts'
import { createReport } from '../../src/policy/faults.ts'

const document = { header: 'x-auth-request-user', trustedProxies: ['10.0.0.0/24', 'fd00::/8'] }
const current = 'current secret of the gateway'
const former = 'former secret of the gateway'
const gateway = openGateway(document, [current, former])
// Anonymous callers are allowed, so that a spoofer who is merely ignored would be accepted as one.
const identify = createIdentify({ gateway, allowsAnonymous: true })
const ask = async (peer: string, ...rawHeaders: string[]) => identify({ peer, rawHeaders })

const proxy = '10.0.0.7'
const secret = ['X-Gateway-Secret', current]
const alice = ['X-Auth-Request-User', 'alice']

describe('the gateway', () => {
  it.each([
    ['from its network', proxy, [...secret, ...alice]],
    ['over IPv6', 'fd00::7', [...secret, ...alice]],
    ['over an IPv4-mapped address', '::ffff:10.0.0.7', [...secret, ...alice]],
    ['with the former secret, while it is rotated', proxy, ['X-Gateway-Secret', former, ...alice]],
    [
      'with its headers in another order and case',
      proxy,
      ['x-auth-request-user', 'alice', 'X-GATEWAY-SECRET', current],
    ],
  ])('names the caller %s', async (_, peer, headers) => {
    expect(await ask(peer, ...headers)).toEqual({
      kind: 'gateway',
      source: 'gateway',
      subject: 'alice',
      claims: {},
      isAmbient: true,
    })
  })

  it('has a secret header of its own where the file says so', async () => {
    const own = createIdentify({
      gateway: openGateway({ ...document, secretHeader: 'x-edge' }, [current]),
      allowsAnonymous: false,
    })
    expect(await own({ peer: proxy, rawHeaders: ['X-Edge', current, ...alice] })).toMatchObject({ subject: 'alice' })
    expect(isRefusal(await own({ peer: proxy, rawHeaders: [...secret, ...alice] }))).toBe(true)
  })
})

const stranger = '203.0.113.9'
const spoofs: readonly [string, string, string[], string][] = [
  ['the header from a stranger', stranger, alice, 'unauthenticated security'],
  ['the header and the secret from a stranger', stranger, [...secret, ...alice], 'unauthenticated security'],
  [
    'X-Forwarded-For of the proxy',
    stranger,
    ['X-Forwarded-For', proxy, ...secret, ...alice],
    'unauthenticated security',
  ],
  ['X-Real-IP of the proxy', stranger, ['X-Real-IP', proxy, ...secret, ...alice], 'unauthenticated security'],
  ['Forwarded of the proxy', stranger, ['Forwarded', `for=${proxy}`, ...secret, ...alice], 'unauthenticated security'],
  ['the neighbouring network', '10.0.1.7', [...secret, ...alice], 'unauthenticated security'],
  ['a mapped address of another network', '::ffff:10.0.1.7', [...secret, ...alice], 'unauthenticated security'],
  ['loopback, which is not listed', '127.0.0.1', [...secret, ...alice], 'unauthenticated security'],
  ['no address', '', [...secret, ...alice], 'unauthenticated security'],
  ['no secret', proxy, alice, 'unauthenticated security'],
  ['an empty secret', proxy, ['X-Gateway-Secret', '', ...alice], 'unauthenticated security'],
  ['a wrong secret', proxy, ['X-Gateway-Secret', 'guess', ...alice], 'unauthenticated security'],
  ['half of the secret', proxy, ['X-Gateway-Secret', current.slice(0, 9), ...alice], 'unauthenticated security'],
  ['a secret in upper case', proxy, ['X-Gateway-Secret', current.toUpperCase(), ...alice], 'unauthenticated security'],
  ['both secrets in one', proxy, ['X-Gateway-Secret', `${current}, ${former}`, ...alice], 'unauthenticated security'],
  ['the secret twice', proxy, [...secret, ...secret, ...alice], 'unauthenticated security'],
  ['a guess before the secret', proxy, ['X-Gateway-Secret', 'guess', ...secret, ...alice], 'unauthenticated security'],
  ['two users', proxy, [...secret, 'X-Auth-Request-User', 'victim', ...alice], 'ambiguous_credentials'],
  ['two users in two cases', proxy, [...secret, 'x-auth-request-user', 'victim', ...alice], 'ambiguous_credentials'],
  ['two users in one header', proxy, [...secret, 'X-Auth-Request-User', 'victim, alice'], 'unauthenticated'],
  ['two users without a space', proxy, [...secret, 'X-Auth-Request-User', 'victim,alice'], 'unauthenticated'],
  ['no user', proxy, [...secret, 'X-Auth-Request-User', ''], 'unauthenticated'],
  ['a user with a space', proxy, [...secret, 'X-Auth-Request-User', 'ali ce'], 'unauthenticated'],
  ['a user with a newline', proxy, [...secret, 'X-Auth-Request-User', 'alice\nX'], 'unauthenticated'],
  ['a user in full width', proxy, [...secret, 'X-Auth-Request-User', 'ａlice'], 'unauthenticated'],
  ['a user of 256 characters', proxy, [...secret, 'X-Auth-Request-User', 'x'.repeat(256)], 'unauthenticated'],
  ['underscores', proxy, [...secret, 'X_Auth_Request_User', 'victim'], 'invalid_request'],
  ['one underscore', stranger, ['X-Auth-Request_User', 'victim'], 'invalid_request'],
  [
    'underscores beside the real header',
    proxy,
    [...secret, 'X_AUTH_REQUEST_USER', 'victim', ...alice],
    'invalid_request',
  ],
  ['underscores in the secret’s name', proxy, ['X_Gateway_Secret', current, ...alice], 'invalid_request'],
  [
    'a Bearer token beside the header',
    proxy,
    [...secret, ...alice, 'Authorization', 'Bearer x.y.z'],
    'ambiguous_credentials',
  ],
  ['a subject to act for', proxy, [...secret, ...alice, 'Usher-On-Behalf-Of', 'victim'], 'ambiguous_credentials'],
]

describe('a spoofed header', () => {
  it.each(spoofs)('is refused: %s', async (_, peer, headers, expected) => {
    const answer = await ask(peer, ...headers)
    if (!isRefusal(answer)) throw new Error(`accepted as ${answer.kind}`)
    const isSecurity = answer.detail?.startsWith('security:') === true
    expect(`${answer.reason}${isSecurity ? ' security' : ''}`).toBe(expected)
    expect(JSON.stringify(answer)).not.toContain(current)
  })

  it('is refused where no secret is configured: an empty list means nobody', () => {
    for (const secrets of [[], ['']])
      for (const given of [[], [''], [current]])
        expect(isRefusal(openGateway(document, secrets).identify(proxy, 'alice', given))).toBe(true)
  })
})

describe('the check of the gateway', () => {
  it('reports every network that is none', () => {
    const report = createReport()
    checkGateway({ ...document, trustedProxies: ['10.0.0.0/24', '0.0.0.0/0', 'gateway'] }, report)
    expect(report.faults.map(({ path }) => path)).toEqual([
      'callers.gateway.trustedProxies[1]',
      'callers.gateway.trustedProxies[2]',
    ])
  })
})
