import { describe, expect, it } from 'vitest'
import { isForeignOrigin } from '../../src/identity/origin.ts'

const isListed = (origin: string) => ['https://app.example.com', 'null'].includes(origin)
const ask = (origin: string | undefined, secFetchSite: string | undefined) =>
  isForeignOrigin({ origin, secFetchSite, isListed })

describe('a request of a browser', () => {
  it.each([
    ['https://app.example.com', 'cross-site'],
    ['https://app.example.com', 'same-site'],
    ['https://app.example.com', undefined],
    ['https://ours.example', 'same-origin'],
    [undefined, 'same-origin'],
    [undefined, 'none'],
    [undefined, undefined],
  ])('from Origin %s with Sec-Fetch-Site %s is not foreign', (origin, site) => {
    expect(ask(origin, site)).toBe(false)
  })

  it.each([
    ['https://evil.com', 'cross-site'],
    ['https://evil.com', 'same-site'],
    ['https://evil.com', undefined],
    ['https://app.example.com.evil.com', undefined],
    ['https://evilapp.example.com', undefined],
    ['http://app.example.com', undefined],
    ['https://app.example.com:8443', undefined],
    ['https://APP.example.com', undefined],
    ['null', 'cross-site'],
    ['null', undefined],
    ['', undefined],
    [undefined, 'cross-site'],
    [undefined, 'same-site'],
    [undefined, 'same-origin, cross-site'],
    [undefined, ''],
  ])('from Origin %s with Sec-Fetch-Site %s is foreign', (origin, site) => {
    expect(ask(origin, site)).toBe(true)
  })
})
