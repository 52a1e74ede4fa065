// The system account of nats-server. It owns the proof that Usher can find connections there and end them, and the count of
// those who answer callouts.

import { setTimeout as sleep } from 'node:timers/promises'
import type { NatsConnection } from '@nats-io/transport-node'
import { calloutSubject } from '../providers/nats/callout/responder.ts'
import type { Probe } from './nats-check-chain.ts'
import { isUnanswered, request, type Unanswered, waitMs } from './nats-check-connect.ts'
import { type Finding, fault, fine } from './nats-check-report.ts'
import { findSubject, kickSubject } from './nats-server-conf.ts'

interface Connz {
  readonly server?: { readonly id?: string }
  readonly data?: { readonly connections?: readonly ConnzConnection[] }
}
interface ConnzConnection {
  readonly cid: number
  readonly subscriptions_list?: readonly string[]
}

/** Before the canary: who would answer it. */
export const findResponders: Probe = async (chain) => {
  const { system, callout, calloutAccount } = chain
  if (system === undefined) return []
  const first = await request(system, findSubject, JSON.stringify({ limit: 1 }))
  if (isUnanswered(first)) return [cannot('find connections', findSubject, first)]
  if (callout === undefined || calloutAccount === undefined) return []
  const { isComplete, count } = await countResponders(system, callout, calloutAccount)
  if (!isComplete) {
    // Every account may ask for the connections of its own: nothing of this user is to be believed.
    delete chain.system
    await system.close()
    return [notSystem('find connections')]
  }
  chain.responders = count
  return [
    count === 0
      ? fine('no Usher answers callouts now, so this check does, for its canary alone')
      : fine(`${count} ${count === 1 ? 'connection answers' : 'connections answer'} callouts`),
  ]
}

/** @returns isComplete: whether the check's own connection was seen */
async function countResponders(system: NatsConnection, own: NatsConnection, account: string) {
  const query = JSON.stringify({ acc: account, subscriptions: true, limit: 1024 })
  let isComplete = false
  let count = 0
  // One reply comes from each server of the cluster, and one may be far away.
  const options = { strategy: 'timer', maxWait: Math.min(waitMs, 1500) } as const
  for await (const reply of await system.requestMany(findSubject, query, options)) {
    const { server, data } = reply.json<Connz>()
    for (const { cid, subscriptions_list: subjects = [] } of data?.connections ?? []) {
      if (server?.id === own.info?.server_id && cid === own.info?.client_id) isComplete = true
      if (subjects.includes(calloutSubject)) count++
    }
  }
  return { isComplete, count }
}

/** The canary's connection, or else the check's own. */
export const endConnection: Probe = async ({ system, canary, callout }) => {
  const victim = canary ?? callout
  if (system === undefined || victim?.info === undefined) return []
  const { server_id: serverId, client_id: connectionId } = victim.info
  const reply = await request(system, kickSubject(serverId), JSON.stringify({ cid: connectionId }))
  if (isUnanswered(reply)) return [cannot('end connections', kickSubject('*'), reply)]
  return (await isClosed(victim))
    ? [
        fine(
          `NATS_SYSTEM_SEED: a connection of ${canary === undefined ? 'this check' : 'the canary'} was found and ended`,
        ),
      ]
    : [
        fault(
          'NATS_SYSTEM_SEED: nats-server took the request to end a connection, and did not',
          'Look into the log of nats-server; it has to be 2.10 or later',
        ),
      ]
}

function cannot(what: string, subject: string, { unanswered }: Unanswered): Finding {
  const name = 'NATS_SYSTEM_SEED'
  if (unanswered === 'publish')
    return fault(
      `${name}: its user may not ${what}`,
      `Let it publish ${subject}; \`usher nats setup\` shows all that it needs`,
    )
  if (unanswered === 'subscribe')
    return fault(`${name}: its user may not hear replies`, 'Let it subscribe _INBOX_usher.>')
  return unanswered === 'nobody'
    ? notSystem(what)
    : fault(`${name}: nats-server does not answer a request to ${what}`, 'Look into the log of nats-server')
}

const notSystem = (what: string): Finding =>
  fault(
    `NATS_SYSTEM_SEED: its user cannot ${what}, because its account is not the system account`,
    'Write system_account: SYS into the configuration, with the account that this user is in',
  )

async function isClosed(connection: NatsConnection): Promise<boolean> {
  const ended = new AbortController()
  const late = sleep(waitMs, false, { signal: ended.signal }).catch(() => false)
  const isClosed = await Promise.race([connection.closed().then(() => true), late])
  ended.abort()
  return isClosed
}
