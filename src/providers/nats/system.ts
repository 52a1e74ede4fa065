// Ends connections. It owns the two requests to the system account that this takes: who is connected, and KICK.
// https://docs.nats.io/running-a-nats-service/configuration/sys_accounts; facts/nats.md 1.5

import type { NatsConnection } from '@nats-io/transport-node'
import { serviceInbox } from './connection.ts'

interface ConnzReply {
  readonly server?: { readonly id?: string }
  readonly data?: { readonly connections?: readonly { readonly cid: number }[]; readonly limit?: number }
}

const findSubject = '$SYS.REQ.SERVER.PING.CONNZ'
/** One reply comes from each server of the cluster; nobody says how many there are. */
const quietMs = 150
const maxMs = 2000

export const kick = (connection: NatsConnection, serverId: string, connectionId: number): void =>
  connection.publish(`$SYS.REQ.SERVER.${serverId}.KICK`, JSON.stringify({ cid: connectionId }), unread)

/** Without a reply subject nats-server drops the request (server/events.go, zReq); nobody reads the reply. */
const unread = { reply: `${serviceInbox}.kicked` }

/**
 * Kicks every connection of a user, on every server, as soon as its server has named it.
 * @param user name as in the user JWT
 * @param isPatient waits two seconds for servers that are far away or busy; else no longer than a pause between answers
 * @returns how many there were
 */
export async function kickUser(
  connection: NatsConnection,
  user: string,
  { isPatient }: { isPatient: boolean },
): Promise<number> {
  let kicked = 0
  // A server names a page of connections at a time; those that were kicked are gone from the next one.
  for (let round = 0; round < 50; round++) {
    const { found, isWhole } = await kickPage(connection, user, isPatient)
    kicked += found
    if (isWhole) break
  }
  return kicked
}

async function kickPage(
  connection: NatsConnection,
  user: string,
  isPatient: boolean,
): Promise<{ found: number; isWhole: boolean }> {
  let found = 0
  let isWhole = true
  const replies = await connection.requestMany(findSubject, JSON.stringify({ auth: true, user }), {
    strategy: isPatient ? 'timer' : 'stall',
    stall: quietMs,
    maxWait: maxMs,
  })
  for await (const reply of replies) {
    const { server, data } = reply.json<ConnzReply>()
    const connections = data?.connections ?? []
    for (const { cid } of connections) kick(connection, server?.id as string, cid)
    found += connections.length
    isWhole &&= connections.length < (data?.limit ?? 1024)
  }
  return { found, isWhole }
}
