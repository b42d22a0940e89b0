// The differential oracle: the same random commands to two servers, every reply compared, and every
// key at the end. A stream is cut into episodes that begin with empty servers, so that a difference
// needs only its own episode to be repeated and shrunk.

import { decodeReply, encodeCommands, printCommand, printReply, textOf } from '../support/resp.js';
import { partSeed, Random } from '../support/seed.js';
import { compareChoice, isChoice } from './choices.js';
import { agree } from './compare.js';
import { DEFAULT_THRESHOLDS } from './grammar/thresholds.js';
import { ALL_GROUPS, type Group, makeSteps, type Step } from './grammar.js';
import { KNOWN_DIFFERENCES } from './known-differences.js';
import { type Side, SideError } from './side.js';

export const EPISODE_COMMANDS = 20_000;
/** Enough to hide the round trip, little enough that neither side's buffers fill up. */
const BATCH_COMMANDS = 1_000;
const DATABASE_COUNT = 16;
const STATE_KEYS = 300;

/** How the value of a key is read, by its type. */
const READS: Readonly<Record<string, (key: string) => readonly Words[]>> = {
  string: (key) => [['GET', key]],
  list: (key) => [
    ['LRANGE', key, '0', '-1'],
    ['LLEN', key],
    // How many nodes there are, and of how many bytes.
    ['DEBUG', 'OBJECT', key],
  ],
  hash: (key) => [
    ['HGETALL', key],
    ['HLEN', key],
  ],
  set: (key) => [
    ['SMEMBERS', key],
    ['SCARD', key],
  ],
  zset: (key) => [
    ['ZRANGE', key, '0', '-1', 'WITHSCORES'],
    ['ZCARD', key],
  ],
  stream: (key) => [
    ['XRANGE', key, '-', '+'],
    ['XINFO', 'STREAM', key],
    ['XINFO', 'GROUPS', key],
    ...['g1', 'g2'].flatMap((group) => [
      ['XINFO', 'CONSUMERS', key, group],
      ['XPENDING', key, group, '-', '+', '10000'],
    ]),
  ],
};

type Words = readonly string[];

export interface Difference {
  readonly words: Words;
  readonly left: string;
  readonly right: string;
  /** Steps of the episode up to and including the one that differed. */
  readonly stepCount: number;
}

export interface RunOptions {
  readonly seed: number;
  readonly count: number;
  /** Whose commands; all, unless told otherwise. */
  readonly groups?: readonly Group[];
  /** Only this episode. */
  readonly episode?: number;
  progress?(doneCount: number): void;
}

export interface Found {
  readonly difference: Difference;
  readonly episode: number;
  readonly steps: readonly Step[];
}

export class Differential {
  /** How often each known difference was met. */
  readonly explained = new Map<string, number>();

  constructor(
    private readonly left: Side,
    private readonly right: Side,
  ) {}

  /** Runs a stream; returns the first difference, or undefined. */
  async run(options: RunOptions): Promise<Found | undefined> {
    const { seed, count } = options;
    const first = options.episode ?? 0;
    let done = 0;
    for (let episode = first; done < count; episode++) {
      const steps = this.steps(options, episode, Math.min(EPISODE_COMMANDS, count - done));
      const difference = await this.play(steps, protocolOf(seed, episode));
      if (difference !== undefined) {
        return { difference, episode, steps: steps.slice(0, difference.stepCount) };
      }
      done += EPISODE_COMMANDS;
      options.progress?.(Math.min(done, count));
      if (options.episode !== undefined) return undefined;
    }
    return undefined;
  }

  private steps(options: RunOptions, episode: number, count: number): Step[] {
    return episodeSteps(options.seed, episode, count, options.groups);
  }

  /** Plays steps on empty servers and compares all replies, then all keys. */
  async play(steps: readonly Step[], protocol: 2 | 3): Promise<Difference | undefined> {
    try {
      await this.begin(protocol);
      return (await this.compareReplies(steps)) ?? (await this.compareState(steps.length));
    } catch (error) {
      if (!(error instanceof SideError)) throw error;
      const problem = `${error.message}\n${error.side.report()}`;
      const isLeft = error.side === this.left;
      const [left, right] = isLeft ? [problem, '(alive)'] : ['(alive)', problem];
      return { words: ['(the server)'], left, right, stepCount: steps.length };
    }
  }

  private async begin(protocol: 2 | 3): Promise<void> {
    await Promise.all([this.left.open(), this.right.open()]);
    await this.both([['HELLO', String(protocol)], ['FLUSHALL'], ...DEFAULT_THRESHOLDS]);
  }

  private async compareReplies(steps: readonly Step[]): Promise<Difference | undefined> {
    let batch: Words[] = [];
    let owners: number[] = [];
    const flush = async (): Promise<Difference | undefined> => {
      if (batch.length === 0) return undefined;
      const [commands, stepOf] = [batch, owners];
      batch = [];
      owners = [];
      const [left, right] = await this.both(commands);
      for (const [index, words] of commands.entries()) {
        if (agree(words, left[index]!, right[index]!)) continue;
        const found = this.judge(words, left[index]!, right[index]!, stepOf[index]! + 1);
        if (found !== undefined) return found;
      }
      return undefined;
    };
    for (const [index, step] of steps.entries()) {
      for (const words of step) {
        if (isChoice(words)) {
          const found = (await flush()) ?? (await this.judgeChoice(words, index + 1));
          if (found !== undefined) return found;
          continue;
        }
        batch.push(words);
        owners.push(index);
      }
      if (batch.length < BATCH_COMMANDS) continue;
      const found = await flush();
      if (found !== undefined) return found;
    }
    return flush();
  }

  private async judgeChoice(words: Words, stepCount: number): Promise<Difference | undefined> {
    const both = await compareChoice(this.left, this.right, words);
    return both === undefined ? undefined : this.judgeTexts(words, ...both, stepCount);
  }

  private async compareState(stepCount: number): Promise<Difference | undefined> {
    for (let database = 0; database < DATABASE_COUNT; database++) {
      const commands = [['SELECT', String(database)], ['KEYS', '*'], ['DBSIZE']];
      const [left, right] = await this.both(commands);
      for (const [index, words] of commands.entries()) {
        if (agree(words, left[index]!, right[index]!)) continue;
        const where = [...words, `(database ${database} at the end)`];
        return this.judge(where, left[index]!, right[index]!, stepCount);
      }
      const keys = decodeReply(left[1]!);
      const names = keys.type === 'array' ? keys.value.map((key) => textOf(key)!) : [];
      for (let start = 0; start < names.length; start += STATE_KEYS) {
        const found = await this.compareKeys(names.slice(start, start + STATE_KEYS), stepCount);
        if (found !== undefined) return found;
      }
    }
    return this.compareDigests(stepCount);
  }

  /** One number for all there is, where both servers tell it. */
  private async compareDigests(stepCount: number): Promise<Difference | undefined> {
    const words = ['DEBUG', 'DIGEST'];
    const [[left], [right]] = await this.both([words]);
    const isTold = !isRefusal(left!) && !isRefusal(right!);
    // 7.0 writes scores with more digits.
    if (!isTold || compareVersions(this.left.version, this.right.version) !== 0) return undefined;
    return left!.equals(right!) ? undefined : this.judge(words, left!, right!, stepCount);
  }

  private async compareKeys(
    names: readonly string[],
    stepCount: number,
  ): Promise<Difference | undefined> {
    const commands = names.flatMap((name) => [
      ['TYPE', name],
      ['PEXPIRETIME', name],
      ['OBJECT', 'ENCODING', name],
    ]);
    const found = await this.compareReads(commands, stepCount);
    if (found !== undefined) return found;
    const types = await this.left.ask(names.map((name) => ['TYPE', name]));
    const reads = names.flatMap((name, index) => {
      const type = textOf(decodeReply(types[index]!))!;
      return READS[type]?.(name) ?? [];
    });
    return this.compareReads(reads, stepCount);
  }

  private async compareReads(
    commands: readonly Words[],
    stepCount: number,
  ): Promise<Difference | undefined> {
    const [left, right] = await this.both(commands);
    for (const [index, words] of commands.entries()) {
      if (agree(words, left[index]!, right[index]!)) continue;
      const found = this.judge(words, left[index]!, right[index]!, stepCount);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** A difference, unless the versions of the two servers are known to differ there. */
  private judge(
    words: Words,
    left: Buffer,
    right: Buffer,
    stepCount: number,
  ): Difference | undefined {
    const [leftText, rightText] = [printReply(decodeReply(left)), printReply(decodeReply(right))];
    return this.judgeTexts(words, leftText, rightText, stepCount);
  }

  private judgeTexts(
    words: Words,
    leftText: string,
    rightText: string,
    stepCount: number,
  ): Difference | undefined {
    const order = compareVersions(this.left.version, this.right.version);
    if (order !== 0) {
      const [older, newer] = order < 0 ? [leftText, rightText] : [rightText, leftText];
      const known = KNOWN_DIFFERENCES.find((row) => row.explains(words, older, newer));
      if (known !== undefined) {
        this.explained.set(known.name, (this.explained.get(known.name) ?? 0) + 1);
        return undefined;
      }
    }
    return { words, left: leftText, right: rightText, stepCount };
  }

  private async both(commands: readonly Words[]): Promise<[Buffer[], Buffer[]]> {
    const bytes = encodeCommands(commands);
    return Promise.all([
      this.left.askEncoded(bytes, commands.length),
      this.right.askEncoded(bytes, commands.length),
    ]);
  }
}

/** The steps of one episode: the same for the same seed, number, count and groups. */
export function episodeSteps(
  seed: number,
  episode: number,
  count: number,
  groups: readonly Group[] = ALL_GROUPS,
): Step[] {
  return makeSteps(new Random(partSeed(seed, episode)), count, groups);
}

/** Every other episode speaks RESP3. */
export function protocolOf(seed: number, episode: number): 2 | 3 {
  return (seed + episode) % 2 === 0 ? 2 : 3;
}

/** Shrinks to a list of steps that still differ and none of which can be left out. */
export async function shrink(
  differential: Differential,
  steps: readonly Step[],
  protocol: 2 | 3,
): Promise<{ steps: readonly Step[]; difference: Difference }> {
  let kept = steps;
  let difference = await differential.play(kept, protocol);
  if (difference === undefined) throw new Error('the difference did not come again');
  // Delta debugging: leave out ever smaller pieces, as long as the rest still differs.
  for (let pieceSize = Math.ceil(kept.length / 2); pieceSize >= 1; ) {
    let hasShrunk = false;
    for (let start = 0; start < kept.length; ) {
      const candidate = [...kept.slice(0, start), ...kept.slice(start + pieceSize)];
      const found = await differential.play(candidate, protocol);
      if (found === undefined) {
        start += pieceSize;
      } else {
        kept = candidate.slice(0, found.stepCount);
        difference = found;
        hasShrunk = true;
      }
    }
    if (pieceSize === 1 && !hasShrunk) break;
    pieceSize = Math.max(1, Math.floor(pieceSize / 2));
  }
  return { steps: kept, difference };
}

export function describe(difference: Difference, names: readonly [string, string]): string {
  const [left, right] = names;
  return [
    `> ${printCommand(difference.words)}`,
    `${left}: ${difference.left}`,
    `${right}: ${difference.right}`,
  ].join('\n');
}

function isRefusal(frame: Buffer): boolean {
  return frame.toString('latin1', 0, 1) === '-';
}

export function compareVersions(left: string, right: string): number {
  // Patch levels answer alike; major and minor count.
  const number = (version: string): number => {
    const [major, minor] = version.split('.');
    return Number(major) * 1000 + Number(minor);
  };
  return number(left) - number(right);
}
