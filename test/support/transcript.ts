// Transcripts: tests as short dialogues, readable as documentation. A file is a row of sections:
//
//   # a comment
//   new SET stores a value [options]    starts a section: fresh connections, FLUSHALL
//   requires RPUSH MEMORY|PURGE         skips the section while the server lacks a command
//   > SET key value EX 10               a command, quoted as in redis-cli
//   OK                                  its reply (pattern.ts says what can stand here)
//   a> GET key                          the same on a connection named a
//   a< ["message", ...]                 a reply that connection a gets without asking
//   2| (nil)                            a reply line for RESP2 alone; 3| for RESP3
//   wait 10ms
//
// Instead of a reply: (none) when no reply comes, (closed) when the server closes the connection
// (after the replies above it), (waits) when the reply comes later, at an `a<` line.
// In commands: $(name) what (as name) kept, $(x*1000) a thousand x, $(now+60) seconds from now,
// $(nowms+60000) milliseconds.
// Options: resp2 and resp3 (one protocol), tcp (not in process), flagstone and redis (one server),
// once (in the first way only: for slow sections), stepwise on redis (never pipelined there: Redis
// 7.2 leaves out the reply to a failed AUTH while other replies of the connection are pending).

import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Client } from './client.js';
import {
  type Captures,
  mismatch,
  type Pattern,
  type Protocol,
  readPatterns,
  splitWords,
} from './pattern.js';
import { encodeCommand, isError, printReply, type Reply } from './resp.js';
import type { ServerKind } from './server.js';
import type { Way } from './ways.js';

export type Ending = 'replies' | 'none' | 'closed' | 'waits';

export interface CommandStep {
  readonly kind: 'command';
  readonly line: number;
  readonly connection: string;
  readonly text: string;
  readonly ending: Ending;
  readonly replies: Readonly<Record<Protocol, readonly Pattern[]>>;
}

export interface MessageStep {
  readonly kind: 'message';
  readonly line: number;
  readonly connection: string;
  readonly replies: Readonly<Record<Protocol, readonly Pattern[]>>;
}

export interface WaitStep {
  readonly kind: 'wait';
  readonly line: number;
  readonly ms: number;
}

export type Step = CommandStep | MessageStep | WaitStep;

export interface Section {
  readonly title: string;
  readonly line: number;
  readonly options: ReadonlySet<string>;
  readonly requires: readonly string[];
  readonly steps: readonly Step[];
}

export interface Transcript {
  readonly name: string;
  readonly sections: readonly Section[];
}

const OPTIONS = new Set([
  'resp2',
  'resp3',
  'tcp',
  'flagstone',
  'redis',
  'once',
  'stepwise on redis',
]);
const CLOSE_MS_MAX = 20_000;

export class TranscriptError extends Error {
  override readonly name = 'TranscriptError';
}

// ── Reading ──────────────────────────────────────────────────────────────────────────────────

/** Reads the transcript file beside a test. Bytes outside ASCII stay the bytes they are. */
export function readTranscript(file: URL | string): Transcript {
  const place = typeof file === 'string' ? file : fileURLToPath(file);
  return parseTranscript(readFileSync(place, 'latin1'), path.basename(place));
}

export function parseTranscript(text: string, name: string): Transcript {
  return { name, sections: new TranscriptReader(text, name).sections() };
}

interface OpenStep {
  readonly kind: 'command' | 'message';
  readonly line: number;
  readonly connection: string;
  readonly text: string;
  readonly replyLines: string[];
}

class TranscriptReader {
  private readonly result: Section[] = [];
  private steps: Step[] = [];
  private requires: string[] = [];
  private open: OpenStep | null = null;
  private number = 0;

  constructor(
    private readonly text: string,
    private readonly name: string,
  ) {}

  sections(): Section[] {
    for (const line of this.text.split('\n')) {
      this.number++;
      this.readLine(line);
    }
    this.closeStep();
    return this.result;
  }

  private readLine(line: string): void {
    // `#t` is a reply; a comment has a space after its sign.
    if (/^\s*(# |#?$)/.test(line)) return;
    const heading = /^new (.*?)(?:\s*\[([\w, ]+)\])?$/.exec(line);
    if (heading !== null) {
      this.startSection(heading[1]!, heading[2] ?? '');
      return;
    }
    if (this.result.length === 0) this.fail('a file starts with `new` and a title');
    const requires = /^requires (.*)$/.exec(line);
    if (requires !== null) {
      this.requires.push(...requires[1]!.split(' '));
      return;
    }
    const wait = /^wait (\d+)ms$/.exec(line);
    if (wait !== null) {
      this.closeStep();
      this.steps.push({ kind: 'wait', line: this.number, ms: Number(wait[1]) });
      return;
    }
    const spoken = /^(\w*)([<>]) (.*)$/.exec(line);
    if (spoken !== null) {
      this.startStep(spoken[1]!, spoken[2]!, spoken[3]!);
      return;
    }
    if (this.open === null) this.fail('a reply without a command');
    this.open.replyLines.push(line);
  }

  private startSection(title: string, options: string): void {
    this.closeStep();
    const names = options.split(',').map((option) => option.trim());
    const known = names.filter((option) => option !== '');
    for (const option of known) {
      if (!OPTIONS.has(option)) this.fail(`there is no option ${option}`);
    }
    this.steps = [];
    this.requires = [];
    this.result.push({
      title,
      line: this.number,
      options: new Set(known),
      requires: this.requires,
      steps: this.steps,
    });
  }

  private startStep(connection: string, direction: string, text: string): void {
    this.closeStep();
    const kind = direction === '>' ? 'command' : 'message';
    const replyLines = kind === 'message' ? [text] : [];
    this.open = { kind, line: this.number, connection, text, replyLines };
  }

  private closeStep(): void {
    const open = this.open;
    this.open = null;
    if (open === null) return;
    const { kind, line, connection, text } = open;
    const lines = open.replyLines.filter((each) => !/^\((none|closed|waits)\)$/.test(each));
    const special = open.replyLines.find((each) => !lines.includes(each));
    const ending = (special?.slice(1, -1) ?? 'replies') as Ending;
    const replies = { 2: this.patterns(lines, 2, line), 3: this.patterns(lines, 3, line) };
    if (kind === 'message') this.steps.push({ kind, line, connection, replies });
    else this.steps.push({ kind, line, connection, text, ending, replies });
  }

  private patterns(lines: readonly string[], protocol: Protocol, line: number): Pattern[] {
    const other = protocol === 2 ? '3| ' : '2| ';
    const own = `${protocol}| `;
    const text = lines
      .filter((each) => !each.startsWith(other))
      .map((each) => (each.startsWith(own) ? each.slice(own.length) : each))
      .join('\n');
    try {
      return readPatterns(text);
    } catch (error) {
      throw new TranscriptError(`${this.name}:${line}: ${(error as Error).message}`);
    }
  }

  private fail(problem: string): never {
    throw new TranscriptError(`${this.name}:${this.number}: ${problem}`);
  }
}

// ── Playing ──────────────────────────────────────────────────────────────────────────────────

/** Why a section is not played in a way; undefined when it is. */
export function reasonToSkip(
  section: Section,
  way: Way,
  kind: ServerKind,
  isFirstWay: boolean,
): string | undefined {
  const { options } = section;
  if (options.has('resp2') && way.protocol === 3) return 'it is about RESP2';
  if (options.has('resp3') && way.protocol === 2) return 'it is about RESP3';
  if (options.has('tcp') && way.place === 'in process') return 'it is about connections';
  if (options.has('flagstone') && kind !== 'flagstone') return 'it is about Flagstone';
  if (options.has('redis') && kind !== 'redis') return 'it is about a real redis';
  if (options.has('once') && !isFirstWay) return 'one way is enough for it';
  return undefined;
}

/** Whether a section's commands travel together in this way. */
export function isPipelined(section: Section, way: Way, kind: ServerKind): boolean {
  const isStepwise = section.options.has('stepwise on redis') && kind === 'redis';
  return way.isPipelined && !isStepwise;
}

export interface Stage {
  readonly way: Pick<Way, 'protocol' | 'isPipelined'>;
  open(): Promise<Client>;
  /** Told the reply to a command that has none written down, which is otherwise a failure. */
  learn?(step: CommandStep, reply: Reply): void;
  /** Returns when no client of an earlier section is left; not given where none can be. */
  untilAlone?(client: Client): Promise<void>;
}

/** Plays one section against a server; throws a TranscriptError at the first wrong line. */
export async function playSection(section: Section, stage: Stage, fileName: string): Promise<void> {
  const player = new Player(section, stage, fileName);
  try {
    await player.play();
  } finally {
    player.close();
  }
}

class Player {
  private readonly clients = new Map<string, Client>();
  private readonly captures: Captures = new Map();

  constructor(
    private readonly section: Section,
    private readonly stage: Stage,
    private readonly fileName: string,
  ) {}

  async play(): Promise<void> {
    const first = await this.client('');
    await this.stage.untilAlone?.(first);
    await mustSucceed(first, 'FLUSHALL');
    for (const batch of this.batches()) {
      const [step] = batch;
      if (step!.kind === 'wait') await pause(step!.ms);
      else if (step!.kind === 'message') await this.expectReplies(step!);
      else await this.playCommands(batch as readonly CommandStep[]);
    }
    for (const [name, client] of this.clients) this.expectSilence(name, client);
  }

  close(): void {
    for (const client of this.clients.values()) client.close();
  }

  /** Steps that travel together: one each, or in pipelined ways a run of one connection's. */
  private batches(): Step[][] {
    const batches: Step[][] = [];
    for (const step of this.section.steps) {
      const batch = batches.at(-1);
      const last = batch?.at(-1);
      const joins =
        this.stage.way.isPipelined &&
        step.kind === 'command' &&
        last?.kind === 'command' &&
        last.connection === step.connection &&
        last.ending === 'replies' &&
        !step.text.includes('$(');
      if (joins) batch!.push(step);
      else batches.push([step]);
    }
    return batches;
  }

  private async playCommands(steps: readonly CommandStep[]): Promise<void> {
    const client = await this.client(steps[0]!.connection);
    const encoded = steps.map((step) => encodeCommand(this.words(step)));
    await client.send(Buffer.concat(encoded));
    for (const step of steps) {
      if (step.ending === 'waits') continue;
      await this.expectReplies(step);
      if (step.ending === 'closed' && !(await client.closedWithin(CLOSE_MS_MAX))) {
        this.fail(step, 'the connection should be closed but is open');
      }
    }
  }

  private async expectReplies(step: CommandStep | MessageStep): Promise<void> {
    const client = await this.client(step.connection);
    const wanted = step.replies[client.protocol].length;
    if (step.kind === 'command' && step.ending === 'replies' && wanted === 0) {
      return this.learn(step, client);
    }
    for (let index = 0; index < wanted; index++) {
      const reply = await client.read().catch((error: Error) => this.fail(step, error.message));
      if (step.kind === 'command') follow(client, splitWords(step.text), reply);
      const pattern = step.replies[client.protocol][index]!;
      const problem = mismatch(pattern, reply, client.protocol, this.captures);
      if (problem !== undefined) this.fail(step, problem);
    }
  }

  private async learn(step: CommandStep, client: Client): Promise<void> {
    if (this.stage.learn === undefined) this.fail(step, 'no reply is written down for it');
    const reply = await client.read().catch((error: Error) => this.fail(step, error.message));
    follow(client, splitWords(step.text), reply);
    this.stage.learn(step, reply);
  }

  private expectSilence(name: string, client: Client): void {
    const [reply] = client.unread;
    if (reply === undefined) return;
    const who = name === '' ? 'the connection' : `connection ${name}`;
    const place = `${this.fileName}:${this.section.line}`;
    throw new TranscriptError(`${place}: ${who} got a reply nobody expected: ${printReply(reply)}`);
  }

  private words(step: CommandStep): string[] {
    const text = step.text.replace(/\$\(([^)]*)\)/g, (_, inside: string) => {
      const value = substituted(inside, this.captures);
      return value ?? this.fail(step, `nothing is known as $(${inside})`);
    });
    return splitWords(text);
  }

  private async client(name: string): Promise<Client> {
    const known = this.clients.get(name);
    if (known !== undefined) return known;
    const client = await this.stage.open();
    this.clients.set(name, client);
    if (this.stage.way.protocol === 3) {
      await mustSucceed(client, 'HELLO', '3');
      client.protocol = 3;
    }
    return client;
  }

  private fail(step: Step, problem: string): never {
    const said = step.kind === 'command' ? `${step.connection}> ${step.text}` : step.kind;
    throw new TranscriptError(`${this.fileName}:${step.line}: ${said}\n  ${problem}`);
  }
}

/** HELLO and RESET change what the replies look like, beginning with their own. */
function follow(client: Client, words: readonly string[], reply: Reply): void {
  const name = words[0]!.toUpperCase();
  if (isError(reply)) return;
  if (name === 'RESET') client.protocol = 2;
  if (name === 'HELLO' && words[1] === '2') client.protocol = 2;
  if (name === 'HELLO' && words[1] === '3') client.protocol = 3;
}

async function mustSucceed(client: Client, ...words: string[]): Promise<void> {
  const reply = await client.command(...words);
  if (isError(reply)) throw new TranscriptError(`${words.join(' ')} failed: ${printReply(reply)}`);
}

function substituted(inside: string, captures: Captures): string | undefined {
  const repeated = /^(.+)\*(\d+)$/.exec(inside);
  if (repeated !== null) return repeated[1]!.repeat(Number(repeated[2]));
  const time = /^now(ms)?([+-]\d+)$/.exec(inside);
  if (time === null) return captures.get(inside);
  const nowMs = Date.now();
  return String((time[1] === undefined ? Math.floor(nowMs / 1000) : nowMs) + Number(time[2]));
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
