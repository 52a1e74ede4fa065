// The settings of the revocation list: what is refused at start, in words that hold nothing of a secret.

import { describe, expect, it } from 'vitest'
import { revocationSettings } from '../../src/revocations/settings.ts'
import { type ConfigFault, readSettings } from '../../src/settings.ts'

function read(env: Record<string, string>) {
  const faults: ConfigFault[] = []
  const settings = readSettings(revocationSettings, env, () => '', faults)
  return { settings, faults }
}

describe('REDIS_URL', () => {
  it.each([
    'redis://redis',
    'redis://redis:6379',
    'redis://redis:6379/',
    'redis://redis:6379/15',
    'redis://:hunter2@redis:6379',
    'rediss://usher:hunter2%25%40@redis.example.com:6380/1',
    'redis://[::1]:6379',
  ])('takes %s', (url) => {
    const { settings, faults } = read({ REDIS_URL: url })
    expect(faults).toEqual([])
    expect(settings.secret('REDIS_URL').reveal()).toBe(url)
  })

  it.each([
    'hunter2',
    'redis:6379',
    'redis://',
    'http://:hunter2@redis:6379',
    'unix:///hunter2.sock',
    'redis-sentinel://:hunter2@redis:26379',
    'redis://:hunter2@redis:6379/usher',
    'redis://:hunter2@redis:6379/0?tls=true',
    'redis://:hunter2@redis:6379/#0',
    'redis://:hunter2%zz@redis:6379',
    'redis://:hunter2/@redis:6379',
    'redis://:hunter2@redis:99999',
    'redis://:your-password@redis:6379',
  ])('refuses %s, and does not repeat it', (url) => {
    const { faults } = read({ REDIS_URL: url })
    expect(faults).toMatchObject([{ name: 'REDIS_URL' }])
    expect(JSON.stringify(faults)).not.toMatch(/hunter2/)
  })
})

it('REVOCATIONS_OUTAGE is refuse or allow, and refuse where nobody said', () => {
  expect(read({}).settings.text('REVOCATIONS_OUTAGE')).toBe('refuse')
  expect(read({ REVOCATIONS_OUTAGE: 'allow' }).settings.text('REVOCATIONS_OUTAGE')).toBe('allow')
  expect(read({ REVOCATIONS_OUTAGE: 'ignore' }).faults).toMatchObject([{ name: 'REVOCATIONS_OUTAGE' }])
})
