import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { keyNew } from '../../src/cli/key-new.ts'
import { openApiKeys } from '../../src/identity/api-key.ts'
import { runCommand } from './io.ts'

describe('usher key new', () => {
  it('prints the key and nothing else on stdout, and never on stderr', async () => {
    const { exitCode, stdout, stderr } = await runCommand(keyNew, [])
    expect(exitCode).toBe(0)
    expect(stdout).toMatch(/^tok_live_\S+\n$/)
    expect(stderr).not.toContain(stdout.trim())
    expect(stderr).toContain('this once')
  })

  it('prints the entry by which a policy knows the key', async () => {
    const { stdout, stderr } = await runCommand(keyNew, ['--env', 'test'])
    const key = stdout.trim()
    const [entry] = parse(/^ +- \{.*$/m.exec(stderr)?.[0] ?? '')
    expect(entry.sha256).toBe(createHash('sha256').update(key).digest('hex'))
    expect(openApiKeys([entry], Date.now)(key, undefined)).toMatchObject({ kind: 'apiKey', source: entry.id })
    expect(stderr).toContain(`{ client: ${entry.id} }`)
  })

  it('makes another one each time', async () => {
    expect((await runCommand(keyNew, [])).stdout).not.toBe((await runCommand(keyNew, [])).stdout)
  })

  it.each(['', 'LIVE', 'a_b', 'toolongenv', 'é'])('refuses the environment %j', async (env) => {
    expect(await runCommand(keyNew, [`--env=${env}`])).toMatchObject({ exitCode: 65, stdout: '' })
  })

  it('takes no file', async () => {
    expect(await runCommand(keyNew, ['live'])).toMatchObject({ exitCode: 64, stdout: '' })
  })
})
