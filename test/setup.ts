import { afterEach, beforeEach } from 'vitest'

// A test that leaves an error nobody asserted fails, even where the assertion it holds is green.
const stray: unknown[] = []
process.on('unhandledRejection', (error) => stray.push(error))
beforeEach(() => {
  stray.length = 0
})
afterEach(() => {
  if (stray.length > 0) throw new Error(`unhandled: ${stray.map(String).join('; ')}`)
})
