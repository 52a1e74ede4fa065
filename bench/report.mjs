// bench/report.md: each part of the bench owns a section, and replaces that alone.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { root } from './machine.mjs'

const target = process.env.REPORT ?? `${root}bench/report.md`

export function report(title, text) {
  const [head = '', ...old] = (existsSync(target) ? readFileSync(target, 'utf8') : '# Bench\n').split(/^(?=## )/m)
  const section = `## ${title}\n\n${text.trim()}\n\n`
  const at = old.findIndex((other) => other.startsWith(`## ${title}\n`))
  const sections = at < 0 ? [...old, section] : old.with(at, section)
  writeFileSync(target, `${head.trim()}\n\n${sections.join('').trim()}\n`)
  console.log(`\n${section}written to ${target}`)
}
