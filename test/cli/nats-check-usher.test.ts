// `usher nats check` beside a running Usher: that answers the canary, and loses no request of its users to the check.

import { randomBytes } from 'node:crypto'
import { describe, expect, it, vi } from 'vitest'
import { createSeed } from '../../src/providers/nats/nkeys.ts'
import { openUsher, patience, type Usher } from '../live/callout-usher.ts'
import { obtainNatsServer } from '../live/nats-server.ts'
import { checkWith, linesOf, setUp, startServer } from './nats-set-up.ts'

const natsServer = await obtainNatsServer()

describe.skipIf(!natsServer)('usher nats check, where an Usher runs', () => {
  const { conf, env } = setUp('callout', ['APP', 'OTHER'])
  const keys = {
    issuer: env['NATS_ISSUER_SEEDS'] as string,
    xkey: env['NATS_XKEY_SEEDS'] as string,
    login: env['NATS_CALLOUT_SEED'] as string,
    system: env['NATS_SYSTEM_SEED'] as string,
    tokenKeys: env['NATS_TOKEN_KEYS'] as string,
  }
  /** Until it answers. */
  const runUsher = async (url: string, over: Partial<typeof keys> = {}) => {
    const usher = await openUsher({ ...keys, ...over }, url)
    await usher.untilReady()
    return usher
  }
  /** Until it is asked; it drops what it is asked. */
  const runDeafUsher = async (url: string, over: Partial<typeof keys> = {}): Promise<Usher> => {
    const usher = await openUsher({ ...keys, ...over }, url)
    await vi.waitFor(async () => expect(await usher.callouts('invalid')).toBeGreaterThan(0), patience)
    return usher
  }

  it('has it answer, and takes no request from it', async () => {
    const url = await startServer(conf)
    const usher = await runUsher(url)
    const outcome = await checkWith({ ...env, NATS_URLS: url })
    expect([outcome.exitCode, linesOf('warning', outcome)]).toEqual([0, []])
    expect(linesOf('ok', outcome).slice(4)).toEqual([
      '1 connection answers callouts.',
      'a canary was let in: nats-server asked Usher, encrypted, and placed it in APP; OTHER can be tried while no Usher runs.',
      'NATS_SYSTEM_SEED: a connection of the canary was found and ended.',
    ])
    expect(await usher.callouts('canary')).toBe(2)
    await usher.close()
  })

  it('names one with other token keys, and leaves its requests alone', async () => {
    const url = await startServer(conf)
    const usher = await runUsher(url, { tokenKeys: `k1:${randomBytes(32).toString('base64url')}` })
    const outcome = await checkWith({ ...env, NATS_URLS: url })
    expect([outcome.exitCode, linesOf('fault', outcome)]).toEqual([
      1,
      [expect.stringMatching(/^a canary was refused at once: an Usher that answers has other NATS_TOKEN_KEYS, or /)],
    ])
    expect(await usher.callouts('unauthenticated')).toBe(1)
    await usher.close()
  })

  it('names one of several that is set up otherwise', async () => {
    const url = await startServer(conf)
    const ushers = [await runUsher(url), await runDeafUsher(url, { xkey: createSeed('curve') })]
    const outcome = await checkWith({ ...env, NATS_URLS: url })
    expect(linesOf('ok', outcome)).toContain('2 connections answer callouts.')
    expect([outcome.exitCode, linesOf('fault', outcome)]).toEqual([
      1,
      [expect.stringMatching(/^\d+ of 16 canaries were not let in: one Usher that answers is set up otherwise than/)],
    ])
    for (const usher of ushers) await usher.close()
  })

  it('finds out for one that drops all requests what is wrong with them', async () => {
    const url = await startServer(conf.replace(/xkey: X\w+/, ''))
    const usher = await runDeafUsher(url)
    const outcome = await checkWith({ ...env, NATS_URLS: url })
    expect(linesOf('fault', outcome)).toEqual([expect.stringMatching(/^nats-server does not encrypt its requests/)])
    await usher.close()
  })

  it('has it answer for a replica that only issues tokens', async () => {
    const url = await startServer(conf)
    const { NATS_CALLOUT_SEED: _, NATS_ISSUER_SEEDS: __, NATS_XKEY_SEEDS: ___, ...issuing } = env
    const alone = await checkWith({ ...issuing, NATS_URLS: url })
    expect([alone.exitCode, linesOf('fault', alone)]).toEqual([
      1,
      [expect.stringMatching(/^nobody answers the callout about a canary, .*\. Start the Usher that answers/)],
    ])
    const usher = await runUsher(url)
    const outcome = await checkWith({ ...issuing, NATS_URLS: url })
    expect([outcome.exitCode, linesOf('warning', outcome)]).toEqual([
      0,
      [expect.stringMatching(/^NATS_CALLOUT_SEED is not set: this replica issues tokens and answers no callout/)],
    ])
    expect(linesOf('ok', outcome).at(-1)).toBe('NATS_SYSTEM_SEED: a connection of the canary was found and ended.')
    await usher.close()
  })
})
