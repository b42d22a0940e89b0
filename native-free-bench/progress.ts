// What is going on now, on standard error: one line that is written over on a terminal, plain lines
// elsewhere, so that standard output holds results alone.

import { performance } from 'node:perf_hooks';

export interface Progress {
  note(text: string): void;
  end(): void;
}

export const SILENT: Progress = { note: () => {}, end: () => {} };

export function openProgress(stream: NodeJS.WriteStream): Progress {
  const startedAt = performance.now();
  const isTerminal = stream.isTTY;
  return {
    note(text) {
      const line = `${((performance.now() - startedAt) / 1000).toFixed(1).padStart(6)} s  ${text}`;
      stream.write(isTerminal ? `\r\x1b[2K${line.slice(0, stream.columns - 1)}` : `${line}\n`);
    },
    end() {
      if (isTerminal) stream.write('\r\x1b[2K');
    },
  };
}
