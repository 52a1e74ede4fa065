// Networks by CIDR. It owns whether an address lies in one; IPv4-mapped IPv6 addresses count as the IPv4 they hold.

import { BlockList, isIP } from 'node:net'

export interface Network {
  readonly address: string
  readonly prefix: number
  readonly family: 'ipv4' | 'ipv6'
}

/** Parses `10.0.0.0/24` or `fd00::/8`; a string is the rule that was broken, with the mend. */
export function parseNetwork(text: string): Network | string {
  const [, address, digits] = /^([0-9A-Fa-f.:]+)\/(\d{1,3})$/.exec(text) ?? []
  if (address === undefined) return 'is not a CIDR; write it such as 10.0.0.0/24, one address as 10.0.0.7/32'
  const version = isIP(address)
  const prefix = Number(digits)
  if (version === 0 || prefix > (version === 4 ? 32 : 128)) return 'is not a CIDR of IPv4 or IPv6'
  if (prefix === 0) return 'holds every address; list the networks that are meant'
  return { address, prefix, family: version === 4 ? 'ipv4' : 'ipv6' }
}

const maxKnown = 1000

/** An empty list holds no address. @throws where `parseNetwork` reports a fault. */
export function openNetworks(cidrs: readonly string[]): (address: string) => boolean {
  const list = new BlockList()
  for (const cidr of cidrs) {
    const network = parseNetwork(cidr)
    if (typeof network === 'string') throw new TypeError(`${cidr} ${network}`)
    list.addSubnet(network.address, network.prefix, network.family)
  }
  // A check costs 3 µs, and a gateway has few addresses.
  const known = new Map<string, boolean>()
  return (address) => {
    const before = known.get(address)
    if (before !== undefined) return before
    const version = isIP(address)
    const isInside = version !== 0 && list.check(address, version === 4 ? 'ipv4' : 'ipv6')
    if (known.size >= maxKnown) known.clear()
    known.set(address, isInside)
    return isInside
  }
}
