// The drawings of docs/memory.md are copies of those that source files open with. This fills them
// in.

const DRAWING = /^<!-- drawing: (\S+) -->\n[\s\S]*?^<!-- \/drawing -->$/gm;
const BOX = /[─│┌┐└┘├┤┬┴┼]/;

/** The page with every drawing as its source has it now. `readSource` gives the text of a file. */
export function fillDrawings(page: string, readSource: (path: string) => string): string {
  return page.replace(DRAWING, (_, path: string) => {
    const drawing = drawingOf(readSource(path));
    if (drawing === null) throw new Error(`${path} opens without a drawing`);
    return `<!-- drawing: ${path} -->\n\n\`\`\`text\n${drawing}\n\`\`\`\n\n<!-- /drawing -->`;
  });
}

/** The files whose drawings the page asks for. */
export function drawnFiles(page: string): string[] {
  return [...page.matchAll(DRAWING)].map((match) => match[1]!);
}

/**
 * What the opening comment of a source draws: from the first paragraph with a box to the last one.
 * Null when it draws nothing.
 */
export function drawingOf(source: string): string | null {
  const lines: string[] = [];
  for (const line of source.split('\n')) {
    if (!line.startsWith('//')) break;
    lines.push(line.slice(2));
  }
  let first = lines.findIndex((line) => BOX.test(line));
  if (first === -1) return null;
  let last = lines.findLastIndex((line) => BOX.test(line));
  while (first > 0 && lines[first - 1]!.trim() !== '') first--;
  while (last + 1 < lines.length && lines[last + 1]!.trim() !== '') last++;
  return withoutMargin(lines.slice(first, last + 1));
}

function withoutMargin(lines: readonly string[]): string {
  const margins = lines.filter((line) => line !== '').map((line) => /^ */.exec(line)![0].length);
  const margin = Math.min(...margins);
  return lines.map((line) => line.slice(margin).trimEnd()).join('\n');
}
