// The routes that an app has. It owns how they are collected, so that a new one is under test the moment it exists.

import type { FastifyInstance, InjectOptions } from 'fastify'

export interface Route {
  /** Without parameters: each has a value. */
  readonly url: string
  readonly methods: readonly string[]
}

/** Routes that anybody may ask, because they say nothing. Every other route is inside the token scope. */
const open = ['/livez', '/readyz']

/** A good request, by route: one that gets a token, or a revocation of somebody else. A new route needs its line here. */
const asks: Readonly<Record<string, Readonly<Record<string, Pick<InjectOptions, 'payload' | 'headers'>>>>> = {
  '/fetch_rtc_token': { POST: { payload: { channelName: 'room-1', uid: 7, role: 1 } } },
  '/api/ably-token': {
    GET: {},
    POST: { payload: 'clientId=alice', headers: { 'content-type': 'application/x-www-form-urlencoded' } },
  },
  '/nats/token': { GET: {}, POST: {} },
  '/revoke': { POST: { payload: { source: 'main', subject: 'nobody' } } },
}

/** Every route of the router's own tree. */
export function routesOf(app: FastifyInstance): Route[] {
  const parents: string[] = []
  const routes: Route[] = []
  for (const line of app.printRoutes({ commonPrefix: false }).split('\n')) {
    const [, indent = '', part = '', methods] = /^((?:│ {3}| {4})*)[├└]── (\S+)(?: \(([A-Z, ]+)\))?$/.exec(line) ?? []
    if (part === '') continue
    const depth = indent.length / 4
    parents.splice(depth, parents.length, part)
    if (methods === undefined || part === '*') continue
    routes.push({ url: parents.join('').replaceAll(/:\w+/g, 'x'), methods: methods.split(', ') })
  }
  return routes
}

export const isTokenRoute = ({ url }: Route): boolean => !open.includes(url)

/** Whether a provider answers it, and not Usher itself. */
export const isIssuing = ({ url }: Pick<Route, 'url'>): boolean => url !== '/revoke'

export interface Ask extends InjectOptions {
  readonly url: string
  readonly method: 'GET' | 'POST'
}

/** A good request for each method of each route of the token scope. */
export function asksOf(app: FastifyInstance): Ask[] {
  return routesOf(app)
    .filter(isTokenRoute)
    .flatMap(({ url, methods }) =>
      methods.map((method) => {
        const ask = asks[url]?.[method]
        if (ask === undefined) throw new Error(`test/app/routes.ts has no request for ${method} ${url}`)
        return { ...ask, url, method: method as Ask['method'] }
      }),
    )
}
