// A command as the server works with it: the spec, and all that is decided once at start.

import type { Refusal } from '../resp/errors.js';
import type { Context } from './context.js';
import { type CommandSpec, Shape } from './define.js';

export class Command {
  readonly spec: CommandSpec;
  /** Index of the command's statistics; subcommands have their own. */
  readonly id: number;
  /** `get`, or `config|get`. */
  readonly fullName: string;
  /** Lower-case bytes of the last word of the name. */
  readonly nameBytes: Uint8Array;
  readonly arity: number;
  readonly flags: number;
  readonly shape: Shape;
  readonly isFast: boolean;
  /** One key and hardly any cost: several in a row are timed as one (run.ts). */
  readonly isQuick: boolean;
  readonly isWrite: boolean;
  /** Gate bits that may refuse this command (gates.ts). */
  readonly subjectTo: number;
  /** Legacy key range of COMMAND: first and last word (negative: from the end), step; 0 without. */
  readonly firstKey: number;
  readonly lastKey: number;
  readonly keyStep: number;
  /** Do the three words above say all about the keys? */
  readonly hasPlainKeys: boolean;
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
    this.isQuick =
      fields.spec.shape === Shape.Key && (fields.isFast || fields.spec.cost === 'O(1)');
    this.isWrite = fields.isWrite;
    this.subjectTo = fields.subjectTo;
    this.firstKey = fields.firstKey;
    this.lastKey = fields.lastKey;
    this.keyStep = fields.keyStep;
    this.hasPlainKeys = fields.hasPlainKeys;
    this.wrongArity = fields.wrongArity;
    this.categories = fields.categories;
    this.parent = fields.parent;
    this.run = fields.spec.run;
  }

  accepts(wordCount: number): boolean {
    return this.arity >= 0 ? wordCount === this.arity : wordCount >= -this.arity;
  }
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
