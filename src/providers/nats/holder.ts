// Whose a NATS token is. It owns the names that follow from the caller: the user that nats-server sees, and his inbox.

import { hash } from 'node:crypto'
import type { Owner } from '../../revocations/token-id.ts'

/**
 * The user as nats-server shows him: `main/alice`. Who has no subject is as many users as he has tokens: `anonymous:<serial>`.
 * A source has neither mark in its name.
 */
export const toUserName = ({ source, subject }: Owner, serial: string): string =>
  subject === undefined ? `${source}:${serial}` : `${source}/${subject}`

/** A literal token, for him alone: 120 bits of SHA-256 in hex; the client puts it before the subjects of its replies. */
export const toInboxPrefix = (owner: Owner, serial: string): string =>
  `_INBOX_${hash('sha256', toUserName(owner, serial), 'hex').slice(0, 30)}`
