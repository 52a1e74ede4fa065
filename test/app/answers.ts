// What every answer must be. It owns the checks that hold for all routes and all outcomes.

import { expect } from 'vitest'
import { codeOf, type Reason, reasons, statusOf } from '../../src/errors.ts'

export interface Answer {
  readonly status: number
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, unknown>>
  readonly text: string
}

export const toAnswer = (response: { statusCode: number; headers: object; payload: string }): Answer => ({
  status: response.statusCode,
  headers: { ...response.headers },
  text: response.payload,
})

export const ofFetch = async (response: Response): Promise<Answer> => ({
  status: response.status,
  headers: Object.fromEntries(response.headers),
  text: await response.text(),
})

/** One answer as it came over a socket that was then closed. */
export function ofBytes(text: string): Answer {
  const [head = '', ...rest] = text.split('\r\n\r\n')
  const [status = '', ...lines] = head.split('\r\n')
  const headers = lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.replace(/^[^:]*: */, '')])
  return { status: Number(status.split(' ')[1]), headers: Object.fromEntries(headers), text: rest.join('\r\n\r\n') }
}

/** Nobody keeps it, frames it, sniffs it; nobody learns what runs here. */
export function expectSafeHeaders({ headers }: Answer): void {
  expect(headers).toMatchObject({
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'cross-origin-resource-policy': 'same-origin',
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  })
  for (const name of ['server', 'x-powered-by', 'etag', 'last-modified', 'set-cookie', 'location'])
    expect(headers).not.toHaveProperty(name)
}

const printable = /^[\x20-\x7e]+$/

/** The one error body, whole and nothing else, for a reason; `code` beside it only where Agora's clients read it. */
export function expectRefusal(answer: Answer, reason: Reason, { agora = false } = {}): void {
  expectSafeHeaders(answer)
  const body = JSON.parse(answer.text)
  expect({ status: answer.status, reason: body.error?.reason }).toEqual({ status: statusOf(reason), reason })
  expect(answer.headers['content-type']).toBe('application/json')
  expect(Object.keys(body).sort()).toEqual(agora ? ['code', 'error'] : ['error'])
  if (agora) expect(body.code).toBe(String(statusOf(reason)))
  const { code, statusCode, message, hint, requestId, ...others } = body.error
  expect(others).toEqual({ reason })
  expect([code, statusCode]).toEqual([codeOf(reason), statusOf(reason)])
  expect(message).toMatch(printable)
  expect(hint).toMatch(printable)
  expect(requestId).toBe(answer.headers['x-request-id'] ?? '')
  const isLater = [429, 503].includes(answer.status)
  expect(answer.headers['retry-after'] ?? 'none').toMatch(isLater ? /^[1-9]\d*$/ : /^none$/)
}

/** The same where any reason of a status will do. */
export function expectSomeRefusal(answer: Answer, status: number, { agora = false } = {}): void {
  const { reason } = JSON.parse(answer.text).error
  expect(reasons).toContain(reason)
  expectRefusal(answer, reason, { agora })
  expect(answer.status).toBe(status)
}
