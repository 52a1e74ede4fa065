// The grant of replies, and the ttl: what they must not stand beside. nats-server lets who hears his own request answer it on any
// subject that he named himself, a denied one too (seen on 2.12.8).

import { describe, expect, it } from 'vitest'
import { findingsOf } from './user-grants.ts'

const findings = (grant: string) => findingsOf('none', grant)
const faultsOf = (rest: string) =>
  findings(`{ account: APP, ${rest} }`)
    .filter(({ severity }) => severity === 'fault')
    .map(({ path, rule }) => `${path.replace('grants[0].nats.', '')}: ${rule}`)
const himself =
  'responses: lets him publish every subject, denied ones too: what he publishes he hears, and he may answer it wherever he says'

describe('responses', () => {
  it.each<[string, string]>([
    ['what he publishes', 'publish: ["a"], subscribe: ["a"]'],
    ['a part of what he publishes', 'publish: ["a.>"], subscribe: ["a.b"]'],
    ['more than he publishes', 'publish: ["t.{user}.x"], subscribe: ["t.>"]'],
    ['in a queue what he publishes', 'publish: ["a.b"], subscribe: ["a.> workers"]'],
    ['by a value what he publishes', 'publish: ["{tenant}.x"], subscribe: ["acme.>"]'],
    ['by the ask what he publishes', 'publish: ["r.{room}"], subscribe: ["r.one"]'],
    ['his inbox, and publishes everything', 'publish: [">"], deny: ["secret.>"]'],
    ['his inbox, and publishes what begins with a star', 'publish: ["*.>"]'],
    ['his inbox, and publishes into one', 'publish: ["_INBOX_0123.>"]'],
  ])('are refused where he hears %s', (_what, rest) => {
    expect(faultsOf(`${rest}, responses: {}`)).toEqual([himself])
    expect(faultsOf(rest)).toEqual([])
  })

  it.each<[string, string]>([
    ['something else', 'publish: ["a.>"], subscribe: ["b.>"]'],
    ['nothing, and has no inbox', 'publish: [">"], inbox: false'],
    ['his inbox, which nothing that he publishes is', 'publish: ["{tenant}.x", "_INBOX.>", "_x", "*a"]'],
    ['all, and publishes nothing', 'subscribe: [">"], inbox: false'],
  ])('are fine where he hears %s', (_what, rest) => expect(faultsOf(`${rest}, responses: {}`)).toEqual([]))

  it('are what the operator says where he says it twice', () => {
    const grant = '{ account: APP, publish: ["a"], subscribe: ["a"], responses: {} }, iKnow: full-access'
    expect(findings(grant)).toEqual([])
  })
})

it('a grant with a ttl cannot be for the shared token, and one with subjects can', () => {
  const withTtl = (grant: string) => findings(`${grant}, ttl: { max: 5m }`)
  expect(withTtl('{ shared: true }').map(({ rule }) => rule)).toEqual([
    'stands in a grant with ttl, but a shared token has no end',
  ])
  expect(withTtl('{ account: APP, publish: [a] }')).toEqual([])
})
