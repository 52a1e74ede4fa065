// /nats/token for users of their own, over the wire: the answer whole, the refusals, and nothing of a token or a key anywhere else.

import { afterAll, describe, expect, it } from 'vitest'
import { fingerprint } from '../../src/audit.ts'
import { createSeed, publicNkeyOf } from '../../src/providers/nats/nkeys.ts'
import { expectRefusal, expectSafeHeaders, toAnswer } from './answers.ts'
import { bearer, callers, secrets, testService } from './test-app.ts'

const signing = createSeed('account')
const scoped = createSeed('account')
const account = publicNkeyOf(createSeed('account'), 'account')
const publicKey = publicNkeyOf(createSeed('user'), 'user')
const urls = { NATS_URLS: 'nats://n.example.com:4222', NATS_WS_URLS: 'wss://n.example.com' }

const policy = `${callers}
vars:
  user: { from: sub, match: "[a-z][a-z0-9-]{0,31}" }
  room: { from: ask, match: "[A-Za-z0-9_-]{1,40}" }
grants:
  - id: bus
    when: { issuer: main }
    iKnow: full-access
    nats: { account: APP, publish: ["u.{user}.>", "r.{room}"], subscribe: ["u.{user}.>"], deny: ["u.*.x"], responses: { max: 2, ttl: 1m }, creds: true }
`
const roles = policy
  .replace(/ {2}room.*\n/, '')
  .replace(
    /nats: \{.*\}/,
    'nats: { account: APP, role: member, name: "{user}", tags: { team: "{user}" }, creds: true }',
  )
const callout = await testService({
  policy,
  env: { ...urls, NATS_MODE: 'callout', NATS_TOKEN: '', NATS_TOKEN_KEYS: `k1:${secrets.tokenKey}` },
})
const jwtEnv = {
  ...urls,
  NATS_MODE: 'jwt',
  NATS_TOKEN: '',
  NATS_SIGNING_KEYS: `APP:${account}:${signing},APP:${account}:${scoped}:member`,
}
const jwts = await testService({ policy, env: jwtEnv })
const scopedJwts = await testService({ policy: roles, env: jwtEnv })
const services = { callout, jwts, scopedJwts }
afterAll(() => Promise.all(Object.values(services).map(({ close }) => close())))

const auth = await bearer()
const post = async (which: keyof typeof services, body: object, headers: object = auth) =>
  toAnswer(
    await services[which].app.inject({ method: 'POST', url: '/nats/token', headers: { ...headers }, payload: body }),
  )
const get = async (which: keyof typeof services, query = '') =>
  toAnswer(await services[which].app.inject({ url: `/nats/token${query}`, headers: auth }))
const json = ({ text }: { text: string }) => JSON.parse(text)
const inbox = expect.stringMatching(/^_INBOX_[0-9a-f]{30}$/)
const inSeconds = (seconds: number) => Math.floor(Date.now() / 1000) + seconds

describe('callout', () => {
  it('answers with the token and all that its holder has to know', async () => {
    const answer = await get('callout')
    expectSafeHeaders(answer)
    const { token, expiresAt, ...rest } = json(answer)
    expect(token).toMatch(/^ntk_k1\.[\w-]+\.[\w-]{43}$/)
    expect(Math.abs(expiresAt - inSeconds(600))).toBeLessThanOrEqual(2)
    expect(rest).toEqual({
      mode: 'callout',
      shared: false,
      user: 'main/alice',
      account: 'APP',
      tokenId: expect.stringMatching(/^[\w-]+\.[\w-]{16}$/),
      urls: ['nats://n.example.com:4222'],
      wsUrls: ['wss://n.example.com'],
      inboxPrefix: inbox,
      permissions: {
        publish: { allow: ['u.alice.>'], deny: ['u.*.x'] },
        subscribe: { allow: ['u.alice.>', `${rest.inboxPrefix}.>`], deny: ['u.*.x'] },
        responses: { max: 2, ttlMs: 60_000 },
      },
    })
  })

  it('takes the lifetime from a query, and the rest from a body', async () => {
    expect(Math.abs(json(await get('callout', '?ttl=60')).expiresAt - inSeconds(60))).toBeLessThanOrEqual(2)
    const asked = json(await post('callout', { publish: ['r.one'], subscribe: [], ttl: 60 }))
    expect(asked.permissions).toMatchObject({
      publish: { allow: ['r.one'] },
      subscribe: { allow: [`${asked.inboxPrefix}.>`] },
    })
  })

  it.each<[string, object, 'invalid_request' | 'beyond_grant' | 'token_too_large']>([
    ['another’s subject', { publish: ['u.bob.x'] }, 'beyond_grant'],
    ['everything', { subscribe: ['>'] }, 'beyond_grant'],
    ['another account', { account: 'SYS' }, 'beyond_grant'],
    ['another kind of connection', { connectionTypes: ['leafnode'] }, 'beyond_grant'],
    ['a subject that is none', { publish: ['a..b'] }, 'invalid_request'],
    ['a key', { publicKey }, 'invalid_request'],
    ['a creds file', { creds: true }, 'invalid_request'],
    [
      'more than a token can carry',
      { publish: Array.from({ length: 200 }, (_, index) => `r.room-${index}`) },
      'token_too_large',
    ],
  ])('refuses %s', async (_what, body, reason) => expectRefusal(await post('callout', body), reason))

  it('audits whose token it is, by its fingerprint', async () => {
    const { token } = json(await get('callout'))
    expect(callout.auditLines().at(-1)).toMatchObject({
      outcome: 'issued',
      grants: ['bus'],
      token: fingerprint(token),
      rights: { account: 'APP', publish: ['u.alice.>'], ttlSeconds: 600 },
    })
  })
})

describe('jwt', () => {
  it('answers with a user JWT for the key of the client', async () => {
    const answer = json(await post('jwts', { publicKey }))
    expect(answer).toMatchObject({ mode: 'jwt', shared: false, user: 'main/alice', account: 'APP', inboxPrefix: inbox })
    expect(answer.permissions.responses).toEqual({ max: 2, ttlMs: 60_000 })
    expect(JSON.parse(Buffer.from(answer.token.split('.')[1], 'base64url').toString())).toMatchObject({
      sub: publicKey,
    })
    expect(answer).not.toHaveProperty('creds')
  })

  it('answers with a creds file where a grant allows one', async () => {
    expect(json(await post('jwts', { creds: true })).creds).toMatch(/BEGIN NATS USER JWT[\s\S]*\nSU[A-Z2-7]{56}\n/)
  })

  it('says nothing of the subjects of a role: the account does', async () => {
    expect(json(await post('scopedJwts', { publicKey }))).toMatchObject({
      permissions: null,
      inboxPrefix: null,
      user: 'main/alice',
    })
  })

  it('refuses who brings no key', async () => {
    expectRefusal(await get('jwts'), 'invalid_request')
    expectRefusal(await post('jwts', { publicKey: createSeed('user') }), 'invalid_request')
  })
})

it('no token, seed or key stands in the audit, the log or the answer to somebody else', async () => {
  const issued = [
    json(await get('callout')).token,
    json(await post('jwts', { publicKey })).token,
    json(await post('scopedJwts', { publicKey })).token,
  ]
  const { creds } = json(await post('jwts', { creds: true }))
  const secretTexts = [...issued, ...creds.match(/SU[A-Z2-7]{56}/), signing, scoped, secrets.tokenKey]
  // As an ask, by somebody who mixes the fields up.
  for (const secret of secretTexts)
    for (const body of [
      { publish: [secret] },
      { subscribe: [`u.${secret}`] },
      { account: secret },
      { publicKey: secret },
      { [secret]: 1 },
      { ttl: secret },
    ])
      for (const which of Object.keys(services) as (keyof typeof services)[]) {
        const answer = await post(which, { publicKey, ...body })
        expect(answer.status).toBeGreaterThanOrEqual(400)
        expect(answer.text).not.toContain(secret)
      }
  for (const service of Object.values(services)) {
    // The audit repeats an ask, and nothing but it.
    const lines = service.auditLines().map(({ ask: _, ...line }) => JSON.stringify(line))
    for (const secret of secretTexts) expect(`${lines}${await service.logText()}`).not.toContain(secret)
  }
})
