// The commands as processes: what is built is what is run.

import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, describe, expect, it } from 'vitest'
import { createFolder } from './folder.ts'

const run = promisify(execFile)
const root = fileURLToPath(new URL('../..', import.meta.url))
const usher = (...argv: string[]) => run(process.execPath, [`${root}dist/cli/main.js`, ...argv])

const started: ChildProcess[] = []
afterAll(() => {
  for (const child of started) child.kill('SIGKILL')
})

describe('the built usher', () => {
  it('helps', async () => {
    const { stdout, stderr } = await usher('help')
    expect([stdout.split('\n')[0], stderr]).toEqual(['usher: short-lived credentials for Agora, Ably and NATS', ''])
  })

  it('ends with the exit code of the command', async () => {
    await expect(usher('policy', 'check', '/nowhere')).rejects.toMatchObject({ code: 65, stdout: '' })
    await expect(usher('nothing')).rejects.toMatchObject({ code: 64, stdout: '' })
  })

  it('does not mind a reader that leaves', async () => {
    const { stderr } = await run('sh', ['-c', `"${process.execPath}" "${root}dist/cli/main.js" help | true`])
    expect(stderr).toBe('')
  })
})

it('init, npm start, and the curl that init prints', async () => {
  const folder = await createFolder()
  const { stdout: key, stderr: notes } = await usher('init', '--nats', 'static', '--dir', folder)
  const [curl = ''] = /curl -s .+/.exec(notes) ?? []

  // What `npm start` runs, in the folder of the .env; a variable that is set wins over it.
  const env = { ...process.env, PORT: '0', OPS_PORT: '0', DRAIN_SECONDS: '0' }
  const service = spawn(process.execPath, [`${root}scripts/start.mjs`], {
    cwd: folder,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  started.push(service)
  const listening = await lineWith(service, '"listening"')
  expect(listening).toMatchObject({ host: '127.0.0.1', sandbox: false, providers: ['nats'] })

  const answer = await run('sh', ['-c', curl.replace(':8082/', `:${listening['port']}/`)], {
    env: { ...env, USHER_KEY: key.trim() },
  })
  expect(JSON.parse(answer.stdout)).toMatchObject({ mode: 'static', shared: true, urls: ['nats://127.0.0.1:4222'] })
  const refused = await run('sh', ['-c', curl.replace(':8082/', `:${listening['port']}/`)], {
    env: { ...env, USHER_KEY: 'tok_live_x' },
  })
  expect(JSON.parse(refused.stdout)).toMatchObject({ error: { statusCode: 401 } })

  const exited = new Promise((resolve) => service.once('exit', resolve))
  service.kill('SIGTERM')
  expect(await exited).toBe(0)
})

/** The first line of the log that holds the text. */
const lineWith = (child: ChildProcess, text: string) =>
  new Promise<Record<string, unknown>>((resolve, reject) => {
    let log = ''
    child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
      log += chunk
      const line = log.split('\n').find((each) => each.includes(text) && each.endsWith('}'))
      if (line !== undefined) resolve(JSON.parse(line))
    })
    child.once('exit', (code) => reject(new Error(`ended with ${code}: ${log}`)))
  })
