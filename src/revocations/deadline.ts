// Deadlines. It owns that nobody waits for a store without end.

/** Of an error of this folder; its code is all that may be logged of it. */
export const failure = (code: string): Error => Object.assign(new Error(code), { code })

/** Rejects with `code` where the promise takes longer; the work itself goes on. */
export function withDeadline<T>(work: Promise<T>, milliseconds: number, code: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(failure(code)), milliseconds)
    work.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}
