// NATS subjects that a caller may ask for: most near his own, and some that nobody may have.

import fc from 'fast-check'
import { trapTexts } from './trap-values.ts'

/** A subject near the caller's own: of the words that stand in the grants, with wildcards, queues and traps in between. */
export function subjectNear(tenant: string, user: string): fc.Arbitrary<unknown> {
  const own = [
    `${tenant}.cmd.${user}`,
    `${tenant}.room.r1`,
    `${tenant}.room.r1.x`,
    `${tenant}.room.>`,
    `${tenant}.u.${user}.x`,
    `${tenant}.u.${user}.>`,
    `${tenant}.u.${user}.*`,
    `jobs.${tenant}.x workers`,
    `jobs.${tenant}.> workers`,
    `jobs.${tenant}.x`,
    `jobs.${tenant}.> others`,
    'seats.7',
    'seats.*',
    'seats.>',
    '_INBOX.log',
    '_INBOX_x.log',
    'all.x.in',
    'all.*.in',
    'all.*.out',
    'r1.log',
    'lobby.7',
    'lobby.>',
    'news.*',
  ]
  const word = fc.constantFrom(
    tenant,
    tenant,
    user,
    'room',
    'cmd',
    'u',
    'jobs',
    'all',
    'in',
    'out',
    'log',
    'lobby',
    'secret',
    'r1',
    '7',
    '51',
    '*',
    '*',
    '>',
    '$SYS',
    '_INBOX',
    'x',
  )
  return fc.oneof(
    { weight: 10, arbitrary: fc.constantFrom(...own) },
    { weight: 3, arbitrary: fc.array(word, { minLength: 1, maxLength: 5 }).map((words) => words.join('.')) },
    {
      weight: 1,
      arbitrary: fc
        .tuple(fc.constantFrom(...own), fc.constantFrom(' workers', ' others', ' *', ' >', '.*', '.>'))
        .map((it) => it.join('')),
    },
    {
      weight: 1,
      arbitrary: fc
        .tuple(fc.constantFrom(`${tenant}.room.`, `${tenant}.`, ''), fc.constantFrom(...trapTexts))
        .map((it) => it.join('')),
    },
    { weight: 1, arbitrary: fc.constantFrom('$SYS.REQ.USER.INFO', '$SYS.>', '_INBOX.>', '>', '*', '$JS.API.>') },
  )
}
