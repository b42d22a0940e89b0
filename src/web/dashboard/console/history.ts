// The lines that were entered, kept in the browser. Lines that hold a password are not kept.

const KEY = 'flagstone-console';
const LINES_MAX = 200;
const SECRET = /^\s*(?:auth|hello|acl\s+setuser|config\s+set\b.*pass|migrate|gateway\s+token)\b/i;

export function readHistory(): string[] {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(KEY) ?? '[]');
    return Array.isArray(kept) ? kept.filter((line) => typeof line === 'string') : [];
  } catch {
    return [];
  }
}

export function keepLine(lines: readonly string[], line: string): string[] {
  const kept = [...lines.filter((each) => each !== line), line].slice(-LINES_MAX);
  localStorage.setItem(KEY, JSON.stringify(kept.filter((each) => !SECRET.test(each))));
  return kept;
}
