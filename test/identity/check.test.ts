import { describe, expect, it } from 'vitest'
import { checkCallers } from '../../src/identity/check.ts'
import type { IssuerDocument } from '../../src/identity/jwt.ts'
import { createReport } from '../../src/policy/faults.ts'
import type { CallersDocument } from '../../src/policy/schema.ts'

const issuer = (name: string, rest: Partial<IssuerDocument> = {}): IssuerDocument => ({
  name,
  issuer: `https://${name}.example/`,
  jwksUri: `https://${name}.example/jwks`,
  audience: ['realtime'],
  algorithms: ['RS256'],
  ...rest,
})
const apiKey = { id: 'k7f3a2c1', name: 'billing', sha256: '00'.repeat(32) }
const gateway = { header: 'x-user', trustedProxies: ['10.0.0.0/24'] }
const pathsOf = (callers: CallersDocument) => {
  const report = createReport()
  checkCallers(callers, report)
  return report.faults.map(({ path }) => path)
}

describe('the check of callers', () => {
  it('finds nothing wrong with sources that cannot be mistaken for each other', () => {
    const jwt = [issuer('main'), issuer('one', { header: 'x-assertion' }), issuer('two', { header: 'x-assertion' })]
    expect(pathsOf({ jwt, apiKeys: [apiKey], gateway })).toEqual([])
    expect(pathsOf({})).toEqual([])
  })

  it.each<[string, CallersDocument, string]>([
    [
      'two issuers of one iss',
      { jwt: [issuer('a'), issuer('b', { issuer: 'https://a.example/' })] },
      'callers.jwt[1].issuer',
    ],
    ['two issuers of one name', { jwt: [issuer('a'), issuer('a', { issuer: 'https://b/' })] }, 'callers.jwt[1].name'],
    ['an issuer named like the gateway', { jwt: [issuer('gateway')] }, 'callers.jwt[0].name'],
    ['an issuer named like an API key', { jwt: [issuer('k7f3a2c1')], apiKeys: [apiKey] }, 'callers.jwt[0].name'],
    ['an assertion in Authorization', { jwt: [issuer('a', { header: 'authorization' })] }, 'callers.jwt[0].header'],
    [
      'an assertion in the gateway’s header',
      { jwt: [issuer('a', { header: 'x-user' })], gateway },
      'callers.gateway.header',
    ],
    [
      'a gateway in Usher-On-Behalf-Of',
      { gateway: { ...gateway, header: 'usher-on-behalf-of' } },
      'callers.gateway.header',
    ],
    [
      'a secret in the user’s header',
      { gateway: { ...gateway, secretHeader: 'x-user' } },
      'callers.gateway.secretHeader',
    ],
    [
      'a user in the secret’s header',
      { gateway: { ...gateway, header: 'x-gateway-secret' } },
      'callers.gateway.secretHeader',
    ],
    ['a network that is none', { gateway: { ...gateway, trustedProxies: ['*'] } }, 'callers.gateway.trustedProxies[0]'],
    ['an API key used twice', { apiKeys: [apiKey, apiKey] }, 'callers.apiKeys[1].id'],
    ['two places for keys', { jwt: [issuer('a', { jwksFile: 'jwks.json' })] }, 'callers.jwt[0]'],
    ['keys over http', { jwt: [issuer('a', { jwksUri: 'http://a.example/jwks' })] }, 'callers.jwt[0].jwksUri'],
    [
      'keys over http from a namesake',
      { jwt: [issuer('a', { jwksUri: 'http://localhost.evil/' })] },
      'callers.jwt[0].jwksUri',
    ],
    ['keys with a password', { jwt: [issuer('a', { jwksUri: 'https://u:p@a.example/' })] }, 'callers.jwt[0].jwksUri'],
    ['keys in a file address', { jwt: [issuer('a', { jwksUri: 'file:///etc/jwks' })] }, 'callers.jwt[0].jwksUri'],
    ['keys nowhere', { jwt: [issuer('a', { jwksUri: 'jwks' })] }, 'callers.jwt[0].jwksUri'],
    ['a tolerance of an hour', { jwt: [issuer('a', { clockTolerance: '1h' })] }, 'callers.jwt[0].clockTolerance'],
  ])('reports %s', (_, callers, path) => {
    expect(pathsOf(callers)).toEqual([path])
  })

  it.each(['http://localhost:9000/jwks', 'http://127.0.0.1/jwks', 'http://[::1]/jwks'])('lets %s be', (jwksUri) => {
    expect(pathsOf({ jwt: [issuer('a', { jwksUri })] })).toEqual([])
  })

  it('asks for one place of the keys', () => {
    const { jwksUri: _, ...keyless } = issuer('a')
    expect(pathsOf({ jwt: [keyless] })).toEqual(['callers.jwt[0]'])
  })
})
