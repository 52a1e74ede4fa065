// The real Ably SDK, pointed at the stand-in, and promises for what its connection does.
import { type ClientOptions, type ConnectionState, type ConnectionStateChange, type ErrorInfo, Realtime } from 'ably'
import type { AblyStandin } from './ably.ts'

export type ConnectOptions = Omit<ClientOptions, 'endpoint' | 'port' | 'tls' | 'useBinaryProtocol'> & {
  ably: Pick<AblyStandin, 'port'>
}

const ends = ['connected', 'failed', 'disconnected', 'suspended'] as const satisfies ConnectionState[]

/** `reason.cause` is the error of the authUrl or authCallback where `reason.code` is 80019. */
export type Settled = { state: (typeof ends)[number]; reason: ErrorInfo | undefined }

/** A Realtime client that talks to the stand-in and to nobody else. All other options are the SDK's own. */
export const connectAbly = ({ ably, ...options }: ConnectOptions): Realtime =>
  new Realtime({
    logLevel: 0,
    // The SDK would ask hosts of Ably whether there is an internet at all.
    disableConnectivityCheck: true,
    wsConnectivityCheckUrl: `ws://127.0.0.1:${ably.port}/up`,
    ...options,
    // A port empties the list of fallback hosts; an address keeps the SDK from making <name>.realtime.ably.net of it.
    endpoint: '127.0.0.1',
    port: ably.port,
    tls: false,
    useBinaryProtocol: false,
  })

const isEnd = (state: ConnectionState): state is Settled['state'] => ends.some((end) => end === state)

const firstChange = ({ connection }: Realtime, isWanted: (state: ConnectionState) => boolean) =>
  new Promise<ConnectionStateChange>((resolve) => {
    connection.on(function listen(change) {
      if (!isWanted(change.current)) return
      connection.off(listen)
      resolve(change)
    })
  })

/** Where the connection stands, or the first end that it comes to. */
export const settled = async (client: Realtime): Promise<Settled> => {
  const { state, errorReason } = client.connection
  if (isEnd(state)) return { state, reason: errorReason ?? undefined }
  const { current, reason } = await firstChange(client, isEnd)
  return { state: current as Settled['state'], reason }
}

/** Closes the client and waits until it has; a failed client is closed already. */
export const closeAbly = async (client: Realtime): Promise<void> => {
  const isOver = (state: ConnectionState) => state === 'closed' || state === 'failed'
  if (isOver(client.connection.state)) return
  const closed = firstChange(client, isOver)
  client.close()
  await closed
}
