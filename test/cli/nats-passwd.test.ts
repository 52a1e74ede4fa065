import { PassThrough, Readable } from 'node:stream'
import { compare } from 'bcryptjs'
import { describe, expect, it } from 'vitest'
import { natsPasswd } from '../../src/cli/nats-passwd.ts'
import { isUrlSafeToken } from '../../src/providers/nats/static-token.ts'

const token = 'N4tsTokenForTheLab22xyz'

interface Input {
  argv?: readonly string[]
  /** What comes on stdin, whole or in pieces; on a terminal each piece is typed at a prompt. */
  stdin?: string | Iterable<string>
  isTTY?: boolean
}

async function passwd({ argv = ['--cost', '4'], stdin = '', isTTY = false }: Input) {
  const rawModes: boolean[] = []
  const [stdout, stderr] = [new PassThrough(), new PassThrough()]
  const input = isTTY ? new PassThrough() : Readable.from(stdin)
  Object.assign(input, { setRawMode: (mode: boolean) => rawModes.push(mode) })
  const typed = stdin[Symbol.iterator]()
  let errors = ''
  stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text
    if (text.endsWith(': ')) input.push(typed.next().value ?? '')
  })
  const exitCode = await natsPasswd(argv, { stdin: input, stdout, stderr, isTTY })
  // What was written last is still on its way to the listener.
  await new Promise((resolve) => stderr.end(resolve).on('end', resolve))
  const line: string = stdout.setEncoding('utf8').read() ?? ''
  return {
    exitCode,
    stdout: line,
    stderr: errors,
    rawModes,
    hash: /^authorization { token: "(.+)" }\n$/.exec(line)?.[1],
  }
}

describe('usher nats passwd', () => {
  it.each([`${token}\n`, `${token}\r\n`, token])(
    'prints the configuration for one line on stdin: %j',
    async (stdin) => {
      const { exitCode, hash } = await passwd({ argv: ['--stdin', '--cost', '4'], stdin })
      expect(exitCode).toBe(0)
      expect(hash).toMatch(/^\$2a\$04\$/)
      expect(await compare(token, hash ?? '')).toBe(true)
    },
  )

  it('takes a token of 72 bytes that arrives in pieces', async () => {
    const longest = token.repeat(4).slice(0, 72)
    const { hash } = await passwd({ argv: ['--stdin', '--cost', '4'], stdin: [...longest, '\n'] })
    expect(await compare(longest, hash ?? '')).toBe(true)
  })

  it('hashes at cost 11 unless told otherwise', async () => {
    expect((await passwd({ argv: ['--stdin'], stdin: token })).hash).toMatch(/^\$2a\$11\$/)
  })

  it('shows the clear token nowhere', async () => {
    const { stdout, stderr } = await passwd({ argv: ['--stdin', '--cost', '4'], stdin: token })
    expect(stdout + stderr).not.toContain(token)
  })

  it('says on stderr what the configuration does not', async () => {
    const { stderr } = await passwd({ argv: ['--stdin'], stdin: token })
    for (const note of ['only nats-server gets the hash', 'about 120 ms', 'Cluster routes take no token'])
      expect(stderr).toContain(note)
    expect(stderr).not.toContain('nats://')
    expect(stderr).not.toContain('give up')
  })

  it('warns of a token that a URL would change', async () => {
    const { stderr } = await passwd({ argv: ['--stdin', '--cost', '4'], stdin: `${token}@` })
    expect(stderr).toContain('pass it as an option')
  })

  it('warns of a cost that outlasts the patience of clients', async () => {
    const { stderr } = await passwd({ argv: ['--stdin', '--cost', '15'], stdin: token })
    expect(stderr).toContain('about 1920 ms')
    expect(stderr).toContain('give up after 2 s')
  })

  it('generates a token, shows it once on stderr, and prints its hash', async () => {
    const { exitCode, stdout, stderr, hash } = await passwd({ argv: ['--generate', '--cost', '4'] })
    const [, generated = ''] = /^Generated token: (.+)$/m.exec(stderr) ?? []
    expect(exitCode).toBe(0)
    expect(isUrlSafeToken(generated)).toBe(true)
    expect(await compare(generated, hash ?? '')).toBe(true)
    expect(stderr.split(generated)).toHaveLength(2)
    expect(stdout).not.toContain(generated)
  })
})

describe('usher nats passwd on a terminal', () => {
  const onTerminal = (...stdin: readonly string[]) => passwd({ stdin, isTTY: true })

  it('takes a token that is typed the same twice, and echoes nothing', async () => {
    const { exitCode, stdout, stderr, rawModes, hash } = await onTerminal(`${token}\r`, `${token}\r`)
    expect(exitCode).toBe(0)
    expect(await compare(token, hash ?? '')).toBe(true)
    expect(stdout + stderr).not.toContain(token)
    expect(rawModes).toEqual([true, false])
  })

  it('understands backspace, and both lines pasted at once', async () => {
    const { hash } = await onTerminal(`${token}Q\x7f\r${token}\r`)
    expect(await compare(token, hash ?? '')).toBe(true)
  })

  it('refuses a token that is not typed the same twice', async () => {
    const { exitCode, stdout, stderr, rawModes } = await onTerminal(`${token}\r`, `${token}x\r`)
    expect([exitCode, stdout, rawModes]).toEqual([65, '', [true, false]])
    expect(stderr).toContain('was not typed the same twice. Type it again.')
    expect(stderr).not.toContain(token)
  })

  it('brings no typed token back with the arrow keys', async () => {
    expect(await onTerminal(`${token}\r`, '\x1b[A\r')).toMatchObject({ exitCode: 65, stdout: '' })
  })

  it.each([
    ['first', [`${token}\x03`]],
    ['second', [`${token}\r`, '\x03']],
  ])('ends on ^C at the %s prompt', async (_name, typed) => {
    const { exitCode, stdout, rawModes } = await onTerminal(...typed)
    expect([exitCode, stdout, rawModes]).toEqual([130, '', [true, false]])
  })
})

describe('usher nats passwd refuses', () => {
  it.each([
    ['a token of 73 bytes', token.repeat(4).slice(0, 73), 'longer than 72 bytes'],
    ['a hash', '$2a$11$e8lV4nw2zypyDvNS5vh0ku0Gav9rWyCOXON30HYRnyN6hO7.6U/TK', 'looks like a bcrypt hash'],
    ['a second line', `${token}\n${token}\n`, 'line break'],
    ['nothing', '\n', 'shorter than 10 bytes'],
    ['a placeholder', 'changeme-7Kq29x', 'easy to guess'],
    ['what is no text', '\ufffd\ufffd4tsTokenForTheLab', 'outside printable ASCII'],
  ])('%s', async (_name, stdin, rule) => {
    const { exitCode, stdout, stderr } = await passwd({ argv: ['--stdin'], stdin })
    expect([exitCode, stdout]).toEqual([65, ''])
    expect(stderr).toMatch(/^usher nats passwd: the token .+\. .+\.\n$/)
    expect(stderr).toContain(rule)
    expect(stderr).not.toContain(stdin.trim() || 'the empty token')
  })

  it('a stream without end', async () => {
    const endless = (function* () {
      for (;;) yield token
    })()
    expect(await passwd({ argv: ['--stdin'], stdin: endless })).toMatchObject({ exitCode: 65, stdout: '' })
  })

  it.each([[token], ['--stdin', token], [`--token=${token}`], ['--stdin', `--${token}`], [`--generate=${token}`]])(
    'a token as an argument, without repeating it: %s %s',
    async (...argv) => {
      const { exitCode, stdout, stderr } = await passwd({ argv, stdin: token })
      expect([exitCode, stdout]).toEqual([64, ''])
      expect(stderr).toContain('A token is never one')
      expect(stderr).not.toContain(token)
    },
  )

  it.each(['3', '32', '11.5', '1e1', '', '-4', 'eleven', ' 11', '011'])('cost %j', async (cost) => {
    const { exitCode, stdout, stderr } = await passwd({ argv: ['--generate', `--cost=${cost}`] })
    expect([exitCode, stdout]).toEqual([64, ''])
    expect(stderr).toContain('--cost must be a whole number from 4 to 31')
  })

  it.each([
    [['--stdin', '--generate'], false, '--stdin and --generate exclude each other'],
    [['--stdin'], true, '--stdin on a terminal would show the token'],
    [[], false, 'stdin is not a terminal'],
    [['--cost'], true, 'lacks its value'],
  ] as const)('%j (terminal: %s) as usage', async (argv, isTTY, rule) => {
    const { exitCode, stdout, stderr } = await passwd({ argv, isTTY, stdin: token })
    expect([exitCode, stdout]).toEqual([64, ''])
    expect(stderr).toContain(rule)
    expect(stderr).toContain('Usage: usher nats passwd')
  })
})
