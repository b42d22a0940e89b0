// Libraries of functions as a thread has them: compiled copies of what the store holds, and the
// commands about them. Whoever changes the libraries, or calls a function, holds the locks of all
// partitions: so every thread finds the change before its next call.

import { equalBytes } from '../base/bytes.js';
import { matchesGlob } from '../base/glob.js';
import type { Slices } from '../base/slices.js';
import { checkFooter, writeFooter } from '../rdb/dump.js';
import { Opcode } from '../rdb/rdb-type.js';
import type { ByteSink } from '../rdb/sink.js';
import { ByteSource } from '../rdb/source.js';
import { RdbText, writeText } from '../rdb/strings.js';
import { Refusal } from '../resp/errors.js';
import { readLibraryHead } from '../scripting/function-head.js';
import { FunctionMachine, type RegisteredFunction } from '../scripting/function-machine.js';
import type { FunctionStore } from '../scripting/function-store.js';
import type { ScriptHost } from '../scripting/redis-api.js';
import { isBroken, type Runnable, type ScriptMachine } from '../scripting/script-machine.js';
import { REDIS_VERSION } from './server-door.js';

const NO_MEMORY = new Refusal('OOM command not allowed: no memory for more functions.');
const NO_LIBRARY = new Refusal('ERR Library not found');
const EARLY_FORM = new Refusal('ERR Pre-GA function format not supported');
const OTHER_TYPE = new Refusal('ERR given type is not a function');
const NO_PAYLOAD = new Refusal('ERR Failed loading library payload');
const BROKEN_LOAD = 'Error registering functions: ERR out of memory or stack';

/** The oldest version of RDB files that has libraries: Redis 7.0's. */
const DUMP_VERSION = 10;
/** Never a version of the store. */
const UNKNOWN_VERSION = -1;
/** How long a library may take to register its functions. */
const LOAD_MS_MAX = 500;

export class LibraryFunction implements Runnable {
  readonly readsKeys = true;
  readonly leavesKeys = false;
  readonly readsArguments = true;

  constructor(
    readonly name: string,
    readonly description: string | null,
    /** ScriptFlag bits. */
    readonly flags: number,
    readonly reference: number,
  ) {}
}

export interface Library {
  readonly name: string;
  readonly code: Uint8Array;
  readonly functions: readonly LibraryFunction[];
}

export type RestorePolicy = 'flush' | 'append' | 'replace';

export class Functions {
  private readonly host: ScriptHost;
  readonly store: FunctionStore;
  private readonly monotonicMs: () => number;
  private readonly warn: (line: string) => void;
  private machine: FunctionMachine | null = null;
  private version = UNKNOWN_VERSION;
  /** In the order in which they came. */
  private libraries: Library[] = [];
  /** By their names in lower case. */
  private readonly byName = new Map<string, LibraryFunction>();

  constructor(fields: {
    host: ScriptHost;
    store: FunctionStore;
    monotonicMs: () => number;
    warn: (line: string) => void;
  }) {
    this.host = fields.host;
    this.store = fields.store;
    this.monotonicMs = fields.monotonicMs;
    this.warn = fields.warn;
  }

  /** All libraries. */
  get all(): readonly Library[] {
    this.catchUp();
    return this.libraries;
  }

  get libraryCount(): number {
    return this.all.length;
  }

  get functionCount(): number {
    return this.all.reduce((count, { functions }) => count + functions.length, 0);
  }

  /** The function that word `index` names, in any case; null if there is none. */
  find(args: Slices, index: number): LibraryFunction | null {
    this.catchUp();
    return this.byName.get(args.text(index).toLowerCase()) ?? null;
  }

  /** What functions run in; there is one as soon as one was found. */
  get scriptMachine(): ScriptMachine {
    return this.machineOf().machine;
  }

  /** Bytes of the values of this thread's Lua for functions. */
  get machineBytes(): number {
    return this.machine?.machine.lua.usedBytes() ?? 0;
  }

  /** The machine is of no use any more: the next call makes another one. */
  replaceMachine(): void {
    this.machine = null;
    this.libraries = [];
    this.byName.clear();
    this.version = UNKNOWN_VERSION;
  }

  /** Compiles what has come since, and forgets what has gone. */
  private catchUp(): void {
    const { version } = this.store;
    if (version === this.version) return;
    const before = this.libraries;
    const now = this.store.read().map((code) => {
      const known = before.find((library) => isSame(library.code, code));
      return known ?? this.compileAgain(code);
    });
    this.use(now.filter((library) => library !== null));
    this.version = version;
  }

  /** What another thread, or this one before, has compiled without a complaint. */
  private compileAgain(code: Uint8Array): Library | null {
    try {
      return this.compile(code, 0);
    } catch (thrown) {
      if (!(thrown instanceof Refusal)) throw thrown;
      this.warn(`A library of functions cannot be loaded: ${thrown.line}`);
      return null;
    }
  }

  private use(libraries: Library[]): void {
    const { byName } = this;
    for (const library of this.libraries) {
      if (!libraries.includes(library)) this.forget(library);
    }
    this.libraries = libraries;
    byName.clear();
    for (const { functions } of libraries) {
      for (const one of functions) byName.set(one.name.toLowerCase(), one);
    }
  }

  private forget({ functions }: Library): void {
    for (const { reference } of functions) this.machine?.forget(reference);
  }

  private machineOf(): FunctionMachine {
    this.machine ??= new FunctionMachine(this.host, REDIS_VERSION);
    return this.machine;
  }

  // ---- changes: under the locks of all partitions -----------------------------------------------

  /** Loads a library, and gives its name. `msMax`: how long it may take; 0 for no limit. */
  load(code: Uint8Array, isReplacing: boolean, hasLimit: boolean): string {
    const before = this.all;
    const head = headOf(code);
    const old = before.find(({ name }) => name === head.name);
    if (old !== undefined && !isReplacing) {
      throw new Refusal(`ERR Library '${head.name}' already exists`);
    }
    const library = this.compile(code, hasLimit ? LOAD_MS_MAX : 0);
    // A machine that broke took the others with it.
    const others = this.all.filter(({ name }) => name !== head.name);
    this.change([...others, library], [library]);
    return library.name;
  }

  /** Removes the library that word `index` names. */
  remove(args: Slices, index: number): void {
    const name = args.text(index);
    const libraries = this.all.filter((library) => library.name !== name);
    if (libraries.length === this.libraries.length) throw NO_LIBRARY;
    this.change(libraries, []);
  }

  flush(): void {
    this.catchUp();
    this.change([], []);
  }

  /** FUNCTION RESTORE of the payload u8[start, start + length). */
  restore(u8: Uint8Array, start: number, length: number, policy: RestorePolicy): void {
    const codes = codesIn(u8, start, length);
    const added: Library[] = [];
    try {
      for (const code of codes) {
        const head = headOf(code);
        if (added.some(({ name }) => name === head.name)) {
          throw new Refusal(`ERR Library '${head.name}' already exists`);
        }
        added.push(this.compile(code, 0));
        checkCollisions(added.slice(0, -1), added.slice(-1));
      }
      const before = policy === 'flush' ? [] : this.all;
      const replaced = before.filter(({ name }) => added.some((library) => library.name === name));
      if (policy !== 'replace' && replaced.length > 0) {
        throw new Refusal(`ERR Library ${replaced[0]!.name} already exists`);
      }
      this.change([...before.filter((library) => !replaced.includes(library)), ...added], added);
    } catch (thrown) {
      for (const library of added) this.forget(library);
      throw thrown;
    }
  }

  /** Makes `libraries`, of which `added` are new, those of all threads, or refuses. */
  private change(libraries: Library[], added: readonly Library[]): void {
    try {
      const kept = libraries.filter((library) => !added.includes(library));
      checkCollisions(kept, added);
      if (!this.store.write(libraries.map(({ code }) => code))) throw NO_MEMORY;
    } catch (thrown) {
      for (const library of added) this.forget(library);
      throw thrown;
    }
    this.use(libraries);
    this.version = this.store.version;
  }

  private compile(code: Uint8Array, msMax: number): Library {
    const head = headOf(code);
    const untilMs = this.monotonicMs() + msMax;
    const isOverdue = () => msMax > 0 && this.monotonicMs() > untilMs;
    let registered: readonly RegisteredFunction[] | string;
    try {
      registered = this.machineOf().load(code.subarray(head.bytes), isOverdue);
    } catch (thrown) {
      if (!isBroken(thrown)) throw thrown;
      this.replaceMachine();
      registered = BROKEN_LOAD;
    }
    if (typeof registered === 'string') throw new Refusal(`ERR ${registered}`);
    const functions = registered.map(
      ({ name, description, flags, reference }) =>
        new LibraryFunction(name, description, flags, reference),
    );
    return { name: head.name, code, functions };
  }

  // ---- questions --------------------------------------------------------------------------------

  /** FUNCTION DUMP, into an empty sink that keeps all of it. */
  dump(sink: ByteSink, compresses: boolean): void {
    for (const { code } of this.all) {
      sink.byte(Opcode.Function);
      writeText(sink, code, 0, code.length, compresses);
    }
    writeFooter(sink, DUMP_VERSION);
  }

  /** The libraries whose names match the pattern at word `index`; 0 for all. */
  matching(args: Slices, index: number): readonly Library[] {
    if (index === 0) return this.all;
    const pattern = args.copy(index);
    return this.all.filter(({ name }) => {
      const bytes = Buffer.from(name, 'latin1');
      return matchesGlob(pattern, 0, pattern.length, bytes, 0, bytes.length, true);
    });
  }
}

function headOf(code: Uint8Array): { readonly name: string; readonly bytes: number } {
  const text = Buffer.from(code.buffer, code.byteOffset, code.length).toString('latin1');
  const head = readLibraryHead(text);
  if (typeof head === 'string') throw new Refusal(`ERR ${head}`);
  return head;
}

function checkCollisions(known: readonly Library[], added: readonly Library[]): void {
  const names = new Set(
    known.flatMap(({ functions }) => functions.map(({ name }) => name.toLowerCase())),
  );
  for (const { functions } of added) {
    const taken = functions.find(({ name }) => names.has(name.toLowerCase()));
    if (taken !== undefined) throw new Refusal(`ERR Function ${taken.name} already exists`);
  }
}

/** The sources in a payload of FUNCTION DUMP. */
function codesIn(u8: Uint8Array, start: number, length: number): Uint8Array[] {
  const source = new ByteSource();
  checkFooter(source, u8, start, length);
  const text = new RdbText();
  const codes: Uint8Array[] = [];
  while (source.at < source.end) {
    const type = source.byte();
    if (type === Opcode.FunctionEarly) throw EARLY_FORM;
    if (type !== Opcode.Function) throw OTHER_TYPE;
    try {
      text.read(source);
    } catch (thrown) {
      throw thrown instanceof Refusal ? NO_PAYLOAD : thrown;
    }
    codes.push(text.u8.slice(text.start, text.start + text.length));
  }
  return codes;
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && equalBytes(a, 0, b, 0, a.length);
}
