// The model of glob patterns: the pattern as a list of tests for one byte, and plain recursion.

export type Item = '*' | ((byte: string) => boolean);

export function itemsOf(pattern: string): Item[] {
  const items: Item[] = [];
  let rest = pattern;
  while (rest !== '') {
    const first = rest.charAt(0);
    if (first === '[') {
      const [test, length] = classOf(rest.slice(1));
      items.push(test);
      rest = rest.slice(1 + length);
      continue;
    }
    if (first === '\\' && rest.length > 1) {
      const literal = rest.charAt(1);
      items.push((byte) => byte === literal);
      rest = rest.slice(2);
      continue;
    }
    items.push(first === '*' ? '*' : first === '?' ? () => true : (byte) => byte === first);
    rest = rest.slice(1);
  }
  return items;
}

function classOf(text: string): [(byte: string) => boolean, number] {
  const isNegated = text.startsWith('^');
  let at = isNegated ? 1 : 0;
  const ranges: [string, string][] = [];
  while (at < text.length && text.charAt(at) !== ']') {
    const left = text.slice(at);
    if (left.length > 1 && left.startsWith('\\')) {
      ranges.push([left.charAt(1), left.charAt(1)]);
      at += 2;
    } else if (left.length > 2 && left.charAt(1) === '-') {
      const [low, high] = [left.charAt(0), left.charAt(2)].sort() as [string, string];
      ranges.push([low, high]);
      at += 3;
    } else {
      ranges.push([left.charAt(0), left.charAt(0)]);
      at += 1;
    }
  }
  const isIn = (byte: string) => ranges.some(([low, high]) => byte >= low && byte <= high);
  return [(byte) => isIn(byte) !== isNegated, Math.min(at + 1, text.length)];
}

export function fits(items: readonly Item[], text: string): boolean {
  const [item, ...others] = items;
  if (item === undefined) return text === '';
  if (item === '*') return fits(others, text) || (text !== '' && fits(items, text.slice(1)));
  return text !== '' && item(text.charAt(0)) && fits(others, text.slice(1));
}
