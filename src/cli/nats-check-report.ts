// What `usher nats check` finds. It owns the form of a finding: a sentence, and how to mend what it says. None holds a secret.

export interface Finding {
  readonly level: 'ok' | 'warning' | 'fault'
  readonly text: string
  readonly mend?: string
}

export const fine = (text: string): Finding => ({ level: 'ok', text })
export const warning = (text: string, mend: string): Finding => ({ level: 'warning', text, mend })
export const fault = (text: string, mend: string): Finding => ({ level: 'fault', text, mend })

export const toLine = ({ level, text, mend }: Finding): string =>
  `${level.padEnd(8)}${text}.${mend === undefined ? '' : ` ${mend}.`}\n`
