// The request parser: however input is cut, it gives the commands and the error that it gives for
// the whole; what it is told to forget or to read again comes out the same; garbage never throws.

import { deepEqual, equal, ok } from 'node:assert/strict';
import { Slices } from '../../src/base/slices.js';
import { Parsed, Parser, type ParserLimits } from '../../src/resp/parse.js';
import type { Random } from '../support/seed.js';
import type { FuzzTarget } from './target.js';

const TOKENS = [
  '*',
  '$',
  '\r\n',
  '\r',
  '\n',
  '*-1\r\n',
  '$-1\r\n',
  '*0\r\n',
  '$0\r\n\r\n',
  '"',
  "'",
  ' ',
];
const NUMBERS = [
  '0',
  '-1',
  '1',
  '2',
  '10',
  '11',
  '007',
  '16384',
  '16385',
  '2147483647',
  '99999999999',
];
const ESCAPES = ['\\n', '\\x41', '\\xzz', '\\"', "\\'", '\\', 'plain', '\0', ' '];
const COMMANDS_MAX = 6;
const DAMAGE_CHANCE = 0.5;
/** Room in front, as a buffer has it that is used again. */
const HEADROOM = 40;

/** What came of an input: commands, then an error or an unfinished rest. */
interface Reading {
  readonly commands: string[][];
  readonly error: string | null;
  /** Bytes that were done with. */
  readonly consumed: number;
}

export const target: FuzzTarget = {
  name: 'resp',
  about: 'requests whole, in pieces, and read twice give the same commands; garbage never throws',
  stepsPerRun: 3000,
  run({ steps, random, note }) {
    for (let step = 0; step < steps; step++) {
      const limits = { bulkBytesMax: random.pick([100, 20_000, 512 * 1024 * 1024]) };
      const isStranger = random.chance(0.3);
      const sent = drawCommands(random);
      const intact = Buffer.from(
        sent.map((command) => encoded(command, random)).join(''),
        'latin1',
      );
      const input = random.chance(DAMAGE_CHANCE) ? damaged(intact, random) : intact;
      note(`step ${step}: ${JSON.stringify(input.toString('latin1')).slice(0, 300)}`);
      const whole = readWhole(input, limits, isStranger, random);
      if (input === intact && !isStranger && limits.bulkBytesMax > 20_000) {
        deepEqual(whole, { commands: sent, error: null, consumed: input.length });
      }
      expectLimits(whole, limits, isStranger);
      deepEqual(readKept(input, limits, isStranger, random), whole, 'in pieces, read again');
      deepEqual(readExtended(input, limits, isStranger, random), whole, 'in pieces, gone on');
    }
  },
};

function expectLimits({ commands }: Reading, limits: ParserLimits, isStranger: boolean): void {
  for (const words of commands) {
    ok(words.length > 0, 'a command has words');
    // Inline commands have a limit of their own: the length of the line.
    if (words.some((word) => word.length > Math.max(limits.bulkBytesMax, 300))) {
      throw new Error('a word is longer than the limit');
    }
    if (isStranger) ok(words.every((word) => word.length <= 16384));
  }
}

/** Reads all that is there; at times it is sent back to what it has just read. */
function take(parser: Parser, reading: Reading, random: Random): boolean {
  for (;;) {
    const parsed = parser.next();
    if (parsed === Parsed.Incomplete) return true;
    if (parsed === Parsed.Error) return false;
    if (parsed === Parsed.Command) {
      const words = wordsOf(parser.args);
      if (random.chance(0.1)) {
        parser.rewind(parser.commandAt);
        equal(parser.next(), Parsed.Command);
        deepEqual(wordsOf(parser.args), words, 'read twice');
      }
      reading.commands.push(words);
    }
    parser.commandAt = parser.at;
  }
}

function readWhole(
  input: Buffer,
  limits: ParserLimits,
  isStranger: boolean,
  random: Random,
): Reading {
  const parser = new Parser(new Slices(), limits);
  parser.isStranger = isStranger;
  parser.feed(input, 0, input.length);
  const reading: Reading = { commands: [], error: null, consumed: 0 };
  const isGood = take(parser, reading, random);
  return { ...reading, error: isGood ? null : parser.error, consumed: parser.commandAt };
}

/** As small input is read: what is unfinished is fed again with what follows it. */
function readKept(
  input: Buffer,
  limits: ParserLimits,
  isStranger: boolean,
  random: Random,
): Reading {
  const parser = new Parser(new Slices(), limits);
  parser.isStranger = isStranger;
  const reading: Reading = { commands: [], error: null, consumed: 0 };
  let consumed = 0;
  for (const end of cuts(input.length, random)) {
    const u8 = Buffer.alloc(HEADROOM + end - consumed + HEADROOM, '9');
    input.copy(u8, HEADROOM, consumed, end);
    parser.feed(u8, HEADROOM, HEADROOM + end - consumed);
    const isGood = take(parser, reading, random);
    consumed += parser.commandAt - HEADROOM;
    if (!isGood) return { ...reading, error: parser.error, consumed };
  }
  return { ...reading, consumed };
}

/** As large input is read: the parser goes on where it was, in a buffer that moves. */
function readExtended(
  input: Buffer,
  limits: ParserLimits,
  isStranger: boolean,
  random: Random,
): Reading {
  const parser = new Parser(new Slices(), limits);
  parser.isStranger = isStranger;
  const reading: Reading = { commands: [], error: null, consumed: 0 };
  let offset = 0;
  parser.feed(new Uint8Array(0), 0, 0);
  for (const end of cuts(input.length, random)) {
    // What is done with may be dropped from the front.
    const shift = random.chance(0.5) ? -parser.commandAt : 0;
    offset -= shift;
    parser.extend(input.subarray(offset), shift, end - offset);
    const isGood = take(parser, reading, random);
    if (!isGood) return { ...reading, error: parser.error, consumed: parser.commandAt + offset };
  }
  return { ...reading, consumed: parser.commandAt + offset };
}

/** Ends of pieces, ascending, the last at `length`. */
function cuts(length: number, random: Random): number[] {
  const ends: number[] = [];
  const most = random.pick([1, 3, 40]);
  for (let at = 0; at < length; ) {
    at = Math.min(length, at + random.between(1, most));
    ends.push(at);
  }
  return ends;
}

function wordsOf(args: Slices): string[] {
  return Array.from({ length: args.count }, (_, index) => args.text(index));
}

function drawCommands(random: Random): string[][] {
  return Array.from({ length: random.between(1, COMMANDS_MAX) }, () =>
    Array.from({ length: random.pick([1, 2, 3, 9, 10, 12]) }, () => drawWord(random)),
  );
}

function drawWord(random: Random): string {
  switch (random.below(6)) {
    case 0:
      return '';
    case 1:
      return random.bytes(random.below(120));
    case 2:
      return random.pick(['\r\n', '$3\r\nGET\r\n', '*1\r\n', '"', "'", '\\x00']);
    default:
      return random.pick(['GET', 'set', 'key:1', 'value', '12345678', '-1']);
  }
}

/** An array of bulk strings, an inline command where its words allow, at times after nothings. */
function encoded(words: readonly string[], random: Random): string {
  const nothings = random.chance(0.1)
    ? random.pick(['\r\n', '\n', '*0\r\n', '*-1\r\n', '  \r\n'])
    : '';
  if (random.chance(0.3) && words[0] !== '') return nothings + inline(words, random);
  const bulks = words.map((word) => `$${word.length}\r\n${word}\r\n`);
  return `${nothings}*${words.length}\r\n${bulks.join('')}`;
}

function inline(words: readonly string[], random: Random): string {
  const quoted = words.map((word) => {
    if (/^[a-zA-Z0-9:-]+$/.test(word) && random.chance(0.6)) return word;
    if (/^[\x20-\x7e]*$/.test(word) && !/['\\]/.test(word) && random.chance(0.5))
      return `'${word}'`;
    const hex = (letter: string) => `\\x${letter.charCodeAt(0).toString(16).padStart(2, '0')}`;
    const letters = [...word].map((letter) => (/[a-z0-9]/i.test(letter) ? letter : hex(letter)));
    return `"${letters.join('')}"`;
  });
  // A star in front would make it an array.
  return `${quoted.join(random.pick([' ', '  ', '\t']))}${random.pick(['\r\n', '\n'])}`;
}

function damaged(input: Buffer, random: Random): Buffer {
  let text = input.toString('latin1');
  for (let count = random.between(1, 4); count > 0; count--) {
    const at = random.below(text.length + 1);
    const piece = random.pick([
      random.pick(TOKENS),
      random.pick(NUMBERS),
      random.pick(ESCAPES),
      random.bytes(2),
    ]);
    text = text.slice(0, at) + piece + text.slice(at + random.below(4));
  }
  return Buffer.from(text, 'latin1');
}
