import { describe, expect, it } from 'vitest'
import { faultText } from '../../src/policy/faults.ts'
import { faultsOf, load, oneIssuer, policyOf, twoSources } from './policy-under-test.ts'

const twoIssuers = `${twoSources.replace('algorithms: [RS256] }', '$&\n    - { name: two, issuer: https://two/, jwksUri: https://two/, audience: [rt], algorithms: [RS256] }')}`
const user = '  user: { from: sub, match: "[a-z]{1,20}" }\n'
const agora = 'agora: { channel: c, uid: 1, role: publisher }'
const grant = (rest: string) => `grants:\n  - { id: a, ${rest} }\n`
const textsOf = (text: string, files?: Readonly<Record<string, string>>) =>
  faultsOf(text, files).map(({ path, rule }) => `${path} ${rule}`)

describe('a policy', () => {
  it('comes into force with the grants of each provider in file order', () => {
    const policy = policyOf(`${oneIssuer}vars:
${user}grants:
  - { id: one, agora: { channel: a, uid: 1, role: publisher }, ably: { capability: { a: [subscribe] } } }
  - { id: two, agora: { channel: b, uid: 1, role: publisher } }
  - { id: three, when: { user: alice }, ably: { capability: { b: [subscribe] } } }
  - { id: four, nats: { shared: true } }
deny:
  - { id: banned, when: { user: mallory }, note: suspended }
`)
    const ids = (name: string) => policy.grants.get(name)?.map(({ id }) => id)
    expect(ids('agora')).toEqual(['one', 'two'])
    expect(ids('ably')).toEqual(['one', 'three'])
    expect(ids('nats')).toEqual(['four'])
    expect(policy.deny.map(({ id, note }) => [id, note])).toEqual([['banned', 'suspended']])
    expect(policy.allowsAnonymous).toBe(false)
  })

  it('has lifetimes of 10 minutes and at most 1 hour where a grant says none', () => {
    const ttl = (text: string) => policyOf(oneIssuer + grant(`${agora}${text}`)).grants.get('agora')?.[0]?.ttl
    expect(ttl('')).toEqual({ defaultMs: 600_000, maxMs: 3_600_000 })
    expect(ttl(', ttl: { max: 5m }')).toEqual({ defaultMs: 300_000, maxMs: 300_000 })
    expect(ttl(', ttl: { default: 45s }')).toEqual({ defaultMs: 45_000, maxMs: 3_600_000 })
    expect(ttl(', ttl: { default: 2h, max: 24h }')).toEqual({ defaultMs: 7_200_000, maxMs: 86_400_000 })
  })

  it('says whether it lets anybody in without a credential', () => {
    expect(policyOf(grant(`when: { caller: anonymous }, ${agora}`)).allowsAnonymous).toBe(true)
    expect(policyOf(oneIssuer + grant(`when: { caller: { in: [jwt, anonymous] } }, ${agora}`)).allowsAnonymous).toBe(
      true,
    )
    expect(policyOf(oneIssuer + grant(agora)).allowsAnonymous).toBe(false)
  })
})

describe('a policy is refused', () => {
  it.each<[string, string, string]>([
    [
      'for two grants of one id',
      `${oneIssuer}grants:\n  - { id: a, ${agora} }\n  - { id: a, ${agora} }\n`,
      'the id "a"',
    ],
    [
      'for a grant and a deny rule of one id',
      `${oneIssuer}${grant(agora)}deny:\n  - { id: a, when: { caller: jwt } }\n`,
      'the id "a"',
    ],
    ['for a var that is not used', `${oneIssuer}vars:\n${user}${grant(agora)}`, 'vars.user is not used'],
    ['for a grant that gives nothing', `${oneIssuer}${grant('note: x')}`, 'grants[0] gives nothing'],
    ['for a grant by nobody’s name', `${oneIssuer}${grant('algora: { channel: c }')}`, 'grants[0].algora is not a key'],
    [
      'for a deny rule that denies everybody',
      `${oneIssuer}${grant(agora)}deny: [{ id: d, when: {} }]\n`,
      'deny everybody',
    ],
    ['for a deny rule without when', `${oneIssuer}${grant(agora)}deny: [{ id: d }]\n`, 'deny[0].when is missing'],
    ['for a condition without value', `${oneIssuer}${grant(`when: , ${agora}`)}`, 'grants[0].when must be object'],
    ['for deny rules without value', `${oneIssuer}${grant(agora)}deny:\n`, 'deny must be array'],
    [
      'for a lifetime above the vendor’s',
      `${oneIssuer}${grant(`ttl: { max: 25h }, ${agora}`)}`,
      'longer than agora allows',
    ],
    [
      'for a default above the maximum',
      `${oneIssuer}${grant(`ttl: { default: 2h, max: 1h }, ${agora}`)}`,
      'ttl.default is longer than max',
    ],
    [
      'for a default above the usual maximum',
      `${oneIssuer}${grant(`ttl: { default: 2h }, ${agora}`)}`,
      'longer than max',
    ],
    ['for a lifetime of 0', `${oneIssuer}${grant(`ttl: { max: 0s }, ${agora}`)}`, 'grants[0].ttl.max'],
    ['for a lifetime without unit', `${oneIssuer}${grant(`ttl: { max: 60 }, ${agora}`)}`, 'grants[0].ttl.max'],
    [
      'for a lifetime of a shared token',
      `${oneIssuer}${grant('ttl: { max: 1h }, nats: { shared: true }')}`,
      'has no end',
    ],
    ['for nobody to ask', grant(agora), 'callers identifies nobody'],
    [
      'for a value of anonymous callers',
      `${oneIssuer}vars:\n${user}${grant('when: { caller: anonymous }, agora: { channel: "{user}", uid: 1, role: publisher }')}`,
      'is anonymous, but the grant uses "user"',
    ],
    [
      'for a condition on a value of anonymous callers',
      `${oneIssuer}vars:\n${user}${grant(`when: { caller: { in: [jwt, anonymous] }, user: alice }, ${agora}`)}`,
      'is anonymous, but the grant uses "user"',
    ],
    [
      'for a list that cannot be read',
      `${oneIssuer}vars:\n${user}${grant(agora)}deny: [{ id: d, when: { user: { inFile: gone.txt } } }]\n`,
      'cannot read gone.txt (ENOENT)',
    ],
    ['for an unknown word of consent', `${oneIssuer}${grant(`iKnow: everything, ${agora}`)}`, 'grants[0].iKnow'],
    ['for nothing in it', '', 'file must be object'],
    ['for a list', '- a\n', 'file must be object'],
    ['for no grants', oneIssuer, 'grants is missing'],
    ['for grants that are no list', `${oneIssuer}grants: { id: a }\n`, 'grants must be array'],
  ])('%s', (_what, text, rule) => {
    expect(textsOf(text).join('\n')).toContain(rule)
  })

  it.each<[string, string]>([
    ['in a template', 'agora: { channel: "{user}", uid: 1, role: publisher }'],
    ['in a condition', `when: { user: alice }, ${agora}`],
    ['in a condition on the kind', `when: { caller: jwt, user: alice }, ${agora}`],
    ['for one provider', 'ably: { clientId: "{user}", capability: { a: [subscribe] } }'],
  ])('for a value whose source it does not name, where there is more than one, %s', (_where, rest) => {
    expect(textsOf(`${twoIssuers}vars:\n${user}${grant(rest)}`).join()).toContain('does not name the source of "user"')
  })

  it.each<[string, string]>([
    ['in a template', 'when: { issuer: main }, agora: { channel: "{user}", uid: 1, role: publisher }'],
    ['in a condition', `when: { caller: gateway, user: alice }, ${agora}`],
  ])('but not where it names the source of a value %s', (_where, rest) => {
    expect(textsOf(`${twoIssuers}vars:\n${user}${grant(rest)}`)).toEqual([])
  })

  it('not for a value whose source is the only one', () => {
    expect(textsOf(`${oneIssuer}vars:\n${user}${grant(`when: { user: alice }, ${agora}`)}`)).toEqual([])
  })
})

describe('a file that is not YAML', () => {
  it.each<[string, string, string]>([
    ['with a tab', 'grants:\n\t- a\n', 'line 2'],
    ['with a bracket that does not close', 'callers: {}\ngrants: [\n', 'line 3'],
    ['with one key twice', `${oneIssuer}grants: []\ngrants: []\n`, 'line 5'],
    ['with one key of a grant twice', `${oneIssuer}grants:\n  - { id: a, id: b }\n`, 'line 5'],
    ['with one key of a condition twice', `${oneIssuer}grants:\n  - { id: a, when: { user: a, user: b } }\n`, 'line 5'],
    ['with a tag', 'grants: !!js/function []\n', 'line 1'],
    ['of two documents', `${oneIssuer}grants: []\n---\ngrants: []\n`, 'line 5'],
    ['nested without end', `grants: ${'['.repeat(20_000)}${']'.repeat(20_000)}\n`, 'line 1'],
  ])('%s is refused, with the line', (_what, text, line) => {
    const faults = faultsOf(text)
    expect(faults.every(({ path }) => path === 'file')).toBe(true)
    expect(faults[0]?.rule).toContain(`is not valid YAML at ${line} `)
  })

  it('that would grow without end is refused in no time', () => {
    const level = (name: string, of: string) => `${name}: &${name} [${Array.from({ length: 9 }, () => of).join(',')}]\n`
    const bomb = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'].map((name, index, all) =>
      level(name, index === 0 ? 'x' : `*${all[index - 1]}`),
    )
    const from = performance.now()
    expect(faultsOf(`${bomb.join('')}grants: *h\n`)).toMatchObject([
      { path: 'file', rule: expect.stringContaining('alias') },
    ])
    expect(performance.now() - from).toBeLessThan(5000)
  })

  it('that speaks of what is not there is refused', () => {
    expect(textsOf('grants: *a\n')).toEqual([expect.stringContaining('Unresolved alias')])
  })

  it('that contains itself is refused', () => {
    expect(faultsOf(`${oneIssuer}grants: &a [*a]\n`).length).toBeGreaterThan(0)
    expect(faultsOf(`${oneIssuer}grants:\n  - &a { id: x, when: *a, ${agora} }\n`).length).toBeGreaterThan(0)
  })

  it('may use an alias for what it says twice', () => {
    const text = `${oneIssuer}grants:\n  - { id: a, agora: &x { channel: c, uid: 1, role: publisher } }\n  - { id: b, agora: *x }\n`
    expect(policyOf(text).grants.get('agora')).toHaveLength(2)
  })

  it('takes no merge key for what it merges', () => {
    const text = `${oneIssuer}grants:\n  - &x { id: a, when: { issuer: main }, ${agora} }\n  - { <<: *x, id: b }\n`
    expect(textsOf(text)).toContain('grants[1].<< is not a key here')
  })
})

describe('an unknown key', () => {
  it.each(['constructor', 'toString', '__proto__', 'hasOwnProperty', 'valueOf', 'whn'])(
    '%s is refused wherever it stands',
    (key) => {
      const at = (text: string) => textsOf(text).join('\n')
      expect(at(`${oneIssuer}${key}: {}\n${grant(agora)}`)).toContain(`${key} is not a key here`)
      expect(at(`${oneIssuer}${grant(`${key}: {}, ${agora}`)}`)).toContain(`grants[0].${key} is not a key here`)
      expect(at(`${oneIssuer}${grant(`ttl: { ${key}: 1h }, ${agora}`)}`)).toContain(`grants[0].ttl.${key} is not a key`)
      expect(at(`${oneIssuer}${grant(`when: { ${key}: x }, ${agora}`)}`)).toContain(`grants[0].when.${key} is neither`)
      expect(at(`${oneIssuer}${grant(`agora: { ${key}: x, channel: c, uid: 1, role: publisher }`)}`)).toContain(
        `grants[0].agora.${key} is not a key here`,
      )
      expect(at(`${oneIssuer}vars: { user: { from: sub, match: a, ${key}: x } }\n${grant(agora)}`)).toContain(
        `vars.user.${key} is not a key here`,
      )
      expect(at(`${oneIssuer}${grant(agora)}deny: [{ id: d, when: { ${key}: x } }]\n`)).toContain(
        `deny[0].when.${key} is`,
      )
      expect(at(`callers: { ${key}: [] }\n${grant(agora)}`)).toContain(`callers.${key} is not a key here`)
      expect(at(`${oneIssuer}${grant(`agora: { channel: "{${key}}", uid: 1, role: publisher }`)}`)).toContain(
        'does not define',
      )
      expect(at(`${oneIssuer}${grant(`agora: { channel: c, uid: "{${key}}", role: publisher }`)}`)).toContain(
        'is not a var',
      )
    },
  )

  it('of an operation or a role is refused', () => {
    for (const word of ['constructor', 'toString', '__proto__']) {
      expect(textsOf(`${oneIssuer}${grant(`ably: { capability: { a: [${word}] } }`)}`).join()).toContain('not one of')
      expect(textsOf(`${oneIssuer}${grant(`agora: { channel: c, uid: 1, role: ${word} }`)}`).join()).toContain(
        'not one of',
      )
    }
  })

  it.each([1, 7, 8, 9, 50, 2000])('is refused among %i of them', (count) => {
    const keys = Array.from({ length: count }, (_, index) => `k${index}: 1`).join(', ')
    expect(faultsOf(`${oneIssuer}${grant(`${keys}, ${agora}`)}`).length).toBeGreaterThan(0)
    expect(
      faultsOf(`${oneIssuer}${grant(`agora: { ${keys}, channel: c, uid: 1, role: publisher }`)}`).length,
    ).toBeGreaterThan(0)
  })
})

describe('faults', () => {
  it('are all told at once: those of the shape', () => {
    const bad = Array.from({ length: 12 }, (_, index) => `  - { id: a${index}, x${index}: 1, ${agora} }\n`)
    expect(textsOf(`${oneIssuer}grants:\n${bad.join('')}`)).toEqual(
      bad.map((_, index) => `grants[${index}].x${index} is not a key here`),
    )
  })

  it('are all told at once: those of the meaning', () => {
    const text = `${oneIssuer}vars:
  a: { from: sub, match: ".*" }
  b: { from: nowhere, match: "[a-z]{1,3}" }
  c: { from: sub, match: "[a-z]{1,3}" }
grants:
  - { id: one, agora: { channel: "{nobody}", uid: 1, role: publisher } }
  - { id: one, when: { nobody: x }, agora: { channel: "*", uid: 1, role: publisher } }
  - { id: two, ttl: { max: 48h }, agora: { channel: x, role: publisher } }
deny:
  - { id: three, when: {} }
`
    expect(faultsOf(text).map(({ path }) => path)).toEqual(
      expect.arrayContaining([
        'vars.a.match',
        'vars.b.from',
        'vars.c',
        'grants',
        'grants[0].agora.channel',
        'grants[1].when.nobody',
        'grants[1].agora.channel',
        'grants[2].agora',
        'deny[0].when',
      ]),
    )
  })

  it('name the line of the file', () => {
    const text = `${oneIssuer}vars:
  user: { from: sub, match: "[a-z]*" }
  spare:
    from: sub
    match: "[a-z]{1,9}"
grants:
  - id: a
    when:
      nobody: x
    agora:
      channel: "*"
      uid: 1
      role: publisher
  - id: b
    colour: red
    agora: { channel: c, uid: 1, role: publisher }
`
    const lines = Object.fromEntries(
      faultsOf(text.replace('    colour: red\n', '')).map(({ path, line }) => [path, line]),
    )
    expect(lines).toMatchObject({
      'vars.user.match': 5,
      'vars.spare': 6,
      'grants[0].when.nobody': 12,
      'grants[0].agora.channel': 14,
    })
    expect(faultsOf(text)).toMatchObject([{ path: 'grants[1].colour', line: 18 }])
  })

  it('of a var are told once, and not again wherever it is used', () => {
    const text = `${oneIssuer}vars:\n  user: { from: sub, match: "[a-z]*" }\n${grant('when: { user: alice }, agora: { channel: "{user}", uid: 1, role: publisher }')}`
    expect(faultsOf(text).map(({ path }) => path)).toEqual(['vars.user.match'])
    const uid = `${oneIssuer}vars:\n  uid: { from: claims.uid, type: uint32, min: 0 }\n${grant('agora: { channel: c, uid: "{uid}", role: publisher }')}`
    expect(faultsOf(uid).map(({ path }) => path)).toEqual(['vars.uid'])
  })

  it('of a name are told without calling its vars unused', () => {
    const text = `${oneIssuer}vars:\n${user}${grant('agora: { channel: "{user}{user}", uid: 1, role: publisher }')}`
    expect(faultsOf(text).map(({ path }) => path)).toEqual(['grants[0].agora.channel'])
    const condition = `${oneIssuer}vars:\n${user}${grant(`when: { user: 7 }, ${agora}`)}`
    expect(faultsOf(condition).map(({ path }) => path)).toEqual(['grants[0].when.user'])
  })

  it('say where, which rule and how to mend it', () => {
    const [fault] = faultsOf(`${oneIssuer}vars:\n${user}${grant(agora)}`)
    expect(fault && faultText(fault)).toBe(
      'fault (line 5): vars.user: is not used. Remove it, or correct the name where it should be used.',
    )
  })

  it('are no faults where they only warn', () => {
    const { loaded } = load(oneIssuer + grant('agora: { channel: c, uid: any, role: publisher }'))
    expect(loaded?.warnings).toMatchObject([{ path: 'grants[0].agora.uid', severity: 'warning' }])
  })
})

describe('a list in a file', () => {
  const text = `${oneIssuer}vars:\n${user}  uid: { from: claims.uid, type: uint32 }\n${grant(agora)}deny:
  - { id: d, when: { user: { inFile: banned.txt } } }
  - { id: e, when: { uid: { inFile: uids.txt } } }
`
  const files = { 'banned.txt': 'mallory\n', 'uids.txt': '7\n' }

  it('is part of the policy’s digest', () => {
    const digest = (changed: object) => load(text, { ...files, ...changed }).loaded?.digest
    expect(digest({})).toMatch(/^[0-9a-f]{16}$/)
    expect(digest({ 'banned.txt': 'mallory\neve\n' })).not.toBe(digest({}))
    expect([...(load(text, files).loaded?.texts.keys() ?? [])]).toEqual(['banned.txt', 'uids.txt'])
  })

  it('is warned about where a line can never be what it is compared with', () => {
    const warnings = (changed: object) =>
      load(text, { ...files, ...changed }).faults.map(({ path, severity }) => [path, severity])
    expect(warnings({})).toEqual([])
    expect(warnings({ 'banned.txt': 'mallory # spam\n' })).toEqual([['deny[0].when.user', 'warning']])
    expect(warnings({ 'banned.txt': 'Mallory\n' })).toEqual([['deny[0].when.user', 'warning']])
    expect(warnings({ 'uids.txt': '007\n' })).toEqual([['deny[1].when.uid', 'warning']])
    expect(warnings({ 'banned.txt': '\ufeff# who is out\n\n  mallory  \r\neve\r\n' })).toEqual([])
  })
})
