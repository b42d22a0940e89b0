// A command as the server works with it: the spec, and all that is decided once at start.

import type { Refusal } from '../resp/errors.js';
import type { Context } from './context.js';
import { type CommandSpec, Flag, InMulti, Shape } from './define.js';
import { quickRightOf } from './key-rights.js';

export class Command {
  readonly spec: CommandSpec;
  /** Index of the command's statistics; subcommands have their own. */
  readonly id: number;
  /** `get`, or `config|get`. */
  readonly fullName: string;
  /** Lower-case bytes of the last word of the name, or of that of rename-command. */
  nameBytes: Uint8Array;
  readonly arity: number;
  readonly flags: number;
  readonly shape: Shape;
  readonly isFast: boolean;
  /** Hardly any cost, with one key or none: several in a row are timed as one (run.ts). */
  readonly isQuick: boolean;
  readonly isWrite: boolean;
  /** As isWrite, or a script that may. */
  readonly mayWrite: boolean;
  /** Does it run a script, which its first argument is, or is the SHA-1 of? */
  readonly runsScript: boolean;
  readonly runsSha: boolean;
  /** It runs a function of a library, whose name its first argument is. */
  readonly runsFunction: boolean;
  /** Does it visit partitions that nobody else locks for it? */
  readonly visits: boolean;
  /** The word with the first element that is looked for in the key's collection; 0 for none. */
  readonly element: number;
  readonly inMulti: InMulti;
  /** May MULTI always queue it, where nothing else speaks against it? */
  readonly isQueueable: boolean;
  /** Gate bits that may refuse this command (gates.ts). */
  readonly subjectTo: number;
  /** Legacy key range of COMMAND: first and last word (negative: from the end), step; 0 without. */
  readonly firstKey: number;
  readonly lastKey: number;
  readonly keyStep: number;
  /** Do the three words above say all about the keys? */
  readonly hasPlainKeys: boolean;
  /** What it does to its key, for who has to have a right to it (key-rights.ts). */
  readonly quickRight: number;
  readonly wrongArity: Refusal;
  readonly categories: readonly string[];
  readonly parent: Command | null;
  subcommands: readonly Command[] = [];
  readonly run: (context: Context) => void;

  constructor(fields: CommandFields) {
    this.spec = fields.spec;
    this.id = fields.id;
    this.fullName = fields.fullName;
    this.nameBytes = fields.nameBytes;
    this.arity = fields.spec.arity;
    this.flags = fields.spec.flags;
    this.shape = fields.spec.shape;
    this.isFast = fields.isFast;
    const isOfKey = fields.spec.shape === Shape.Key;
    this.isQuick =
      (isOfKey && (fields.isFast || fields.spec.cost === 'O(1)')) || isMulti(fields.spec);
    this.isWrite = fields.isWrite;
    this.mayWrite = fields.isWrite || (fields.spec.flags & Flag.MayReplicate) !== 0;
    this.runsScript = fields.spec.script !== undefined;
    this.runsSha = fields.spec.script === 'sha';
    this.runsFunction = fields.spec.script === 'function';
    this.visits = fields.spec.visits ?? false;
    this.element = fields.spec.element ?? 0;
    this.inMulti = fields.spec.inMulti ?? InMulti.IsQueued;
    this.isQueueable = this.inMulti === InMulti.IsQueued && (this.flags & Flag.NoMulti) === 0;
    this.subjectTo = fields.subjectTo;
    this.firstKey = fields.firstKey;
    this.lastKey = fields.lastKey;
    this.keyStep = fields.keyStep;
    this.hasPlainKeys = fields.hasPlainKeys;
    this.quickRight = quickRightOf(fields);
    this.wrongArity = fields.wrongArity;
    this.categories = fields.categories;
    this.parent = fields.parent;
    this.run = fields.spec.run;
  }

  accepts(wordCount: number): boolean {
    return this.arity >= 0 ? wordCount === this.arity : wordCount >= -this.arity;
  }
}

/** Does nothing but to have what follows queued, whose time is counted with it. */
function isMulti(spec: CommandSpec): boolean {
  return spec.shape === Shape.Session && spec.inMulti === InMulti.Answers;
}

export interface CommandFields {
  readonly spec: CommandSpec;
  readonly id: number;
  readonly fullName: string;
  readonly nameBytes: Uint8Array;
  readonly isFast: boolean;
  readonly isWrite: boolean;
  readonly subjectTo: number;
  readonly firstKey: number;
  readonly lastKey: number;
  readonly keyStep: number;
  readonly hasPlainKeys: boolean;
  readonly wrongArity: Refusal;
  readonly categories: readonly string[];
  readonly parent: Command | null;
}
