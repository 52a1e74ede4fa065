// The settings of the service itself; those of a provider stand in its own folder. It owns their names, rules and defaults.

import { parseNetwork } from './identity/networks.ts'
import { levels } from './log.ts'
import { revocationSettings } from './revocations/settings.ts'
import { flagFault, type Setting, toList } from './settings.ts'

const numberFault = (min: number, max: number) => (text: string) =>
  /^\d{1,6}$/.test(text) && Number(text) >= min && Number(text) <= max
    ? undefined
    : { rule: `is not a whole number, ${min} to ${max}`, mend: 'Correct it' }

const oneOf = (values: readonly string[]) => (text: string) =>
  values.includes(text)
    ? undefined
    : { rule: 'is not one of the allowed values', mend: `Write one of: ${values.join(', ')}` }

const originsFault = (text: string) =>
  toList(text).every(
    // A wildcard is a host to URL, and would match no page.
    (origin) => URL.canParse(origin) && new URL(origin).origin === origin && /^https?:[^*]+$/.test(origin),
  )
    ? undefined
    : {
        rule: 'is not a list of exact origins',
        mend: 'Write https://app.example.com, without path or wildcard, more after commas',
      }

const cidrsFault = (text: string) =>
  toList(text).every((cidr) => typeof parseNetwork(cidr) !== 'string')
    ? undefined
    : {
        rule: 'is not a list of networks',
        mend: 'Write 10.0.0.0/24, more after commas; a single address is 10.0.0.7/32',
      }

const gatewaySecretFault = (text: string) =>
  toList(text).length <= 2 && toList(text).every((secret) => secret.length >= 32 && new Set(secret).size >= 8)
    ? undefined
    : {
        rule: 'is too weak',
        mend: 'Use 32 random characters or more, such as `openssl rand -hex 32` prints; two, with a comma, while rotating',
      }

export const coreSettings: readonly Setting[] = [
  { name: 'HOST', about: 'address to listen on', example: '127.0.0.1', fallback: '127.0.0.1' },
  {
    name: 'PORT',
    about: "port to listen on; the one that Agora's sample clients expect",
    example: '8082',
    fallback: '8082',
    faultIn: numberFault(0, 65_535),
  },
  { name: 'OPS_HOST', about: 'address of the ops port: health, details', example: '127.0.0.1', fallback: '127.0.0.1' },
  { name: 'OPS_PORT', about: 'ops port', example: '8083', fallback: '8083', faultIn: numberFault(0, 65_535) },
  {
    name: 'SANDBOX',
    about: 'true = sandbox with these credentials, on loopback only; it cannot have a policy file',
    example: 'false',
    faultIn: flagFault,
  },
  { name: 'USHER_POLICY', about: 'path of the policy file', example: './policy.yaml' },
  {
    name: 'CORS_ORIGINS',
    about: 'origins whose pages may ask, exact, comma-separated',
    example: 'https://app.example.com',
    faultIn: originsFault,
  },
  {
    name: 'TRUSTED_PROXIES',
    about: 'networks whose X-Forwarded-For is believed',
    example: '10.0.0.0/24',
    faultIn: cidrsFault,
  },
  {
    name: 'GATEWAY_SECRET',
    secret: true,
    about: 'shared with the gateway of callers.gateway, 32 characters or more; two, comma-separated, while rotating',
    example: 'make-one-with-openssl-rand-hex-32',
    faultIn: gatewaySecretFault,
  },
  { name: 'DOCS', about: 'on = serve /docs and /openapi.yaml', example: 'off', faultIn: flagFault },
  {
    name: 'LOG_LEVEL',
    about: 'debug, info, warn, error or silent; the audit is always written',
    example: 'info',
    fallback: 'info',
    faultIn: oneOf(levels),
  },
  {
    name: 'DRAIN_SECONDS',
    about: 'how long to go on answering after SIGTERM, while the gateway turns away',
    example: '5',
    fallback: '5',
    faultIn: numberFault(0, 300),
  },
  {
    name: 'MAX_IN_FLIGHT',
    about: 'requests under way at once; more are told to come back',
    example: '256',
    fallback: '256',
    faultIn: numberFault(1, 100_000),
  },
  ...revocationSettings,
]
