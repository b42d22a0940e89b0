// The request parser: short commands in a pipeline, long ones, inline ones.

import { Slices } from '../../src/base/slices.js';
import { Parsed, Parser } from '../../src/resp/parse.js';
import type { FloorBench } from '../floor.js';

const COMMANDS = 32;

export const floorBench: FloorBench = {
  name: 'parse',
  about: 'commands read from a buffer of 32',
  prepare(isTiny) {
    const rounds = isTiny ? 1 : 64;
    return [
      parseCase('GET of a 16-byte key', words('GET', 'key:000000000042'), rounds),
      parseCase('SET of 32 bytes', words('SET', 'key:000000000042', 'x'.repeat(32)), rounds),
      parseCase('SET of 1000 bytes', words('SET', 'key:000000000042', 'x'.repeat(1000)), rounds),
      parseCase('MGET of ten keys', words('MGET', ...Array(10).fill('key:000000000042')), rounds),
      parseCase('GET, inline', 'GET key:000000000042\r\n', rounds),
    ];
  },
};

function words(...list: string[]): string {
  return `*${list.length}\r\n${list.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`;
}

function parseCase(name: string, command: string, rounds: number) {
  const bytes = new Uint8Array(Buffer.from(command.repeat(COMMANDS), 'latin1'));
  const args = new Slices();
  const parser = new Parser(args, { bulkBytesMax: 512 * 1024 * 1024 });
  const run = () => {
    let sum = 0;
    for (let round = 0; round < rounds; round += 1) {
      parser.feed(bytes, 0, bytes.length);
      while (parser.next() === Parsed.Command) {
        sum = (sum + args.count + args.startOf(args.count - 1)) | 0;
      }
    }
    return sum;
  };
  return { name, operations: rounds * COMMANDS, run };
}
