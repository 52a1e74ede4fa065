// docker-compose.yml, filled in. It owns as much of the interpolation of compose as ours uses.

/** `${NAME:-otherwise}` and `${NAME:+instead}` of each value. @param values as in .env */
export const fillIn = (
  environment: Readonly<Record<string, string>>,
  values: Readonly<Record<string, string>>,
): Record<string, string> =>
  Object.fromEntries(
    Object.entries(environment).map(([name, text]) => [
      name,
      text.replace(/\$\{(\w+):([-+])([^}]*)\}/g, (_, variable, mark, word) => {
        const value = values[variable] ?? ''
        return mark === '+' ? (value === '' ? '' : word) : value || word
      }),
    ]),
  )
