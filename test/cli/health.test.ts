import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { health } from '../../src/cli/health.ts'
import { coreSettings } from '../../src/core-settings.ts'
import { runCommand } from './io.ts'

let server: Server | undefined
afterEach(() => server?.close())

async function listen(status: number): Promise<{ port: string; asked: string[] }> {
  const asked: string[] = []
  server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`)
    response.writeHead(status, { location: '/elsewhere', connection: 'close' }).end()
  })
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve))
  return { port: String((server.address() as AddressInfo).port), asked }
}

describe('usher health', () => {
  it.each(['127.0.0.1', '0.0.0.0', ''])('asks /livez of a service that listens on %j', async (HOST) => {
    const { port: PORT, asked } = await listen(200)
    expect(await runCommand(health, [], { env: { HOST, PORT } })).toEqual({ exitCode: 0, stdout: '', stderr: '' })
    expect(asked).toEqual(['GET /livez'])
  })

  it.each([503, 404, 302])('is 1 where the answer is %d', async (status) => {
    const { port: PORT, asked } = await listen(status)
    expect(await runCommand(health, [], { env: { PORT } })).toMatchObject({ exitCode: 1 })
    expect(asked).toEqual(['GET /livez'])
  })

  it('is 1 where nobody listens', async () => {
    const { port: PORT } = await listen(200)
    await new Promise((resolve) => server?.close(resolve))
    const { exitCode, stderr } = await runCommand(health, [], { env: { PORT } })
    expect([exitCode, stderr]).toEqual([1, `usher: http://127.0.0.1:${PORT}/livez does not answer (ECONNREFUSED)\n`])
  })

  it('asks the port that config.ts falls back to', async () => {
    const { stderr } = await runCommand(health, [], { env: { HOST: '127.255.255.254' } })
    const fallback = coreSettings.find(({ name }) => name === 'PORT')?.fallback
    expect(stderr).toContain(`http://127.255.255.254:${fallback}/livez`)
  })

  it.each([{ PORT: 'x' }, { PORT: '99999' }, { HOST: 'a b' }])('is 78 where the address is none: %j', async (env) => {
    expect(await runCommand(health, [], { env })).toMatchObject({ exitCode: 78 })
  })
})
