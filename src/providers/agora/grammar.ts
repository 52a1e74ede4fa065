// Agora's grammar. It owns what a channel name, a uid and an account may be.

/** The 89 characters of a channel name, as Agora’s Web SDK 4.24.8 enforces them; `*`, which means "any", is not among them. */
const nameCharacters = 'a-zA-Z0-9 !#$%&()+\\-:;<=.>?@[\\]^_{}|~,'

const channelPattern = new RegExp(`^[${nameCharacters}]{1,64}$`)
const accountPattern = new RegExp(`^[${nameCharacters}]{1,255}$`)

/** 1 to 64 bytes: an empty name is "any channel" to Agora. */
export const isChannel = (value: unknown): value is string => typeof value === 'string' && channelPattern.test(value)

/** 1 to 255 bytes and not digits only: "7" packs to the same bytes as uid 7. */
export const isAccount = (value: unknown): value is string =>
  typeof value === 'string' && accountPattern.test(value) && !/^\d+$/.test(value)

/** 0 is "any user"; it is inside the grammar, and only `uid: any` grants it. */
export const isUid = (value: unknown): value is number =>
  Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 0xffff_ffff

/** Characters that a var may not match: everything printable that Agora’s names do not have. */
export const reservedCharacters = Array.from({ length: 95 }, (_, index) => String.fromCharCode(32 + index))
  .filter((char) => !isChannel(char))
  .join('')
