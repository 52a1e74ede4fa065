// Browsers. It owns whether a request was sent by a page of somebody else’s, by Fetch Metadata and Origin
// (https://www.w3.org/TR/fetch-metadata/; RFC 6454). A gateway’s cookie goes with such a request unasked.

interface BrowserHeaders {
  readonly origin: string | undefined
  readonly secFetchSite: string | undefined
  readonly isListed: (origin: string) => boolean
}

export function isForeignOrigin({ origin, secFetchSite, isListed }: BrowserHeaders): boolean {
  if (secFetchSite === 'same-origin' || secFetchSite === 'none') return false
  // `null` is the Origin of every sandboxed frame and local file: it names nobody, so no list can mean it.
  if (origin !== undefined) return origin === 'null' || !isListed(origin)
  // Neither header: not a browser, or one older than 2023 on its own origin.
  return secFetchSite !== undefined
}
