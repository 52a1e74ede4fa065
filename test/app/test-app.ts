// The service as it runs in production, opened for a test. It owns what a test may choose: settings, policy, clock, fetch, and
// where audit and log go. Nothing is replaced.

import { generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import { SignJWT } from 'jose'
import type { Sink } from '../../src/audit.ts'
import { parseConfig } from '../../src/config.ts'
import { createApiKey } from '../../src/identity/api-key.ts'
import { type Level, type Log, openLog } from '../../src/log.ts'
import { faultText } from '../../src/policy/faults.ts'
import { generateToken } from '../../src/providers/nats/static-token.ts'
import { openService, type Service } from '../../src/service.ts'

const hex = (bytes: number) => randomBytes(bytes).toString('hex')
const issuerKeys = generateKeyPairSync('ed25519')

/** Made up at every run: they would be accepted in production, and open nothing. */
export const ablyKeyName = `app${hex(2)}.key${hex(2)}`
export const secrets = {
  certificate: hex(16),
  ablySecret: hex(22),
  natsToken: generateToken(),
  gatewaySecret: hex(32),
  tokenKey: randomBytes(32).toString('base64url'),
}
export const appId = hex(16)
export const { key: apiKey, id: apiKeyId, sha256: apiKeyDigest } = createApiKey()

export const settings: Readonly<Record<string, string>> = {
  AGORA_APP_ID: appId,
  AGORA_APP_CERTIFICATE: secrets.certificate,
  ABLY_API_KEY: `${ablyKeyName}:${secrets.ablySecret}`,
  // The discard port: nobody answers there, and nothing leaves this machine.
  ABLY_HOSTS: 'http://127.0.0.1:9',
  NATS_TOKEN: secrets.natsToken,
  NATS_URLS: 'nats://127.0.0.1:4222',
  GATEWAY_SECRET: secrets.gatewaySecret,
  CORS_ORIGINS: 'https://app.example.com,http://localhost:5173',
}

/** An issuer, an API key and a gateway, whose users get what is theirs. */
export const callers = `
callers:
  jwt:
    - { name: main, issuer: "https://id.test/", jwksFile: jwks.json, audience: [usher], algorithms: [EdDSA] }
  apiKeys:
    - { id: ${apiKeyId}, name: backend, sha256: ${apiKeyDigest}, onBehalfOf: "[a-z]{1,16}" }
  gateway: { header: x-auth-request-user, trustedProxies: [127.0.0.1/32] }
`
const vars = `
vars:
  user: { from: sub, match: "[a-z][a-z0-9-]{0,31}" }
  uid: { from: claims.uid, type: uint32 }
  room: { from: ask, match: "[A-Za-z0-9_-]{1,40}" }
`
const grantsOf = (source: string, when: string) => `
  - id: ${source}-rtc
    when: ${when}
    agora: { channel: "{room}", account: "user-{user}", role: publisher }
  - id: ${source}-chat
    when: ${when}
    ably: { clientId: "{user}", capability: { "chat:{user}": [subscribe, publish] }, modes: [request, token] }
  - id: ${source}-bus
    when: ${when}
    nats: { shared: true }
  - id: ${source}-ops
    when: ${when}
    admin: [revoke]
`
export const policy = `${callers}${vars}
grants:
  - id: rtc-by-uid
    when: { issuer: main }
    agora: { channel: "{room}", uid: "{uid}", role: publisher }
${grantsOf('main', '{ issuer: main }')}
${grantsOf('gateway', '{ caller: gateway }')}
${grantsOf('backend', `{ client: ${apiKeyId} }`)}
`

/** A JWT of the issuer `main`; claims replace the usual ones, undefined leaves one out. */
export const jwt = (claims: Record<string, unknown> = {}): Promise<string> => {
  const now = Math.floor(Date.now() / 1000)
  const usual = { iss: 'https://id.test/', aud: 'usher', sub: 'alice', uid: 7, iat: now - 10, exp: now + 7200 }
  return new SignJWT({ ...usual, ...claims }).setProtectedHeader({ alg: 'EdDSA' }).sign(issuerKeys.privateKey)
}
export const bearer = async (claims: Record<string, unknown> = {}) => ({ authorization: `Bearer ${await jwt(claims)}` })
export const asGateway = (user: string) => ({ 'x-auth-request-user': user, 'x-gateway-secret': secrets.gatewaySecret })

export interface AuditLine {
  readonly requestId: string
  readonly provider: string
  readonly outcome: 'issued' | 'refused' | 'connected' | 'revoked'
  readonly reason?: string
  readonly detail?: string
  readonly token?: string
  readonly [field: string]: unknown
}

export interface TestOptions {
  readonly policy?: string
  /** Files beside the policy, by name. */
  readonly files?: Readonly<Record<string, string>>
  /** On top of `settings` and of a REVOCATIONS_FILE in the folder; an empty text unsets. */
  readonly env?: Readonly<Record<string, string>>
  /** No settings, no policy: the sandbox of a bare start. */
  readonly sandbox?: boolean
  readonly now?: () => number
  readonly fetch?: typeof fetch
  readonly sink?: Sink
  readonly logLevel?: Level
}

export interface TestService extends Service {
  readonly log: Log
  readonly folder: string
  /** Opens a socket on a free loopback port. @returns its address */
  listen(what?: FastifyInstance): Promise<string>
  /** The next write to the audit, for what is recorded after its answer. */
  nextAudit(): Promise<void>
  auditText(): string
  auditLines(): AuditLine[]
  /** All that was logged until now: the log writes behind the requests. */
  logText(): Promise<string>
}

export async function testService(options: TestOptions = {}): Promise<TestService> {
  const { now = Date.now, fetch = globalThis.fetch, logLevel = 'debug', sandbox = false } = options
  const folder = mkdtempSync(join(tmpdir(), 'usher-test-'))
  const files = {
    'policy.yaml': options.policy ?? policy,
    'jwks.json': JSON.stringify({ keys: [issuerKeys.publicKey.export({ format: 'jwk' })] }),
    ...options.files,
  }
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content)
  const bare = sandbox
    ? {}
    : {
        ...settings,
        USHER_POLICY: join(folder, 'policy.yaml'),
        REVOCATIONS_FILE: join(folder, 'revocations.jsonl'),
      }
  const parsed = parseConfig({ ...bare, ...options.env }, (path) => readFileSync(path, 'utf8'))
  if ('faults' in parsed) throw new Error(JSON.stringify(parsed.faults))

  // The log is the production one, down to its file descriptor: what it drops and what it escapes is under test.
  const logFile = openSync(join(folder, 'log'), 'w')
  let audited = ''
  let announce = () => {}
  const toMemory: Sink = async (lines) => {
    audited += lines
    announce()
  }
  const log = openLog(logLevel, { fd: logFile, sync: true })
  const service = await openService(parsed.config, { log, auditSink: options.sink ?? toMemory, now, fetch })
  if (!('app' in service)) throw new Error(service.map(faultText).join('\n'))
  await service.app.ready()
  const logText = async () => {
    const mark = randomUUID()
    log.error({ requestId: mark }, 'mark')
    for (;;) {
      const [text = '', rest] = readFileSync(join(folder, 'log'), 'utf8').split(mark)
      if (rest?.includes('\n')) return text.slice(0, text.lastIndexOf('\n') + 1).replace(/^.*"msg":"mark".*\n/gm, '')
      await nextTurn()
    }
  }
  return {
    ...service,
    log,
    folder,
    listen: (what = service.app) => what.listen({ host: '127.0.0.1', port: 0 }),
    nextAudit: () =>
      new Promise((resolve) => {
        announce = resolve
      }),
    auditText: () => audited,
    auditLines: () =>
      audited
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line)),
    logText,
    close: async () => {
      await service.close()
      await logText()
      closeSync(logFile)
      rmSync(folder, { recursive: true })
    },
  }
}
