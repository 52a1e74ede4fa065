// A Dockerfile as instructions. It owns as much of the grammar as ours uses.

export interface Instruction {
  readonly keyword: string
  readonly rest: string
}

export interface Stage {
  /** As it stands in FROM. */
  readonly image: string
  readonly name: string | undefined
  readonly instructions: readonly Instruction[]
}

/** Stages in order; instructions before the first FROM are in `globals`. */
export function parseDockerfile(text: string): { globals: readonly Instruction[]; stages: readonly Stage[] } {
  const globals: Instruction[] = []
  const stages: { image: string; name: string | undefined; instructions: Instruction[] }[] = []
  const lines = text
    .replace(/^\s*#.*\n/gm, '')
    .replace(/\\\n/g, ' ')
    .split('\n')
  for (const line of lines.filter((each) => each.trim() !== '')) {
    const [, keyword = '', rest = ''] = /^\s*(\S+)\s+(.*?)\s*$/.exec(line) ?? []
    if (keyword.toUpperCase() === 'FROM') {
      const [, image = '', name] = /^(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?$/i.exec(rest) ?? []
      stages.push({ image, name, instructions: [] })
    } else (stages.at(-1)?.instructions ?? globals).push({ keyword: keyword.toUpperCase(), rest })
  }
  return { globals, stages }
}

export const restsOf = (instructions: readonly Instruction[], keyword: string): readonly string[] =>
  instructions.filter((each) => each.keyword === keyword).map(({ rest }) => rest)

/** What COPY takes, and where from: a stage, or the context where that is undefined. */
export function copiesOf(instructions: readonly Instruction[]) {
  return restsOf(instructions, 'COPY').map((rest) => {
    const words = rest.split(/\s+/)
    const from = words.find((word) => word.startsWith('--from='))?.slice('--from='.length)
    const paths = words.filter((word) => !word.startsWith('--'))
    return { from, sources: paths.slice(0, -1), target: paths.at(-1) as string }
  })
}
