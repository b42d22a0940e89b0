import { describe, expect, test } from 'vitest';
import { createPicker } from '../../native-free-bench/keys.js';
import { parseMix } from '../../native-free-bench/mix.js';
import { Random } from '../../native-free-bench/random.js';
import { ReplyKind } from '../../native-free-bench/replies.js';
import {
  Batch,
  compileLine,
  encodeWords,
  TemplateSet,
  writeDigits,
} from '../../native-free-bench/requests.js';

/** Splits a batch into its commands' words, strictly. */
function readCommands(bytes: Buffer): string[][] {
  const commands: string[][] = [];
  let at = 0;
  const line = (mark: string) => {
    const end = bytes.indexOf('\r\n', at);
    expect(bytes.toString('latin1', at, at + 1)).toBe(mark);
    const value = Number(bytes.toString('latin1', at + 1, end));
    at = end + 2;
    return value;
  };
  while (at < bytes.length) {
    const words: string[] = [];
    const count = line('*');
    for (let index = 0; index < count; index += 1) {
      const length = line('$');
      words.push(bytes.toString('latin1', at, at + length));
      expect(bytes.toString('latin1', at + length, at + length + 2)).toBe('\r\n');
      at += length + 2;
    }
    commands.push(words);
  }
  return commands;
}

describe('a compiled request', () => {
  test('has its digits where the marks stood, several in one word too', () => {
    const line = 'X a{key}b{random}c{key} {value} {random}';
    const template = compileLine(line, 5, ReplyKind.Any);
    const zeros = '0'.repeat(12);
    expect(readCommands(Buffer.from(template.bytes))).toEqual([
      ['X', `a${zeros}b${zeros}c${zeros}`, 'x0123', zeros],
    ]);
    const bytes = Buffer.from(template.bytes);
    for (const at of template.keyAts) bytes.write('K'.repeat(12), at);
    for (const at of template.randomAts) bytes.write('R'.repeat(12), at);
    const [key, random] = ['K'.repeat(12), 'R'.repeat(12)];
    expect(readCommands(bytes)).toEqual([['X', `a${key}b${random}c${key}`, 'x0123', random]]);
  });

  test('digits are written in full over what stood there', () => {
    const bytes = Buffer.alloc(14, '#');
    for (const value of [999_999_999, 0, 12_345, 2 ** 31 - 1]) {
      writeDigits(bytes, 1, value);
      expect(bytes.toString()).toBe(`#${String(value).padStart(12, '0')}#`);
    }
  });

  test('words are encoded with their length in bytes', () => {
    expect(encodeWords(['SET', 'é'])).toBe('*2\r\n$3\r\nSET\r\n$2\r\né\r\n');
  });
});

describe('a batch', () => {
  test.each([3, 16])('of %i is well formed at every fill, and mixed by weight', (depth) => {
    const entries = parseMix('GET:3,SET:1,PING:1,MGET:1').entries;
    const random = new Random(5);
    const picker = createPicker({ kind: 'uniform' }, 1000, random);
    const batch = new Batch(new TemplateSet(entries, 20), depth);
    const counts = new Map<string, number>();
    let total = 0;
    for (let round = 0; round < 300; round += 1) {
      const count = round % 3 === 0 ? 1 + random.below(depth) : depth;
      const commands = readCommands(batch.fill(count, picker, random));
      expect(commands.length).toBe(count);
      for (const [slot, [name, key, value]] of commands.entries()) {
        counts.set(name!, (counts.get(name!) ?? 0) + 1);
        if (name !== 'PING') expect(key).toMatch(/^key:000000000\d{3}$/);
        if (name === 'SET') expect(value).toBe('x0123456789x01234567');
        const entry = entries.find((one) => one.command.name === name)!;
        expect(batch.expected[slot]).toBe(entry.command.replies);
        total += 1;
      }
    }
    expect(counts.get('GET')! / total).toBeCloseTo(0.5, 1);
    expect(counts.get('MGET')! / total).toBeCloseTo(1 / 6, 1);
  });

  test('draws new keys for each fill of the same bytes', () => {
    const random = new Random(1);
    const picker = createPicker({ kind: 'sequential', first: 0, step: 1 }, 100, random);
    const batch = new Batch(new TemplateSet(parseMix('GET').entries, 1), 2);
    const keys = [0, 1].flatMap(() =>
      readCommands(batch.fill(2, picker, random)).map((words) => words[1]),
    );
    expect(keys).toEqual([0, 1, 2, 3].map((key) => `key:${String(key).padStart(12, '0')}`));
  });
});

describe('a mix', () => {
  test('is read by name, as a list with weights, and as whole lines', () => {
    expect(parseMix('getset').entries.map((entry) => entry.weight)).toEqual([80, 20]);
    const custom = parseMix('SADD s:{key} {random}:3, ping');
    expect(custom.entries.map(({ command, weight }) => [command.line, weight])).toEqual([
      ['SADD s:{key} {random}', 3],
      ['PING', 1],
    ]);
  });

  test('with an unknown command or without one is refused', () => {
    expect(() => parseMix('GOT:1')).toThrow("no mix or command 'GOT'");
    expect(() => parseMix(' , ')).toThrow('names no command');
    expect(() => parseMix('GET:0')).toThrow('at least 1');
  });
});
