// Static mode. It owns the proof that the shared token, and nothing less, opens nats-server.

import type { Probe } from './nats-check-chain.ts'
import { broken, isFailure, tryConnect } from './nats-check-connect.ts'
import { fault, fine, warning } from './nats-check-report.ts'

export const connectWithToken: Probe = async ({ server, settings }) => {
  const connection = await tryConnect(server, { token: settings.text('NATS_TOKEN') })
  if (!isFailure(connection)) {
    await connection.close()
    return [fine('NATS_TOKEN: nats-server lets it in')]
  }
  if (connection.failed === 'refused')
    return [
      fault(
        'NATS_TOKEN: nats-server refuses it',
        'Give both the same: authorization { token: … }, in clear or as `usher nats passwd` hashes it',
      ),
    ]
  if (connection.failed === 'broken') return [broken('by NATS_TOKEN', connection)]
  return [
    warning(
      'NATS_TOKEN: nats-server did not answer to it in 3 s',
      'A hash of a high cost takes long: see `usher nats passwd`',
    ),
  ]
}
