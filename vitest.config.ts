import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    setupFiles: ['test/setup.ts'],
    testTimeout: 30_000,
    hookTimeout: 180_000,
    // The machine has two cores: more workers than that only make the live suites slow.
    maxWorkers: 2,
  },
})
