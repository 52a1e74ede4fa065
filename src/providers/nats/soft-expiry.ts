// Soft expiry. It owns the list of connections by their end, and kicks each a few seconds before: a client with a token callback
// then renews without an error, where some close for good when the server says that their credential has ended.

interface Known {
  readonly serverId: string
  readonly connectionId: number
  readonly expiresAt: number
}

export interface SoftExpiry {
  add(connection: Known): void
  close(): void
}

/** About 12 MB. Who is beyond it is ended by nats-server at the end of his token, as without all this. */
const maxKnown = 100_000

/** Looks once a second. @param early seconds before the end @param end kicks */
export function createSoftExpiry({
  early,
  now,
  end,
}: {
  early: number
  /** Unix milliseconds. */
  now: () => number
  end: (connections: readonly Known[]) => void
}): SoftExpiry {
  const bySecond = new Map<number, Known[]>()
  let count = 0
  const timer = setInterval(() => {
    const second = Math.floor(now() / 1000)
    for (const [due, connections] of bySecond) {
      if (due > second) continue
      bySecond.delete(due)
      count -= connections.length
      end(connections)
    }
  }, 1000).unref()
  return {
    add: (connection) => {
      const due = connection.expiresAt - early
      // Who comes back with the token that he had, or whose tokens live no longer, would be ended again every second.
      if (due <= now() / 1000) return
      if (count >= maxKnown) return
      count++
      const others = bySecond.get(due)
      if (others === undefined) bySecond.set(due, [connection])
      else others.push(connection)
    },
    close: () => clearInterval(timer),
  }
}
