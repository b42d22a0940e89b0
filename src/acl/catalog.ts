// The commands as rules of users name them: `get`, `config|get`, `@read`. Made once per thread from
// the command table, under the names that commands have from the start: renaming changes nothing.

/** A command, as far as rules know it: the table has them (dispatch/command.ts). */
export interface RuledCommand {
  readonly id: number;
  /** `get`, or `config|get`. */
  readonly fullName: string;
  /** With their @. */
  readonly categories: readonly string[];
  readonly subcommands: readonly RuledCommand[];
  readonly parent: RuledCommand | null;
}

/** All categories, in the order in which ACL CAT lists them. */
export const CATEGORIES: readonly string[] = [
  'keyspace',
  'read',
  'write',
  'set',
  'sortedset',
  'list',
  'hash',
  'string',
  'bitmap',
  'hyperloglog',
  'geo',
  'stream',
  'array',
  'pubsub',
  'admin',
  'fast',
  'slow',
  'blocking',
  'dangerous',
  'connection',
  'transaction',
  'scripting',
];

export class Catalog {
  readonly commands: readonly RuledCommand[];
  /** Words of a bitmap with a bit for each command. */
  readonly bitmapWords: number;
  private readonly byName = new Map<string, RuledCommand>();
  private readonly byCategory = new Map<string, RuledCommand[]>();

  constructor(commands: readonly RuledCommand[]) {
    this.commands = commands;
    this.bitmapWords = (commands.length + 31) >>> 5;
    for (const category of CATEGORIES) this.byCategory.set(category, []);
    for (const command of commands) {
      this.byName.set(command.fullName, command);
      for (const category of command.categories) {
        this.byCategory.get(category.slice(1))?.push(command);
      }
    }
  }

  /** The command of that full name, in any case; null when there is none. */
  find(name: string): RuledCommand | null {
    return this.byName.get(name.toLowerCase()) ?? null;
  }

  /** The commands of a category without its @, in any case; null when there is no such category. */
  inCategory(name: string): readonly RuledCommand[] | null {
    return this.byCategory.get(name.toLowerCase()) ?? null;
  }
}
