// What goes in and what comes out: words of commands, values of replies, and what can go wrong.

/** A word of a command. Numbers are sent as their decimal text. */
export type Word = string | number | bigint | Uint8Array;

/** What a reply may be. Bytes come where a value is no text, or everywhere in binary mode. */
export type Value =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | ReplyError
  | readonly Value[]
  | ReadonlyMap<Value, Value>;

/** The server refused a command: `code` is its first word, WRONGTYPE for example. */
export class ReplyError extends Error {
  override readonly name: string = 'ReplyError';
  readonly code: string;

  constructor(message: string) {
    super(message);
    this.code = message.split(' ', 1)[0] ?? '';
  }
}

/**
 * The connection ended before a reply came. Whether the command ran is not known: only the caller
 * knows whether it may be sent once more.
 */
export class ConnectionError extends Error {
  override readonly name: string = 'ConnectionError';
}

/** No reply came in time. */
export class TimeoutError extends Error {
  override readonly name: string = 'TimeoutError';
}
