// Loopback. It owns, for all that is trusted because it is this machine, which names and addresses are.

import { openNetworks } from './networks.ts'

/** An IP address. */
export const isLoopbackAddress = openNetworks(['127.0.0.0/8', '::1/128'])

/** The name or address in a URL or a setting, without port; IPv6 in brackets or bare. RFC 6761, section 6.3: localhost and below. */
export const isLoopbackName = (name: string): boolean =>
  /^([a-z0-9-]+\.)*localhost$/i.test(name) || isLoopbackAddress(name.replace(/^\[(.*)\]$/, '$1'))

/** A Host header: a name, and perhaps a port. */
export const isLoopbackHost = (host: string): boolean => {
  const name = /^(\[[0-9a-f:]{2,39}\]|[a-z0-9.-]{1,253})(?::\d{1,5})?$/i.exec(host)?.[1]
  return name !== undefined && isLoopbackName(name)
}

/** An Origin header; `null` is none. */
export const isLoopbackOrigin = (origin: string): boolean =>
  isLoopbackHost(/^https?:\/\/([^/]+)$/.exec(origin)?.[1] ?? '')
