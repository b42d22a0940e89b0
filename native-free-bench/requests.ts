// Requests as bytes that are built once: a batch keeps its commands from send to send and only the
// digits of their keys are patched in place. Where a mix puts another command into a slot, that
// command's bytes are copied over, and only from there to the end of the batch.

import type { KeyPicker } from './keys.js';
import type { MixEntry } from './mix.js';
import type { Random } from './random.js';

const DIGITS = 12;
const DIGITS_TEXT = '0'.repeat(DIGITS);
const DIGITS_MARK = /\{(key|random)\}/g;
const ZERO = 48;

/** One command's request with the places of its digits. */
export interface Template {
  readonly bytes: Uint8Array;
  readonly keyAts: Int32Array;
  readonly randomAts: Int32Array;
  /** ReplyKind bits that are right as an answer. */
  readonly replies: number;
}

export function encodeWords(words: readonly string[]): string {
  const parts = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`);
  return `*${words.length}\r\n${parts.join('')}`;
}

/** Words with the digits as zeroes and the value as `size` bytes. */
export function expandLine(line: string, size: number): string[] {
  return line.split(' ').map((word) => word.replaceAll('{value}', valueText(size)));
}

export function compileLine(line: string, size: number, replies: number): Template {
  const keyAts: number[] = [];
  const randomAts: number[] = [];
  let text = `*${line.split(' ').length}\r\n`;
  for (const word of expandLine(line, size)) {
    const plain = word.replace(DIGITS_MARK, DIGITS_TEXT);
    text += `$${Buffer.byteLength(plain)}\r\n`;
    // A mark may move to the right as those before it grow, so the offset is that of the plain
    // word.
    let grown = 0;
    for (const match of word.matchAll(DIGITS_MARK)) {
      const place = match[1] === 'key' ? keyAts : randomAts;
      place.push(Buffer.byteLength(text) + match.index + grown);
      grown += DIGITS - match[0].length;
    }
    text += `${plain}\r\n`;
  }
  return {
    bytes: Buffer.from(text),
    keyAts: Int32Array.from(keyAts),
    randomAts: Int32Array.from(randomAts),
    replies,
  };
}

/** Templates and, for quick choice, a table in which each template stands as often as it weighs. */
export class TemplateSet {
  readonly templates: readonly Template[];
  readonly largest: number;
  private readonly choices: Uint8Array;

  constructor(entries: readonly MixEntry[], size: number) {
    this.templates = entries.map((entry) =>
      compileLine(entry.command.line, size, entry.command.replies),
    );
    this.largest = Math.max(...this.templates.map((template) => template.bytes.length));
    this.choices = Uint8Array.from(
      entries.flatMap((entry, index) => Array<number>(entry.weight).fill(index)),
    );
  }

  choose(random: Random): number {
    return this.choices.length === 1 ? 0 : this.choices[random.below(this.choices.length)]!;
  }
}

const NO_TEMPLATE = 255;

/** The commands that one connection has in flight. Reused only after all its replies have come. */
export class Batch {
  /** ReplyKind bits expected for each command, in order. */
  readonly expected: Uint8Array;
  private readonly bytes: Buffer;
  private readonly placed: Uint8Array;
  private view: Buffer;

  constructor(
    private readonly set: TemplateSet,
    depth: number,
  ) {
    this.bytes = Buffer.alloc(set.largest * depth);
    this.placed = new Uint8Array(depth).fill(NO_TEMPLATE);
    this.expected = new Uint8Array(depth);
    this.view = this.bytes;
  }

  /** Makes `count` commands ready and answers the bytes to send. */
  fill(count: number, picker: KeyPicker, random: Random): Buffer {
    const { bytes, placed, set } = this;
    const { templates } = set;
    let at = 0;
    let isMoved = false;
    for (let slot = 0; slot < count; slot += 1) {
      const chosen = set.choose(random);
      const template = templates[chosen]!;
      if (isMoved || placed[slot] !== chosen) {
        // Another length here moves all that follows; an equal length moves nothing.
        const before = placed[slot]!;
        if (before === NO_TEMPLATE || templates[before]!.bytes.length !== template.bytes.length) {
          isMoved = true;
        }
        bytes.set(template.bytes, at);
        placed[slot] = chosen;
        this.expected[slot] = template.replies;
      }
      patch(bytes, at, template, picker, random);
      at += template.bytes.length;
    }
    // Slots beyond `count` may lie over bytes that were just written.
    if (isMoved) placed.fill(NO_TEMPLATE, count);
    if (this.view.length !== at) this.view = bytes.subarray(0, at);
    return this.view;
  }
}

const RANDOM_LIMIT = 1_000_000_000;

function patch(
  bytes: Uint8Array,
  at: number,
  template: Template,
  picker: KeyPicker,
  random: Random,
): void {
  const { keyAts, randomAts } = template;
  for (let index = 0; index < keyAts.length; index += 1) {
    writeDigits(bytes, at + keyAts[index]!, picker.next());
  }
  for (let index = 0; index < randomAts.length; index += 1) {
    writeDigits(bytes, at + randomAts[index]!, random.below(RANDOM_LIMIT));
  }
}

/** Twelve decimal digits, the last one first. The value is below 2^31: int32 division is cheap. */
export function writeDigits(bytes: Uint8Array, at: number, value: number): void {
  let rest = value;
  for (let place = at + DIGITS - 1; place >= at; place -= 1) {
    const tenth = (rest / 10) | 0;
    bytes[place] = ZERO + (rest - tenth * 10);
    rest = tenth;
  }
}

/** The same bytes each time, without spaces: x0123456789x0123… */
function valueText(size: number): string {
  return 'x0123456789'.repeat(Math.ceil(size / 11)).slice(0, size);
}
