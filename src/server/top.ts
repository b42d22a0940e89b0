// flagstone top, the program: this process's terminal for top/top.ts.

import { runTop, type Terminal } from '../top/top.js';

const { stdin, stdout } = process;

const terminal: Terminal = {
  isTerminal: stdout.isTTY === true,
  size: () => ({ columns: stdout.columns ?? 80, rows: stdout.rows ?? 24 }),
  write: (text) => void stdout.write(text),
  listen(heard) {
    if (stdin.isTTY !== true) return () => {};
    const listener = (bytes: Buffer) => heard(bytes.toString('latin1'));
    stdin.setRawMode(true);
    stdin.on('data', listener);
    return () => {
      stdin.off('data', listener);
      stdin.setRawMode(false);
      stdin.pause();
    };
  },
};

/** `words`: those behind "top". Returns the exit code. */
export function top(words: readonly string[]): Promise<number> {
  return runTop(words, process.env, terminal);
}
