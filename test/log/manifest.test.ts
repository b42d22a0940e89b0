import { describe, expect, test } from 'vitest';
import { crc32 } from '../../src/base/crc.js';
import { FILE_HEAD_BYTES, formatFileHead, parseFileHead } from '../../src/log/file-head.js';
import {
  filesOf,
  formatManifest,
  isLogDirectoryFile,
  type Manifest,
  ManifestError,
  parseManifest,
} from '../../src/log/manifest.js';

const HISTORY = '0123456789abcdef0123456789abcdef01234567';

const MANIFEST: Manifest = {
  history: HISTORY,
  partitionCount: 64,
  base: { file: 'base-3.rdb', number: 1200 },
  generations: [
    { generation: 2, from: 900, to: 1500, logCount: 3 },
    { generation: 3, from: 1201, to: null, logCount: 2 },
  ],
};

function withChecksum(body: string): string {
  const bytes = Buffer.from(body, 'latin1');
  return `${body}crc32 ${crc32(bytes, 0, bytes.length).toString(16).padStart(8, '0')}\n`;
}

describe('the manifest', () => {
  test('is a text of lines, and what is read is what was written', () => {
    const text = formatManifest(MANIFEST);
    expect(text.split('\n').slice(0, -2)).toEqual([
      'flagstone-log 1',
      `history ${HISTORY}`,
      'partitions 64',
      'base base-3.rdb 1200',
      'generation 2 from 900 to 1500 logs 3',
      'generation 3 from 1201 logs 2',
    ]);
    expect(parseManifest(text)).toEqual(MANIFEST);
    const bare: Manifest = { ...MANIFEST, base: null };
    expect(parseManifest(formatManifest(bare))).toEqual(bare);
  });

  test('holds numbers up to 2^53', () => {
    const from = Number.MAX_SAFE_INTEGER - 1;
    const generations = [{ generation: 2 ** 32 - 1, from, to: from + 1, logCount: 1 }];
    const manifest = { ...MANIFEST, generations };
    expect(parseManifest(formatManifest(manifest))).toEqual(manifest);
  });

  test('names every file that it needs', () => {
    const files = filesOf(MANIFEST);
    expect(files).toEqual([
      'base-3.rdb',
      'log-2-0.flog',
      'log-2-1.flog',
      'log-2-2.flog',
      'log-3-0.flog',
      'log-3-1.flog',
    ]);
    expect(files.every(isLogDirectoryFile)).toBe(true);
    expect(isLogDirectoryFile('appendonly.aof.1.incr.aof')).toBe(false);
  });

  test('is refused when any byte of it is changed or missing', () => {
    const text = formatManifest(MANIFEST);
    for (let at = 0; at < text.length; at++) {
      const other = text[at] === '7' ? '8' : '7';
      const changed = text.slice(0, at) + other + text.slice(at + 1);
      expect(() => parseManifest(changed), `byte ${at}`).toThrow(ManifestError);
      expect(() => parseManifest(text.slice(0, at)), `cut at ${at}`).toThrow(ManifestError);
    }
  });

  test('is refused when it makes no sense, however right its checksum', () => {
    const head = `flagstone-log 1\nhistory ${HISTORY}\npartitions 64\n`;
    const wrong = [
      head,
      `${head}generation 2 from 5 logs 1\ngeneration 2 from 6 logs 1\n`,
      `${head}generation 2 from 5 logs 1\ngeneration 3 from 4 logs 1\n`,
      `${head}generation 2 from 5 to 3 logs 1\n`,
      `${head}generation 2 from 5 logs 0\n`,
      `${head}generation 5000000000 from 5 logs 1\n`,
      `${head}base ../x 5\ngeneration 2 from 5 logs 1\n`,
      `${head}generation 2 from 9999999999999999 logs 1\n`,
      `${head}something else\n`,
      head.replace('log 1', 'log 2'),
    ];
    for (const body of wrong) {
      expect(() => parseManifest(withChecksum(body)), body).toThrow(ManifestError);
    }
  });
});

describe('the head of a log file', () => {
  const head = { generation: 7, thread: 3, history: HISTORY };

  test('says whose records follow', () => {
    const u8 = formatFileHead(head);
    expect(u8.length).toBe(FILE_HEAD_BYTES);
    expect(Buffer.from(u8.subarray(0, 8)).toString('latin1')).toBe('FLAGLOG1');
    expect(parseFileHead(u8)).toEqual({ ...head, history: HISTORY.slice(0, 16) });
  });

  test('is refused when a bit is flipped or a byte is missing', () => {
    for (let bit = 0; bit < FILE_HEAD_BYTES * 8; bit++) {
      const u8 = formatFileHead(head);
      u8[bit >> 3]! ^= 1 << (bit & 7);
      expect(parseFileHead(u8), `bit ${bit}`).toBeNull();
    }
    for (let length = 0; length < FILE_HEAD_BYTES; length++) {
      expect(parseFileHead(formatFileHead(head).subarray(0, length))).toBeNull();
    }
  });
});
