// Agora. This folder owns AccessToken2 and the rights in it: grammar · ask · rights · codec · mint · routes.

import { randomBytes } from 'node:crypto'
import { flagFault, type Setting } from '../../settings.ts'
import type { ProviderModule } from '../module.ts'
import type { AgoraAsk } from './ask.ts'
import { openAgora } from './mint.ts'
import { type AgoraOffer, type AgoraRights, agoraEntitlement } from './rights.ts'
import { agoraRoutes } from './routes.ts'

/** Published in Agora’s own tests: whoever copies them signs for nobody. */
const published = ['970CA35de60c44645bbae8a215061b33', '5CFd2fd1755d40ecb72977518be15d3b']

const hexFault = (text: string) => {
  if (!/^[0-9a-fA-F]{32}$/.test(text))
    return { rule: 'is not 32 hexadecimal characters', mend: 'Copy it from the Agora console' }
  const isWeak = new Set(text.toLowerCase()).size < 6 || published.includes(text)
  return isWeak ? { rule: 'is an example, not a value of yours', mend: 'Copy it from the Agora console' } : undefined
}

const settings: readonly Setting[] = [
  {
    name: 'AGORA_APP_ID',
    about: 'Agora App ID, 32 hexadecimal characters',
    example: '00000000000000000000000000000000',
    faultIn: hexFault,
  },
  {
    name: 'AGORA_APP_CERTIFICATE',
    secret: true,
    about: 'Agora App Certificate (primary), 32 hexadecimal characters',
    example: '00000000000000000000000000000000',
    faultIn: hexFault,
  },
  {
    name: 'AGORA_TOKEN_DEFLATE',
    about: "true = compress tokens with zlib, as Agora's Node library does, in place of a stored block",
    example: 'false',
    fallback: 'false',
    faultIn: flagFault,
  },
]

export const agora: ProviderModule<AgoraAsk, AgoraOffer, AgoraRights, string> = {
  entitlement: agoraEntitlement,
  settings,
  required: () => ['AGORA_APP_ID', 'AGORA_APP_CERTIFICATE'],
  sandboxSettings: () => ({
    AGORA_APP_ID: randomBytes(16).toString('hex'),
    AGORA_APP_CERTIFICATE: randomBytes(16).toString('hex'),
  }),
  curl: (base) => `curl -s ${base}/fetch_rtc_token -d '{"channelName":"room-1","uid":1234,"role":1}'`,
  open: (settings, { now }) =>
    openAgora(
      {
        appId: settings.text('AGORA_APP_ID'),
        certificate: settings.secret('AGORA_APP_CERTIFICATE'),
        deflate: settings.flag('AGORA_TOKEN_DEFLATE'),
      },
      now,
    ),
  routes: agoraRoutes,
}
