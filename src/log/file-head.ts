// The head of a log file: whose records follow. Little-endian.
//
//   byte 0          8            12       16                 24         28         32
//       ┌──────────┬────────────┬────────┬──────────────────┬──────────┬──────────┬───────────
//       │ FLAGLOG1 │ generation │ thread │ history's first  │ zeros    │ CRC-32   │ frames …
//       │          │            │        │ 8 bytes          │          │ of these │ (record.ts)
//       └──────────┴────────────┴────────┴──────────────────┴──────────┴──────────┴───────────
//
// The history is the one under which the file was begun: the files of an open generation have that
// of the manifest, those of a closed one may have an older one.

import { assert } from '../base/assert.js';
import { crc32 } from '../base/crc.js';

const MAGIC = Buffer.from('FLAGLOG1', 'latin1');

const MAGIC_AT = 0;
const GENERATION_AT = MAGIC_AT + 8;
const THREAD_AT = GENERATION_AT + 4;
const HISTORY_AT = THREAD_AT + 4;
const HISTORY_BYTES = 8;
const ZEROS_AT = HISTORY_AT + HISTORY_BYTES;
const CHECKSUM_AT = ZEROS_AT + 4;
export const FILE_HEAD_BYTES = CHECKSUM_AT + 4;

export interface FileHead {
  readonly generation: number;
  readonly thread: number;
  /** 40 hex digits when written; the first 16 of them when read. */
  readonly history: string;
}

/** The FILE_HEAD_BYTES bytes that a log begins with. */
export function formatFileHead({ generation, thread, history }: FileHead): Uint8Array<ArrayBuffer> {
  assert(/^[0-9a-f]{40}$/.test(history), 'a history is 40 hex digits');
  const u8 = new Uint8Array(new ArrayBuffer(FILE_HEAD_BYTES));
  const view = new DataView(u8.buffer);
  u8.set(MAGIC, MAGIC_AT);
  view.setUint32(GENERATION_AT, generation, true);
  view.setUint32(THREAD_AT, thread, true);
  u8.set(Buffer.from(history.slice(0, 2 * HISTORY_BYTES), 'hex'), HISTORY_AT);
  view.setUint32(CHECKSUM_AT, crc32(u8, 0, CHECKSUM_AT), true);
  return u8;
}

/** The head at the start of `u8`; null when it is not a whole and right one. */
export function parseFileHead(u8: Uint8Array): FileHead | null {
  if (u8.length < FILE_HEAD_BYTES) return null;
  const view = new DataView(u8.buffer, u8.byteOffset, FILE_HEAD_BYTES);
  if (view.getUint32(CHECKSUM_AT, true) !== crc32(u8, 0, CHECKSUM_AT)) return null;
  if (!MAGIC.equals(u8.subarray(MAGIC_AT, MAGIC_AT + MAGIC.length))) return null;
  const history = u8.subarray(HISTORY_AT, HISTORY_AT + HISTORY_BYTES);
  return {
    generation: view.getUint32(GENERATION_AT, true),
    thread: view.getUint32(THREAD_AT, true),
    history: Buffer.from(history).toString('hex'),
  };
}
