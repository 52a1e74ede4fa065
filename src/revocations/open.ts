// Which revocation list there is. It owns the choice of the store by the settings.

import type { Log } from '../log.ts'
import type { Secret } from '../secret.ts'
import { openFileList } from './file.ts'
import type { RevocationList } from './list.ts'

export interface OpenRevocationsOptions {
  readonly file: string | undefined
  readonly redisUrl: Secret | undefined
  readonly log: Log
  /** Unix milliseconds. */
  readonly now: () => number
}

/**
 * Redis where both are set: a file is for one replica. Undefined where neither is.
 * @throws RevocationsFileError where the file cannot be used; its message is for the operator
 */
export async function openRevocations({
  file,
  redisUrl,
  log,
  now,
}: OpenRevocationsOptions): Promise<RevocationList | undefined> {
  if (redisUrl !== undefined) {
    if (file !== undefined) log.warn({ file }, 'REVOCATIONS_FILE is not used: REDIS_URL is set')
    // Its client takes 16 MB: loaded by those who need it.
    const { openRedisList } = await import('./redis.ts')
    return openRedisList({ url: redisUrl, log, now })
  }
  return file === undefined ? undefined : openFileList({ path: file, log, now })
}
