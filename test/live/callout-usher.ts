// Usher in callout mode beside real nats-servers: the production service of test-app.ts. It owns what the suites ask of it, and
// that none outlives its suite.

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, vi } from 'vitest'
import { bearer, callers, type TestOptions, type TestService, testService } from '../app/test-app.ts'
import { type CalloutKeys, calloutEnv } from './callout-server.ts'

/** Every user has the subjects below u.<name>, and root may revoke. */
export const usualPolicy = policyWith(`
  - id: own
    when: { issuer: main }
    nats: { account: APP, publish: ["u.{user}.>"], subscribe: ["u.{user}.>"] }
`)

/** @param grants lines of the list, indented by two */
export function policyWith(grants: string, more = ''): string {
  return `${callers}
vars:
  user: { from: sub, match: "[a-z][a-z0-9-]{0,31}" }
grants:
  - { id: ops, when: { issuer: main, user: root }, admin: [revoke] }
${grants}
${more}`
}

/** What `POST /nats/token` answers. */
export interface Told {
  readonly token: string
  readonly user: string
  readonly account: string
  readonly tokenId: string
  readonly expiresAt: number
  readonly urls: readonly string[]
  readonly wsUrls: readonly string[]
  readonly inboxPrefix: string
  readonly permissions: object
}

export interface Usher extends TestService {
  /** @throws where none is issued */
  tokenFor(user: string, ask?: object, claims?: object): Promise<Told>
  /** Asks as `user`, whose JWT says the claims too. */
  post(
    path: string,
    user: string,
    body: object,
    claims?: object,
  ): Promise<{ status: number; body: Record<string, unknown> }>
  /** As root. @returns what became of it at NATS */
  revoke(whom: object): Promise<{ done: boolean; detail: string }>
  /** Status of /readyz. */
  readiness(): Promise<number>
  untilReady(): Promise<void>
  /** Whether it is connected to the system account. */
  isKicking(): Promise<boolean>
  untilKicking(): Promise<void>
  /** How many callouts this replica has answered, by outcome. */
  callouts(outcome: string): Promise<number>
  /** Rewrites a file beside the policy, the policy itself unless named, and loads it. */
  reload(text: string, file?: string): Promise<void>
}

const running = new Set<Usher>()
afterAll(() => Promise.all([...running].map(({ close }) => close())))

/** @param url of its nats-server, or several with commas between them */
export async function openUsher(keys: CalloutKeys, url: string, options: TestOptions = {}): Promise<Usher> {
  const env = { ...calloutEnv(keys, url), ...options.env }
  const service = await testService({ policy: usualPolicy, ...options, env })
  service.health.ready()
  const post = async (path: string, user: string, body: object, claims: object = {}) => {
    const headers = await bearer({ sub: user, ...claims })
    const answer = await service.app.inject({ method: 'POST', url: path, headers, payload: body })
    return { status: answer.statusCode, body: answer.json() }
  }
  const readiness = async () => (await service.app.inject('/readyz')).statusCode
  const isKicking = async () => {
    const { providers } = (await service.ops.inject('/status')).json()
    return providers.nats.system === 'connected'
  }
  const usher: Usher = {
    ...service,
    post,
    readiness,
    tokenFor: async (user, ask = {}, claims = {}) => {
      const { status, body } = await post('/nats/token', user, ask, claims)
      if (status !== 200) throw new Error(`${status}: ${JSON.stringify(body)}`)
      return body as unknown as Told
    },
    revoke: async (whom) => {
      const { status, body } = await post('/revoke', 'root', whom)
      if (status !== 200) throw new Error(`${status}: ${JSON.stringify(body)}`)
      return (body['outcomes'] as { nats: { done: boolean; detail: string } }).nats
    },
    untilReady: () => vi.waitFor(async () => expect(await readiness()).toBe(200), patience),
    isKicking,
    untilKicking: () => vi.waitFor(async () => expect(await isKicking()).toBe(true), patience),
    callouts: async (outcome) => {
      const { body } = await service.ops.inject('/metrics')
      return Number(new RegExp(`^usher_nats_callouts_total{outcome="${outcome}"} (\\d+)$`, 'm').exec(body)?.[1] ?? 0)
    },
    reload: async (text, file = 'policy.yaml') => {
      await writeFile(join(service.folder, file), text)
      service.reloadPolicy()
    },
    close: async () => {
      if (running.delete(usher)) await service.close()
    },
  }
  running.add(usher)
  return usher
}

/** How long the suites wait for what takes milliseconds on an idle machine. */
export const patience = { timeout: 15_000, interval: 10 }

/** The path of a file in a folder of its own, which is removed after the suite. */
export async function pathOfFile(name: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'usher-live-'))
  afterAll(() => rm(folder, { recursive: true, force: true }))
  return join(folder, name)
}
