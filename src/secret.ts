// Secrets in memory. It owns that a secret shows itself nowhere: not in logs, JSON, errors or util.inspect.

export interface Secret {
  reveal(): string
}

const hidden = '[secret]'

export const createSecret = (text: string): Secret =>
  Object.freeze({
    reveal: () => text,
    toString: () => hidden,
    toJSON: () => hidden,
    [Symbol.for('nodejs.util.inspect.custom')]: () => hidden,
  })
