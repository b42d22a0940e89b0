// The words of a configuration line: blanks part them, quotes hold them together.
//
// A configuration may hold any bytes (a password, a path), so the text in here is byte text: one
// character per byte. It becomes readable text only where a human or the file system asks for it.

/** Readable text as byte text. */
export function toByteText(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

/** Byte text as readable text; bytes that are no UTF-8 become question marks in a diamond. */
export function fromByteText(bytes: string): string {
  return Buffer.from(bytes, 'latin1').toString('utf8');
}

/** ASCII letters only, so that bytes above 127 stay what they are. */
export function lowerCase(bytes: string): string {
  return bytes.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

const LETTER_OF_ESCAPE: Readonly<Record<string, string>> = {
  n: '\n',
  r: '\r',
  t: '\t',
  b: '\b',
  a: '\x07',
};

const ESCAPE_OF_LETTER: ReadonlyMap<string, string> = new Map([
  ['\\', '\\\\'],
  ['"', '\\"'],
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['\t', '\\t'],
  ['\x07', '\\a'],
  ['\b', '\\b'],
]);

/** The words of a line, or null where a quote is not closed or something touches its end. */
export function splitWords(line: string): string[] | null {
  const words: string[] = [];
  const end = line.indexOf('\0') === -1 ? line.length : line.indexOf('\0');
  let at = skipBlanks(line, 0);
  while (at < end) {
    const word = readWord(line.slice(0, end), at);
    if (word === null) return null;
    words.push(word.text);
    at = skipBlanks(line, word.endAt);
  }
  return words;
}

/** A word in double quotes that splitWords reads back. */
export function quoteWord(bytes: string): string {
  let quoted = '"';
  for (const letter of bytes) quoted += ESCAPE_OF_LETTER.get(letter) ?? escapeUnprintable(letter);
  return `${quoted}"`;
}

interface Word {
  readonly text: string;
  readonly endAt: number;
}

/** A word may open with plain letters and go on quoted; the closing quote ends it. */
function readWord(line: string, at: number): Word | null {
  let text = '';
  while (at < line.length) {
    const letter = line.charAt(at);
    if (' \n\r\t'.includes(letter)) break;
    if (letter === '"' || letter === "'") {
      const rest = letter === '"' ? readDoubleQuoted(line, at + 1) : readSingleQuoted(line, at + 1);
      if (rest === null || !isBlankOrEnd(line, rest.endAt)) return null;
      return { text: text + rest.text, endAt: rest.endAt };
    }
    text += letter;
    at++;
  }
  return { text, endAt: at };
}

function readDoubleQuoted(line: string, at: number): Word | null {
  let text = '';
  while (at < line.length) {
    const letter = line.charAt(at);
    if (letter === '"') return { text, endAt: at + 1 };

    const hex = /^\\x([0-9a-f]{2})/i.exec(line.slice(at, at + 4));
    if (hex !== null) {
      text += String.fromCharCode(Number.parseInt(hex[1] ?? '0', 16));
      at += 4;
    } else if (letter === '\\' && at + 1 < line.length) {
      const escaped = line.charAt(at + 1);
      text += LETTER_OF_ESCAPE[escaped] ?? escaped;
      at += 2;
    } else {
      text += letter;
      at++;
    }
  }
  return null;
}

function readSingleQuoted(line: string, at: number): Word | null {
  let text = '';
  while (at < line.length) {
    if (line.charAt(at) === "'") return { text, endAt: at + 1 };
    if (line.startsWith("\\'", at)) at++;
    text += line.charAt(at);
    at++;
  }
  return null;
}

function skipBlanks(line: string, at: number): number {
  while (at < line.length && isBlank(line.charAt(at))) at++;
  return at;
}

function isBlankOrEnd(line: string, at: number): boolean {
  return at >= line.length || isBlank(line.charAt(at));
}

function isBlank(letter: string): boolean {
  return ' \t\n\v\f\r'.includes(letter);
}

function escapeUnprintable(letter: string): string {
  const code = letter.charCodeAt(0);
  return code >= 0x20 && code <= 0x7e ? letter : `\\x${code.toString(16).padStart(2, '0')}`;
}
