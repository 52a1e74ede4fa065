// Ends the connections of whoever is revoked. It owns the connection of the system account, and that each revocation, own or of
// another replica, is carried out once here.

import { setTimeout as sleep } from 'node:timers/promises'
import type { Log } from '../../../log.ts'
import { toErrorFields } from '../../../log.ts'
import type { Metrics } from '../../../metrics.ts'
import { keepConnection } from '../connection.ts'
import type { Signer } from '../nkeys.ts'
import { kick, kickUser } from '../system.ts'

export interface Kicker {
  isUp(): boolean
  /**
   * @param user name as in his user JWTs
   * @param revocation tells one from another of the same user: each is carried out once, whoever tells of it
   * @returns how many connections he had, or undefined while the server cannot be asked
   */
  endUser(user: string, revocation: string): Promise<number | undefined>
  end(connections: readonly { readonly serverId: string; readonly connectionId: number }[]): void
  close(): Promise<void>
}

/**
 * A connect that was under way is let in after the first look; the second finds it. The third finds those that waited for their
 * audit line, which may take two seconds, at a replica that heard of the revocation a second later.
 */
const lookAgainMs = 1000
const lookLastMs = 2500

export function openKicker({
  servers,
  login,
  log,
  metrics,
  onUp,
}: {
  servers: readonly string[]
  login: Signer
  log: Log
  metrics: Metrics
  /** Each time that nats-server can be asked (again): what was revoked meanwhile is not ended yet. */
  onUp: () => void
}): Kicker {
  let isUp = false
  let isClosed = false
  const underWay = new Map<string, Promise<number | undefined>>()
  const system = keepConnection({
    servers,
    login,
    name: 'system',
    log,
    onUp: () => {
      isUp = true
      onUp()
    },
    onDown: () => {
      isUp = false
    },
  })

  async function look(user: string, isPatient: boolean): Promise<number | undefined> {
    const connection = system.current()
    if (connection === undefined || !isUp) return undefined
    try {
      const connections = await kickUser(connection, user, { isPatient })
      metrics.kicked('revoked', connections)
      return connections
    } catch (error) {
      if (!isClosed) log.error({ provider: 'nats', ...toErrorFields(error) }, 'connections could not be ended')
      return undefined
    }
  }

  /** Until a look succeeds: we may be cut off from the server for hours, while his connections to it stay. */
  async function lookAgain(user: string): Promise<void> {
    await sleep(lookAgainMs, undefined, { ref: false })
    await look(user, true)
    for (let failures = 0; failures < 10 && !isClosed; ) {
      await sleep(lookLastMs, undefined, { ref: false })
      if (!isUp) continue
      if ((await look(user, true)) !== undefined) break
      failures++
    }
  }

  return {
    isUp: () => isUp,
    endUser: (user, revocation) => {
      const key = `${user} ${revocation}`
      let first = underWay.get(key)
      if (first === undefined) {
        first = look(user, false)
        underWay.set(key, first)
        void lookAgain(user).then(() => underWay.delete(key))
      }
      return first
    },
    end: (connections) => {
      const connection = system.current()
      if (connection === undefined || !isUp) return
      for (const { serverId, connectionId } of connections) kick(connection, serverId, connectionId)
      metrics.kicked('soft_expiry', connections.length)
    },
    close: () => {
      isClosed = true
      return system.close()
    },
  }
}
