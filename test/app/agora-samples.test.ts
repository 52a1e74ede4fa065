// Agora's own sample clients, with the bodies and types that they send: they work unchanged (facts/agora.md 0 and 3.3).

import { afterAll, describe, expect, it } from 'vitest'
import { readAgoraToken } from './agora-parser.ts'
import { appId, callers, secrets, settings, testService } from './test-app.ts'

// The sandbox, with a certificate that the parser can know.
const sandbox = await testService({ sandbox: true, env: { ...settings, SANDBOX: 'true' } })
const url = `${await sandbox.listen()}/fetch_rtc_token`
const anyUser = await testService({
  policy: `${callers}
vars:
  room: { from: ask, match: "[A-Za-z0-9_-]{1,40}" }
grants:
  - { id: demo, when: { caller: anonymous }, iKnow: full-access, agora: { channel: "{room}", uid: any, role: publisher } }
`,
})
const anyUserUrl = `${await anyUser.listen()}/fetch_rtc_token`
afterAll(() => Promise.all([sandbox.close(), anyUser.close()]))

interface Sample {
  readonly name: string
  readonly type: string | undefined
  body(uid: number, channel: string, role: number): string
}
const json = JSON.stringify
const samples: readonly Sample[] = [
  {
    name: 'Web (axios)',
    type: 'application/json; charset=UTF-8',
    body: (uid, channelName, role) => json({ uid, channelName, role }),
  },
  {
    // URLSession says `form` where the sample says nothing; JSONEncoder sets a space before the colon.
    name: 'Swift (URLSession)',
    type: 'application/x-www-form-urlencoded',
    body: (uid, channel, role) => `{\n  "uid" : ${uid},\n  "channelName" : "${channel}",\n  "role" : ${role}\n}`,
  },
  {
    name: 'Android (OkHttp)',
    type: 'application/json; charset=utf-8',
    body: (uid, ChannelName, role) => json({ uid, ChannelName, role }),
  },
  {
    name: 'Unity (UnityWebRequest)',
    type: 'application/json',
    body: (uid, channel, role) => `{"uid":${uid},"ChannelName":"${channel}","role":${role}}`,
  },
  {
    name: 'Flutter (package:http)',
    type: 'text/plain; charset=utf-8',
    body: (uid, ChannelName, role) => json({ uid, ChannelName, role }),
  },
  // fetch without headers: text/plain;charset=UTF-8, which it sets itself.
  {
    name: 'Electron (fetch)',
    type: undefined,
    body: (uid, channelName, role) => json({ uid, ChannelName: channelName, role }),
  },
  { name: 'React Native (fetch)', type: undefined, body: (uid, ChannelName, role) => json({ uid, ChannelName, role }) },
]

const post = async ({ type }: Pick<Sample, 'type'>, body: string, to = url) => {
  const response = await fetch(to, {
    method: 'POST',
    body,
    headers: type === undefined ? {} : { 'content-type': type },
  })
  return { status: response.status, answer: (await response.json()) as Record<string, unknown> }
}

describe.each(samples)('$name', (sample) => {
  it.each([
    [1, 'publisher', { 1: 3600, 2: 3600, 3: 3600, 4: 3600 }],
    [2, 'subscriber', { 1: 3600 }],
  ])('gets as role %i (%s) what it asked for, which Agora believes', async (role, _name, privileges) => {
    const { status, answer } = await post(sample, sample.body(1234, 'test', role))
    expect(status).toBe(200)
    expect(answer).toEqual({ token: expect.stringMatching(/^007/), code: '200', expiresAt: expect.any(Number) })
    const token = readAgoraToken(String(answer['token']), secrets.certificate)
    expect(token).toMatchObject({ appId, expire: 3600 })
    expect(token.services).toEqual([{ type: 1, channel: 'test', user: '1234', privileges }])
    expect(answer['expiresAt']).toBe(token.issuedAt + token.expire)
  })

  it('reads an error by its code, and finds no token in it', async () => {
    for (const [body, code] of [
      [sample.body(1234, '', 1), '400'],
      [sample.body(1234, '*', 1), '400'],
      [sample.body(1234, 'test', 7), '400'],
      [sample.body(-1, 'test', 1), '400'],
      [sample.body(0, 'test', 1), '403'],
      [sample.body(1234, 'test', 1).slice(0, -1), '400'],
      ['', '400'],
    ] as const) {
      const { status, answer } = await post(sample, body)
      expect(status).toBe(Number(code))
      expect(answer).not.toHaveProperty('token')
      expect(answer['code']).toBe(code)
    }
  })
})

describe('the Unity sample, which sends uid 0 at first', () => {
  const [unity] = samples.filter(({ name }) => name.startsWith('Unity'))
  if (unity === undefined) throw new Error('the sample is gone')

  it('gets a token for any user where a grant says so', async () => {
    const { status, answer } = await post(unity, unity.body(0, 'test', 1), anyUserUrl)
    expect(status).toBe(200)
    const [service] = readAgoraToken(String(answer['token']), secrets.certificate).services
    expect(service).toMatchObject({ channel: 'test', user: '' })
  })

  it('gets nothing where none does', async () => {
    const { answer } = await post(unity, unity.body(0, 'test', 1))
    expect(answer).toMatchObject({ code: '403', error: { reason: 'beyond_grant' } })
  })

  it('is one user again as soon as it sends its uid', async () => {
    const { answer } = await post(unity, unity.body(7, 'test', 1), anyUserUrl)
    const [service] = readAgoraToken(String(answer['token']), secrets.certificate).services
    expect(service?.user).toBe('7')
  })
})

it('the parser of these tests refuses another certificate and a changed token', async () => {
  const { answer } = await post({ type: undefined }, json({ uid: 1, ChannelName: 'test', role: 1 }))
  const token = String(answer['token'])
  expect(() => readAgoraToken(token, settings['AGORA_APP_ID'] as string)).toThrow('believe')
  expect(() => readAgoraToken(`${token.slice(0, 20)}${token.slice(24)}`, secrets.certificate)).toThrow('Agora would')
})

it('a browser may send the Web sample from another port: its preflight passes', async () => {
  const origin = 'http://localhost:3000'
  const headers = { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'content-type' }
  const preflight = await fetch(url, { method: 'OPTIONS', headers })
  expect([preflight.status, await preflight.text()]).toEqual([204, ''])
  expect(preflight.headers.get('access-control-allow-origin')).toBe(origin)
  expect(preflight.headers.get('access-control-allow-headers')?.toLowerCase()).toContain('content-type')
  expect(preflight.headers.get('access-control-allow-methods')).toContain('POST')
})
