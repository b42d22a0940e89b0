// What the checks of flagstone-check are given, and what they come to.

import type { Disk } from '../base/disk.js';

/** What the process ends with. */
export const enum CheckCode {
  /** All is whole, or is so now. */
  Whole = 0,
  /** Something is torn or damaged. */
  Broken = 1,
  /** Nothing could be checked: a wrong command line, a file that cannot be read. */
  Failed = 2,
}

/** What the checks of directories and files need. */
export interface CheckFields {
  readonly disk: Disk;
  readonly say: (line: string) => void;
  readonly isFixing: boolean;
  /** Before anything is changed. */
  mayChange(what: string): boolean;
  newHistory(): string;
}
