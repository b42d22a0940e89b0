// The commands of one of Redis's append-only files, one at a time, as they stand in it. A command
// that the file does not have to its end is the torn tail of a server that was killed; anything
// else that is no command is damage. Lines that begin with # are annotations (#TS:1700000000).

import { parseSafeInteger } from '../base/ascii.js';
import { equalBytes } from '../base/bytes.js';
import type { FileSource } from './file-source.js';

const CR = 0x0d;
const LF = 0x0a;
const STAR = 0x2a;
const DOLLAR = 0x24;
const HASH = 0x23;
/** A header is a mark, a number and CRLF; an annotation may be longer. */
const HEADER_BYTES_MAX = 32;
const ANNOTATION_BYTES_MAX = 1024;
const BULK_BYTES_MAX = 2 ** 31;

export const enum AofFound {
  /** A command, `u8[start, end)`. */
  Command = 0,
  Multi = 1,
  Exec = 2,
  End = 3,
  /** The file ends within a command. */
  Torn = 4,
  /** What stands at `position` is no command. */
  Damaged = 5,
}

const NO_BYTES = new Uint8Array(0);
const MULTI = Buffer.from('multi', 'latin1');
const EXEC = Buffer.from('exec', 'latin1');

export class AofReader {
  /** The command that was found: stays where it is. */
  u8: Uint8Array = NO_BYTES;
  start = 0;
  end = 0;
  /** Where in the file the command, or the damage, begins. */
  position = 0;
  private readonly source: FileSource;
  /** The line that was read last: where its number begins, and it. */
  private lineBytes = 0;
  private number = 0;

  constructor(source: FileSource) {
    this.source = source;
  }

  next(): AofFound {
    const { source } = this;
    for (;;) {
      this.position = source.position;
      if (!source.hasMore) return AofFound.End;
      if (source.u8[source.at] !== HASH) return this.readCommand();
      const bytes = this.lineAt(0, ANNOTATION_BYTES_MAX);
      if (bytes <= 0) return bytes === 0 ? AofFound.Torn : AofFound.Damaged;
      source.at += bytes;
    }
  }

  /** Nothing is taken from the source before all of the command is there. */
  private readCommand(): AofFound {
    const { source } = this;
    let found = this.readNumber(0, STAR);
    if (found !== AofFound.Command) return found;
    const words = this.number;
    let bytes = this.lineBytes;
    let nameAt = 0;
    let nameBytes = 0;
    if (words < 1) return AofFound.Damaged;
    for (let word = 0; word < words; word++) {
      found = this.readNumber(bytes, DOLLAR);
      if (found !== AofFound.Command) return found;
      const length = this.number;
      if (length < 0 || length >= BULK_BYTES_MAX) return AofFound.Damaged;
      bytes += this.lineBytes;
      if (!source.has(bytes + length + 2)) return AofFound.Torn;
      if (word === 0) {
        nameAt = bytes;
        nameBytes = length;
      }
      bytes += length + 2;
      if (source.u8[source.at + bytes - 2] !== CR) return AofFound.Damaged;
    }
    this.u8 = source.u8;
    this.start = source.at;
    this.end = source.at + bytes;
    source.at = this.end;
    if (words !== 1) return AofFound.Command;
    if (this.isName(nameAt, nameBytes, MULTI)) return AofFound.Multi;
    return this.isName(nameAt, nameBytes, EXEC) ? AofFound.Exec : AofFound.Command;
  }

  private isName(at: number, bytes: number, name: Uint8Array): boolean {
    if (bytes !== name.length) return false;
    const start = this.start + at;
    const text = Buffer.from(this.u8.slice(start, start + bytes))
      .toString('latin1')
      .toLowerCase();
    return equalBytes(Buffer.from(text, 'latin1'), 0, name, 0, bytes);
  }

  /** Reads the line at `offset` from where the source is: a mark and a number. */
  private readNumber(offset: number, mark: number): AofFound {
    const { source } = this;
    const bytes = this.lineAt(offset, HEADER_BYTES_MAX);
    if (bytes === 0) return AofFound.Torn;
    if (bytes < 0) return AofFound.Damaged;
    const at = source.at + offset;
    if (source.u8[at] !== mark) return AofFound.Damaged;
    const isCrLf = source.u8[at + bytes - 2] === CR;
    const number = parseSafeInteger(source.u8, at + 1, bytes - (isCrLf ? 3 : 2));
    if (!Number.isSafeInteger(number)) return AofFound.Damaged;
    this.number = number;
    this.lineBytes = bytes;
    return AofFound.Command;
  }

  /** Bytes of the line there, its end included; 0 if the file ends before, -1 if it is too long. */
  private lineAt(offset: number, bytesMax: number): number {
    const { source } = this;
    for (let bytes = 0; bytes < bytesMax; bytes++) {
      if (!source.has(offset + bytes + 1)) return 0;
      if (source.u8[source.at + offset + bytes] === LF) return bytes + 1;
    }
    return -1;
  }
}
