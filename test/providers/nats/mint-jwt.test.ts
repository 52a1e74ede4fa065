// User JWTs: their claims by an independent reader, their length, and that the check of what was minted sees every difference.

import { decode } from '@nats-io/jwt'
import { fromSeed } from '@nats-io/nkeys'
import { describe, expect, it } from 'vitest'
import { isRefusal } from '../../../src/errors.ts'
import { encodeNatsJwt } from '../../../src/providers/nats/jwt.ts'
import { openUserJwts } from '../../../src/providers/nats/mint-jwt.ts'
import { createSeed, openSigner, publicNkeyOf } from '../../../src/providers/nats/nkeys.ts'
import { openSigningKeys, signingKeysFault } from '../../../src/providers/nats/signing-keys.ts'
import { toTokenId } from '../../../src/revocations/token-id.ts'
import { anonymousCaller, nowMs } from '../../policy/policy-under-test.ts'
import { alice, grantedFor, policyFor, policyText } from './user-grants.ts'

const account = publicNkeyOf(createSeed('account'), 'account')
const other = publicNkeyOf(createSeed('account'), 'account')
const [plain, scoped, foreign] = [createSeed('account'), createSeed('account'), createSeed('account')]
const keys = openSigningKeys(`APP:${account}:${plain},APP:${account}:${scoped}:member,OTHER:${other}:${foreign}`)
const jwts = openUserJwts(keys, () => nowMs)
const publicKey = publicNkeyOf(createSeed('user'), 'user')
const pub = (seed: string) => publicNkeyOf(seed, 'account')

const own =
  '{ account: APP, publish: ["t.{tenant}.{user}", "r.{room}"], deny: ["t.*.x"], responses: { max: 2 }, creds: true }'
const role = '{ account: APP, role: member, name: "{user}", tags: { team: "{tenant}", kind: staff }, creds: true }'
const policyOf = (...grants: string[]) => policyFor('jwt', policyText(...grants))

async function mint(grant = own, input: object = { publicKey }, caller = alice) {
  const { rights, grounds } = grantedFor('jwt', policyOf(grant), input, caller)
  const minted = await jwts.mint(rights, grounds)
  if (isRefusal(minted)) throw new Error(minted.reason)
  if (minted.credential.own === undefined) throw new Error('nobody’s')
  return { minted, rights, grounds, own: minted.credential.own, token: minted.credential.token }
}
const claimsOf = (token: string) => JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())

describe('a user JWT', () => {
  it('says who, where, what and until when, to an independent reader', async () => {
    const { token, own, minted } = await mint()
    const { nats, ...claims } = decode<Record<string, unknown>>(token)
    expect(claims).toMatchObject({
      sub: publicKey,
      name: 'main/alice',
      iss: pub(plain),
      iat: nowMs / 1000,
      exp: nowMs / 1000 + 600,
    })
    expect(claims).not.toHaveProperty('aud')
    expect(nats).toEqual({
      pub: { allow: ['t.acme.alice'], deny: ['t.*.x'] },
      sub: { allow: [`${own.inboxPrefix}.>`], deny: ['t.*.x'] },
      resp: { max: 2, ttl: 5_000_000_000 },
      subs: -1,
      data: -1,
      payload: -1,
      allowed_connection_types: ['STANDARD', 'WEBSOCKET'],
      issuer_account: account,
      type: 'user',
      version: 2,
    })
    expect(minted).toMatchObject({ expiresAt: nowMs / 1000 + 600, identifies: token })
    expect(own).toMatchObject({ user: 'main/alice', account: 'APP' })
  })

  it('is what was asked for, where less was asked for', async () => {
    const input = { publicKey, publish: ['r.one'], connectionTypes: ['websocket'], ttl: 60 }
    const { nats, exp } = claimsOf((await mint(own, input)).token)
    expect(nats).toMatchObject({ pub: { allow: ['r.one'] }, allowed_connection_types: ['WEBSOCKET'] })
    expect(exp).toBe(nowMs / 1000 + 60)
    const nothing = claimsOf((await mint(own, { publicKey, publish: [] })).token)
    expect(nothing.nats.pub).toEqual({ allow: [], deny: ['>'] })
  })

  it('of a role is signed by the key of the role, and holds no permission and no limit', async () => {
    const { token, own } = await mint(role)
    const claims = claimsOf(token)
    expect(claims).toMatchObject({ iss: pub(scoped), name: 'alice', sub: publicKey })
    expect(claims.nats).toEqual({
      tags: ['team:acme', 'kind:staff'],
      issuer_account: account,
      type: 'user',
      version: 2,
    })
    expect(own).toMatchObject({ permissions: null, inboxPrefix: null })
  })

  it('of a role and one without it are never signed by each other’s key', async () => {
    expect(claimsOf((await mint(own)).token).iss).not.toBe(claimsOf((await mint(role)).token).iss)
  })

  it('with a creds file is for a key made for it, which opens it', async () => {
    for (const grant of [own, role]) {
      const { token, own } = await mint(grant, { creds: true })
      const [, jwt] = /-----BEGIN NATS USER JWT-----\n(.*)\n/.exec(own.creds ?? '') ?? []
      const [, seed = ''] = /-----BEGIN USER NKEY SEED-----\n(.*)\n/.exec(own.creds ?? '') ?? []
      expect(jwt).toBe(token)
      expect(fromSeed(Buffer.from(seed)).getPublicKey()).toBe(claimsOf(token).sub)
    }
    expect((await mint(own)).own).not.toHaveProperty('creds')
  })

  it('of a caller without subject has a user and an inbox of its own', async () => {
    const grant = '{ account: APP, publish: [a] }, when: { caller: anonymous }'
    const [one, two] = [
      await mint(grant, { publicKey }, anonymousCaller),
      await mint(grant, { publicKey }, anonymousCaller),
    ]
    expect(claimsOf(one.token).name).toMatch(/^anonymous:[\w-]{16}$/)
    expect(one.own.inboxPrefix).not.toBe(two.own.inboxPrefix)
  })

  it('that no CONNECT could carry is a refusal with the number, and no JWT', async () => {
    const input = { publicKey, publish: Array.from({ length: 150 }, (_, index) => `r.room-number-${index}`) }
    const { rights, grounds } = grantedFor('jwt', policyOf(own), input)
    const minted = await jwts.mint(rights, grounds)
    expect(minted).toMatchObject({
      reason: 'token_too_large',
      message: expect.stringMatching(/^[\x20-\x7e]*\b\d{4}\b[\x20-\x7e]*$/),
    })
    const fewer = { ...input, publish: input.publish.slice(0, 60) }
    expect((await mint(own, fewer)).token.length).toBeLessThanOrEqual(3500)
  })

  it('is not made without a key of the account, or for a shared right', async () => {
    const { rights, grounds } = grantedFor('jwt', policyOf(own), { publicKey })
    expect(await jwts.mint({ ...rights, account: 'SYS' }, grounds)).toMatchObject({ reason: 'provider_failed' })
    expect(await jwts.mint({ shared: true } as never, grounds)).toMatchObject({ reason: 'no_grant' })
  })
})

describe.each([
  ['own permissions', own],
  ['a role', role],
])('what was minted with %s is held against the rights', async (_what, grant) => {
  const { minted, rights, grounds, token, own } = await mint(grant)
  const signer = openSigner(grant === role ? scoped : plain, 'account')
  const { iss: _, jti: __, ...claims } = claimsOf(token)
  const overreach = (change: object, by = signer, credential: object = {}) =>
    jwts.findOverreach(
      {
        ...minted,
        credential: { ...minted.credential, token: encodeNatsJwt({ ...claims, ...change }, by), ...credential },
      },
      rights,
      grounds,
    )
  const nats = (change: object) => ({ nats: { ...claims.nats, ...change } })

  it('and nothing is said of what is the same', () => expect(overreach({})).toBeUndefined())

  it.each<[string, object]>([
    ['a longer life', { exp: claims.exp + 1 }],
    ['no end', { exp: undefined }],
    ['another key of the user', { sub: publicNkeyOf(createSeed('user'), 'user') }],
    ['another name', { name: 'main/bob' }],
    ['no name', { name: undefined }],
    ['another account', nats({ issuer_account: other })],
    ['no account', nats({ issuer_account: undefined })],
    ['other subjects', nats({ pub: { allow: ['>'], deny: [] } })],
    ['no permission to publish, which is all', nats({ pub: grant === role ? {} : undefined })],
    ['no permission to subscribe, which is all', nats({ sub: grant === role ? {} : undefined })],
    ['an empty side', nats({ pub: { allow: [], deny: [] } })],
    ['another inbox', nats({ sub: { allow: ['_INBOX_0.>'], deny: ['t.*.x'] } })],
    ['more replies', nats({ resp: { max: 9, ttl: 5_000_000_000 } })],
    ['another kind of connection', nats({ allowed_connection_types: ['LEAFNODE'] })],
    ['a tag', nats({ tags: ['team:umbrella'] })],
    ['a bearer', nats({ bearer_token: true })],
    ['a limit', nats({ subs: 9 })],
  ])('and %s is found', (_what, change) => expect(overreach(change)).toBeTypeOf('string'))

  it('and the key of another account, or of another role, is found', () => {
    expect(overreach({}, openSigner(foreign, 'account'))).toBeTypeOf('string')
    expect(overreach({}, openSigner(grant === role ? plain : scoped, 'account'))).toBeTypeOf('string')
    expect(overreach({}, signer, { token: `${token.slice(0, -4)}AAAA` })).toBeTypeOf('string')
    expect(overreach({}, signer, { token: '' })).toBeTypeOf('string')
  })

  it('and an id or a name of somebody else is found', () => {
    const bob = { ...own, tokenId: toTokenId({ source: 'main', subject: 'bob' }, 'AAAAAAAAAAAAAAAA') }
    expect(overreach({}, signer, { own: bob })).toBeTypeOf('string')
    expect(overreach({}, signer, { own: { ...own, tokenId: 'x' } })).toBeTypeOf('string')
    expect(overreach({}, signer, { own: undefined })).toBeTypeOf('string')
  })

  it('and rights that are not those of the JWT are found, each that it holds', () => {
    const notHeld = grant === role ? ['shared', 'publish', 'subscribe', 'deny', 'connectionTypes', 'inbox'] : ['shared']
    for (const [key, value] of Object.entries(rights)) {
      if (notHeld.includes(key)) continue
      const changed = {
        ...rights,
        [key]: key === 'asked' ? { publicKey: 'UX' } : typeof value === 'object' ? ['zz'] : undefined,
      }
      expect(jwts.findOverreach(minted, changed as never, grounds), key).toBeTypeOf('string')
    }
    expect(jwts.findOverreach(minted, { shared: true } as never, grounds)).toBeTypeOf('string')
  })
})

describe('NATS_SIGNING_KEYS', () => {
  it('of two keys for the same the first signs, so that a new one can be put before an old one', () => {
    const rotated = openSigningKeys(`APP:${account}:${foreign},APP:${account}:${plain}`)
    expect(rotated.get('APP')?.signer.publicKey).toBe(pub(foreign))
  })

  it.each([`APP:${account}:${plain}`, `A:${account}:${plain}, A:${account}:${scoped}:m-1`])('may be %j', (text) =>
    expect(signingKeysFault(text)).toBeUndefined(),
  )

  it.each<[string, string]>([
    ['nothing', ''],
    ['a seed alone', plain],
    ['a seed of another kind', `APP:${account}:${createSeed('user')}`],
    ['the seed where the public key belongs', `APP:${plain}:${plain}`],
    ['the public key where the seed belongs', `APP:${account}:${account}`],
    ['a user’s public key', `APP:${publicKey}:${plain}`],
    ['a role in capitals', `APP:${account}:${plain}:Member`],
    ['an empty role', `APP:${account}:${plain}:`],
    ['a part too many', `APP:${account}:${plain}:m:x`],
    ['a name with a mark', `$SYS:${account}:${plain}`],
    ['a letter wrong', `APP:${account}:${plain.slice(0, -1)}${plain.endsWith('A') ? 'B' : 'A'}`],
  ])('may not be %s, and the fault shows no seed', (_what, text) => {
    const fault = signingKeysFault(text)
    expect(fault?.mend).toMatch(/\w/)
    expect(JSON.stringify(fault)).not.toContain(plain.slice(0, -1))
  })
})
