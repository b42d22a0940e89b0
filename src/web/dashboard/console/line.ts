// A line of the console in words, with the quotes of redis-cli: "…" with escapes, '…' without.

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', b: '\b', a: '\x07' };

/** Null while a quote is open. Words are bytes, one character each, where \x names one. */
export function wordsOf(line: string): (string | Uint8Array)[] | null {
  const words: (string | Uint8Array)[] = [];
  let at = 0;
  for (;;) {
    while (/\s/.test(line[at] ?? '')) at++;
    if (at >= line.length) return words;
    const word = readWord(line, at);
    if (word === null) return null;
    words.push(word.hasBytes ? Uint8Array.from(word.bytes) : word.text);
    at = word.end;
  }
}

interface ReadWord {
  readonly text: string;
  readonly bytes: readonly number[];
  readonly hasBytes: boolean;
  readonly end: number;
}

const textEncoder = new TextEncoder();

function readWord(line: string, start: number): ReadWord | null {
  const bytes: number[] = [];
  let text = '';
  let hasBytes = false;
  const add = (piece: string): void => {
    text += piece;
    bytes.push(...textEncoder.encode(piece));
  };
  let quote = '';
  let at = start;
  while (at < line.length) {
    const letter = line[at]!;
    if (quote === '') {
      if (/\s/.test(letter)) break;
      if (letter === '"' || letter === "'") quote = letter;
      else add(letter);
    } else if (letter === quote) quote = '';
    else if (letter === '\\' && at + 1 < line.length) {
      const hex = quote === '"' ? /^\\x([0-9a-f]{2})/i.exec(line.slice(at)) : null;
      if (hex !== null) {
        hasBytes = true;
        bytes.push(Number.parseInt(hex[1]!, 16));
        at += 3;
      } else {
        const next = line[++at]!;
        const isKept = quote === "'" && next !== "'";
        add(isKept ? `\\${next}` : quote === '"' ? (ESCAPES[next] ?? next) : next);
      }
    } else add(letter);
    at++;
  }
  return quote === '' ? { text, bytes, hasBytes, end: at } : null;
}
