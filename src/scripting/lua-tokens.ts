// The words of a Lua 5.1 source, for analysis.ts. What the interpreter would not accept may be read
// in any way here: such a source never runs.

export const enum TokenKind {
  Name = 0,
  Keyword = 1,
  Text = 2,
  Number = 3,
  Symbol = 4,
  End = 5,
}

export interface Token {
  readonly kind: TokenKind;
  /** As it stands in the source; of a string its value, a character per byte. */
  readonly text: string;
}

const KEYWORDS: ReadonlySet<string> = new Set(
  (
    'and break do else elseif end false for function if in local nil not or repeat return then ' +
    'true until while'
  ).split(' '),
);

const SPACE = /[ \t\r\n\v\f]+/y;
const NAME = /[A-Za-z_][A-Za-z0-9_]*/y;
const NUMBER = /0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?/y;
const LONG_OPENING = /\[(=*)\[(?:\r\n|\n\r|\n|\r)?/y;
const SYMBOL = /\.\.\.|\.\.|==|~=|<=|>=|[-+*/%^#<>=(){}[\];:,.]/y;
const LINE_REST = /[^\r\n]*/y;
const SHORT_TEXT =
  /"(?:[^"\\\r\n]|\\(?:\r\n|\n\r|[\s\S]))*"|'(?:[^'\\\r\n]|\\(?:\r\n|\n\r|[\s\S]))*'/y;
const ESCAPE = /\\(\d{1,3}|\r\n|\n\r|[\s\S])/g;

const ESCAPED: Readonly<Record<string, string | undefined>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
};

const END: Token = { kind: TokenKind.End, text: '' };

/** All tokens of a source of one character per byte, END last; null if it is none. */
export function tokensOf(source: string): readonly Token[] | null {
  const tokens: Token[] = [];
  let at = 0;
  const match = (pattern: RegExp): string | null => {
    pattern.lastIndex = at;
    const found = pattern.exec(source);
    if (found === null) return null;
    at = pattern.lastIndex;
    return found[0];
  };
  const matchLong = (): string | null => {
    const opening = match(LONG_OPENING);
    if (opening === null) return null;
    const closing = `]${'='.repeat(opening.indexOf('[', 1) - 1)}]`;
    const end = source.indexOf(closing, at);
    const text = source.slice(at, end === -1 ? source.length : end);
    at = end === -1 ? source.length + 1 : end + closing.length;
    return text;
  };
  while (at < source.length) {
    if (match(SPACE) !== null) continue;
    if (source.startsWith('--', at)) {
      at += 2;
      if (matchLong() === null) match(LINE_REST);
      continue;
    }
    const token = tokenBy(match, matchLong);
    if (token === null || at > source.length) return null;
    tokens.push(token);
  }
  if (at > source.length) return null;
  tokens.push(END);
  return tokens;
}

function tokenBy(match: (pattern: RegExp) => string | null, matchLong: () => string | null) {
  const name = match(NAME);
  if (name !== null) {
    return { kind: KEYWORDS.has(name) ? TokenKind.Keyword : TokenKind.Name, text: name };
  }
  const number = match(NUMBER);
  if (number !== null) return { kind: TokenKind.Number, text: number };
  const short = match(SHORT_TEXT);
  if (short !== null) return { kind: TokenKind.Text, text: unescaped(short.slice(1, -1)) };
  const long = matchLong();
  if (long !== null) return { kind: TokenKind.Text, text: long };
  const symbol = match(SYMBOL);
  return symbol === null ? null : { kind: TokenKind.Symbol, text: symbol };
}

function unescaped(text: string): string {
  return text.replace(ESCAPE, (_, escaped: string) => {
    if (/^\d/.test(escaped)) return String.fromCharCode(Number(escaped) & 0xff);
    if (/^[\r\n]/.test(escaped)) return '\n';
    return ESCAPED[escaped] ?? escaped;
  });
}
