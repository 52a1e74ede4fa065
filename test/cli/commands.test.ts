import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { commands, usher } from '../../src/cli/commands.ts'
import { runCommand } from './io.ts'

const names = commands.map(({ name }) => name)

describe('usher help', () => {
  it.each([['help'], ['--help'], ['-h']])('lists every command on stdout: %s', async (word) => {
    const { exitCode, stdout, stderr } = await runCommand(usher, [word])
    expect([exitCode, stderr]).toEqual([0, ''])
    for (const { name, about } of commands)
      expect(stdout).toMatch(new RegExp(`^  usher ${name} +${about.replace(/[()]/g, '\\$&')}$`, 'm'))
  })

  it.each(names)('shows usage and one example of %s, whichever way it is asked', async (name) => {
    const { exitCode, stdout, stderr } = await runCommand(usher, [...name.split(' '), '--help'])
    expect([exitCode, stderr]).toEqual([0, ''])
    expect(stdout).toContain(`usher ${name}: `)
    expect(stdout.split('Example\n\n  usher ')).toHaveLength(2)
    expect(await runCommand(usher, [...name.split(' '), '--whatever', '-h'])).toEqual({ exitCode, stdout, stderr })
    expect(await runCommand(usher, ['help', ...name.split(' ')])).toEqual({ exitCode, stdout, stderr })
  })

  it('has an example that begins with the command it is for', () => {
    for (const { name, example } of commands) expect(example.startsWith(`usher ${name}`)).toBe(true)
  })
})

describe('a command line', () => {
  it.each([[], ['tok_live_abc'], ['policy'], ['nats'], ['key', 'old'], ['POLICY', 'check']])(
    'that names no command is usage, and is not repeated: %s %s',
    async (...argv) => {
      const { exitCode, stdout, stderr } = await runCommand(
        usher,
        argv.filter((word) => word !== undefined),
      )
      expect([exitCode, stdout]).toEqual([64, ''])
      expect(stderr).toContain('usher policy check')
      expect(stderr).not.toContain('tok_live_abc')
    },
  )

  it.each(names)('of %s with an unknown flag is usage, points to the help, and repeats nothing', async (name) => {
    const { exitCode, stdout, stderr } = await runCommand(usher, [...name.split(' '), '--tok_live_abc=tok_live_abc'])
    expect([exitCode, stdout]).toEqual([64, ''])
    expect(stderr).toContain(`See usher ${name} --help`)
    expect(stderr).not.toContain('tok_live_abc')
  })

  it.each(names)('loads %s', async (name) => {
    expect(await commands.find((command) => command.name === name)?.load()).toBeTypeOf('function')
  })
})

it('loads nothing but the table for its help', () => {
  for (const file of ['main', 'commands', 'command']) {
    const text = readFileSync(new URL(`../../src/cli/${file}.ts`, import.meta.url), 'utf8')
    const imported = [...text.matchAll(/^import (?!type)[^']*'([^']+)'/gm)].map(([, path]) => path)
    expect(imported.filter((path) => !['./command.ts', './commands.ts', 'node:util'].includes(path as string))).toEqual(
      [],
    )
  }
})
