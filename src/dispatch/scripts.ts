// Scripts as the server runs them: which one is meant, whether it may run, and the commands that
// it calls. Lua itself is scripting/'s business.
//
// A script runs under the locks that its command has taken: those of its declared keys' partitions
// if the analysis of its source says that it needs no others (narrow), else all (wide). They are
// held to its end; all its commands see one time, their effects are one record, and whoever waits
// for their keys is served afterwards: as in EXEC.
//
// The commands take the same road as those of EXEC, with the caller's session, whose database the
// script may change for itself.

import { equalBytes } from '../base/bytes.js';
import { Slices } from '../base/slices.js';
import type { Keyspace } from '../keyspace/keyspace.js';
import type { Partition } from '../keyspace/partition.js';
import { NOT_INTEGER, OUT_OF_MEMORY, Refusal } from '../resp/errors.js';
import type { Reply } from '../resp/write.js';
import { isNarrow } from '../scripting/analysis.js';
import { FunctionStore } from '../scripting/function-store.js';
import type { ScriptHost } from '../scripting/redis-api.js';
import {
  readSha,
  ScriptRegistry,
  type ScriptsShape,
  SHA_WORDS,
  shaOf,
  shaText,
} from '../scripting/registry.js';
import { isBroken, type Runnable, ScriptMachine, viewedCopy } from '../scripting/script-machine.js';
import { readShebang, ScriptFlag } from '../scripting/shebang.js';
import { type Holder, isHeldBy } from '../slab/lock.js';
import { Header } from '../slab/slab.js';
import { Verdict } from './access.js';
import { readInteger } from './args.js';
import type { Command } from './command.js';
import type { Context } from './context.js';
import { Flag, Shape } from './define.js';
import { Functions } from './functions.js';
import { diskRefusal, Gate } from './gates.js';
import { LastKey } from './last-key.js';
import { keepsToKeys } from './narrow.js';
import type { Queue } from './queue.js';
import { findKeys, KeyPositions, placeKey } from './route.js';
import type { Runner } from './run.js';
import { REDIS_VERSION, ScriptFate } from './server-door.js';

const NO_SCRIPT = new Refusal('NOSCRIPT No matching script. Please use EVAL.');
const TOO_MANY_KEYS = new Refusal("ERR Number of keys can't be greater than number of args");
const NEGATIVE_KEYS = new Refusal("ERR Number of keys can't be negative");
const READ_ONLY_RUN = new Refusal(
  'ERR Can not execute a script with write flag using *_ro command.',
);
const NESTED = new Refusal('ERR A script cannot run another script');
const NO_FUNCTION = new Refusal('ERR Function not found');
const BAD_KEY_COUNT = new Refusal('ERR Bad number of keys provided');
const NO_MEMORY = new Refusal('OOM command not allowed: no memory for another script.');

const NOT_ALLOWED = 'This Redis command is not allowed from script';
const UNKNOWN = 'Unknown Redis command called from script';
const WRONG_COUNT = 'Wrong number of args calling Redis command from script';
const KILLED = 'Script killed by user with SCRIPT KILL...';
const NO_WRITES = 'Write commands are not allowed from read-only scripts.';
/** Only if the analysis were wrong. */
const NOT_HELD = 'Script attempted to access a key that it has not declared';

/** Scripts that one thread keeps compiled. */
const COMPILED_MAX = 4096;
/** Words of EVAL: itself, the script, the number of keys. */
const SCRIPT_AT = 1;
const KEY_COUNT_AT = 2;
const FIRST_KEY = 3;
const CHUNK = '@user_script';

/** A script as this thread has compiled it. */
class Script implements Runnable {
  /** Of another script with the same first word of its SHA-1. */
  next: Script | null = null;
  readonly run: Run;

  constructor(
    readonly sha: Int32Array,
    readonly name: string,
    /** `name` as bytes, and the source. */
    readonly hex: Uint8Array,
    readonly source: Uint8Array,
    readonly flags: number,
    readonly isNarrow: boolean,
    readonly reference: number,
    readonly readsKeys: boolean,
    readonly leavesKeys: boolean,
    readonly readsArguments: boolean,
    machine: ScriptMachine,
  ) {
    this.run = { machine, runnable: this, flags, isReadOnly: false, isEval: true };
  }
}

/** What a compiled function is run as: by EVAL, or by FCALL. */
export interface Run {
  readonly machine: ScriptMachine;
  readonly runnable: Runnable;
  /** ScriptFlag bits. */
  readonly flags: number;
  /** EVAL_RO and its like: it may not write whatever its flags say. */
  readonly isReadOnly: boolean;
  readonly isEval: boolean;
}

/** What FUNCTION STATS tells. */
export interface RunningFunction {
  readonly name: string;
  readonly words: readonly Uint8Array[];
  readonly durationMs: number;
}

export class Scripts implements ScriptHost {
  readonly registry: ScriptRegistry;
  readonly functions: Functions;
  private readonly runner: Runner;
  private readonly self: Holder;
  private machine: ScriptMachine | null = null;
  /** What is compiled, by the first word of its SHA-1. */
  private readonly compiled = new Map<number, Script>();
  private compiledCount = 0;
  private version = 0;
  /** The script that was asked for last. */
  private recent: Script | null = null;
  /** What `isNarrow` has found last, for the run that follows it with the same words. */
  private prepared: Script | null = null;
  private preparedArgs: Slices | null = null;
  private readonly sha = new Int32Array(SHA_WORDS);
  private readonly positions = new KeyPositions();
  /** The key that a script has declared or named last. */
  readonly lastKey = new LastKey();
  /** Where the last command of the script that runs looked for its only key, which was lastKey. */
  private repeated: Partition | null = null;
  /** What runs; null when nothing does. */
  private running: Run | null = null;
  /** The words of the command that runs it. */
  private outerArgs = new Slices();
  private hasWritten = false;
  /** Commands may write that raise memory, whatever `maxmemory` says. */
  private mayUseMemory = false;
  private isWithoutWrites = false;
  private startMs = 0;
  /** As startMs, on the wall clock; 0 until somebody asks. */
  private startUs = 0;
  private isBusy = false;
  private isKillLogged = false;
  /** The server ends: nothing of the script is to be recorded. */
  private isDropped = false;

  constructor(runner: Runner, shape: ScriptsShape, thread: number, self: Holder) {
    this.runner = runner;
    this.self = self;
    this.registry = new ScriptRegistry(shape, thread);
    this.version = this.registry.version;
    this.functions = new Functions({
      host: this,
      store: new FunctionStore(shape.functions),
      monotonicMs: () => runner.clock.monotonicMs(),
      warn: (line) => runner.server.log('warning', line),
    });
  }

  /** Is a command that runs now called by a script? */
  get isRunning(): boolean {
    return this.running !== null;
  }

  // ---- which script ---------------------------------------------------------------------------

  /** Does the command run a script that needs no more locks than those of its keys? */
  isNarrow(command: Command, args: Slices): boolean {
    this.preparedArgs = null;
    // What a function touches was not looked into: the libraries may change until it runs.
    if (command.runsFunction) return false;
    try {
      const script = this.find(args, SCRIPT_AT, command.runsSha);
      this.prepared = script;
      this.preparedArgs = args;
      // One that is not known now may be by the time that it runs.
      return script?.isNarrow ?? false;
    } catch (thrown) {
      if (thrown instanceof Refusal) return false;
      throw thrown;
    }
  }

  /** Does the command run a script that says of itself that it does not write? */
  saysNoWrites(command: Command, args: Slices): boolean {
    return (this.flagsOf(command, args) & ScriptFlag.NoWrites) !== 0;
  }

  /** The command stands in the queue now: what its script says of itself counts for that. */
  queued(queue: Queue, command: Command, args: Slices): void {
    queue.flags |= this.queuedFlags(command, args);
    if (command.runsScript && !this.isNarrow(command, args)) queue.isWide = true;
  }

  private queuedFlags(command: Command, args: Slices): number {
    if (!command.runsScript) return command.flags;
    const flags = this.flagsOf(command, args);
    if ((flags & ScriptFlag.IsPlain) !== 0) return command.flags;
    let queued = command.flags & ~Flag.MayReplicate;
    if ((flags & ScriptFlag.NoWrites) !== 0) return queued;
    queued |= Flag.Write;
    return (flags & ScriptFlag.AllowOom) !== 0 ? queued : queued | Flag.DenyOom;
  }

  /** ScriptFlag bits of what the command runs; those of a plain script where there is none. */
  private flagsOf(command: Command, args: Slices): number {
    if (command.runsFunction) {
      return this.functions.find(args, SCRIPT_AT)?.flags ?? ScriptFlag.IsPlain;
    }
    try {
      return this.find(args, SCRIPT_AT, command.runsSha)?.flags ?? ScriptFlag.IsPlain;
    } catch (thrown) {
      if (thrown instanceof Refusal) return ScriptFlag.IsPlain;
      throw thrown;
    }
  }

  /** EVAL and EVALSHA, under the locks of all that they may touch. */
  run(context: Context, isReadOnly: boolean): void {
    const { args, command } = context;
    if (this.running !== null) throw NESTED;
    const isSha = command.runsSha;
    if (isSha && args.lengthOf(SCRIPT_AT) !== SHA_WORDS * 8) throw NO_SCRIPT;
    const keyCount = readKeyCount(args);
    const { preparedArgs } = this;
    this.preparedArgs = null;
    const script = args === preparedArgs ? this.prepared : this.find(args, SCRIPT_AT, isSha);
    if (script === null) throw NO_SCRIPT;
    const run = isReadOnly ? this.readOnlyRunOf(script) : script.run;
    if ((script.flags & ScriptFlag.IsPlain) === 0) this.checkMayRun(run);
    this.runFunction(context, run, FIRST_KEY, keyCount);
  }

  /** FCALL and FCALL_RO, under all locks. */
  callFunction(context: Context, isReadOnly: boolean): void {
    const { args } = context;
    const called = this.functions.find(args, SCRIPT_AT);
    if (called === null) throw NO_FUNCTION;
    const keyCount = readKeyCount(args, BAD_KEY_COUNT);
    const machine = this.functions.scriptMachine;
    const run: Run = {
      machine,
      runnable: called,
      flags: called.flags,
      isReadOnly,
      isEval: false,
    };
    this.checkMayRun(run);
    this.runFunction(context, run, FIRST_KEY, keyCount);
  }

  /** The function that keeps the server busy, on whichever thread; null if none does. */
  runningFunction(): RunningFunction | null {
    const [name, since, ...words] = this.functions.store.readRunning();
    if (name === undefined) return null;
    const elapsedMs = this.runner.clock.monotonicMs() - Number(textOf(since!));
    return { name: textOf(name), words, durationMs: Math.max(0, Math.round(elapsedMs)) };
  }

  private readOnlyRunOf({ run }: Script): Run {
    return { ...run, isReadOnly: true };
  }

  /** SCRIPT LOAD: compiles and keeps the source at word `index`; its SHA-1. */
  load(args: Slices, index: number): string {
    this.forgetOutdated();
    const script = this.findSource(args, index);
    const length = args.lengthOf(index);
    if (!this.registry.add(script.sha, args.u8, args.startOf(index), length)) throw NO_MEMORY;
    return script.name;
  }

  /** SCRIPT EXISTS. */
  exists(args: Slices, index: number): boolean {
    const { sha } = this;
    if (!readSha(args.u8, args.startOf(index), args.lengthOf(index), sha)) return false;
    return this.registry.has(sha);
  }

  /** The script that word `index` names by its SHA-1, or is; null when it is not known. */
  private find(args: Slices, index: number, isSha: boolean): Script | null {
    this.forgetOutdated();
    if (!isSha) return this.findSource(args, index);
    const start = args.startOf(index);
    const length = args.lengthOf(index);
    const { recent, sha } = this;
    const isRecent =
      recent !== null &&
      length === recent.hex.length &&
      equalBytes(args.u8, start, recent.hex, 0, length);
    if (isRecent) return recent;
    if (!readSha(args.u8, start, length, sha)) return null;
    const known = this.compiledOf(sha);
    if (known !== null) return known;
    const source = this.registry.sourceOf(sha);
    return source === null ? null : this.compile(source, 0, source.length, sha);
  }

  private findSource(args: Slices, index: number): Script {
    const { recent, sha } = this;
    const start = args.startOf(index);
    const length = args.lengthOf(index);
    const isRecent =
      recent !== null &&
      length === recent.source.length &&
      equalBytes(args.u8, start, recent.source, 0, length);
    if (isRecent) return recent;
    shaOf(args.u8, start, length, sha);
    const known = this.compiledOf(sha);
    if (known !== null) return known;
    const script = this.compile(args.u8, start, length, sha);
    // Without memory in the registry it is known to this thread alone, as long as that lasts.
    this.registry.add(sha, args.u8, start, length);
    return script;
  }

  private compiledOf(sha: Int32Array): Script | null {
    let script = this.compiled.get(sha[0]!) ?? null;
    while (script !== null && !isSameSha(script.sha, sha)) script = script.next;
    if (script !== null) this.recent = script;
    return script;
  }

  private compile(u8: Uint8Array, start: number, length: number, sha: Int32Array): Script {
    const source = viewedCopy(u8, start, length);
    const text = Buffer.from(source.buffer, 0, length).toString('latin1');
    const shebang = readShebang(text);
    if (typeof shebang === 'string') throw new Refusal(`ERR ${shebang}`);
    if (this.compiledCount >= COMPILED_MAX) this.forgetAll();
    const machine = this.machineOf();
    const reference = machine.compile(source.subarray(shebang.bytes), CHUNK);
    if (typeof reference === 'string') {
      throw new Refusal(`ERR Error compiling script (new function): ${reference}`);
    }
    const { table } = this.runner;
    const narrow = isNarrow(text.slice(shebang.bytes), (words, tail) =>
      keepsToKeys(table, words, tail),
    );
    const name = shaText(sha);
    const script = new Script(
      sha.slice(),
      name,
      viewedCopy(Buffer.from(name, 'latin1'), 0, name.length),
      source,
      shebang.flags,
      narrow,
      reference,
      // A narrow script names what it reads; any other may find it in _G.
      !narrow || text.includes('KEYS'),
      narrow,
      !narrow || text.includes('ARGV'),
      machine,
    );
    script.next = this.compiled.get(sha[0]!) ?? null;
    this.compiled.set(sha[0]!, script);
    this.compiledCount++;
    this.recent = script;
    return script;
  }

  private machineOf(): ScriptMachine {
    this.machine ??= new ScriptMachine({ host: this, version: REDIS_VERSION, isEval: true });
    return this.machine;
  }

  private forgetOutdated(): void {
    const { version } = this.registry;
    if (version === this.version) return;
    this.version = version;
    this.forgetAll();
    if (this.running === null) this.machine?.collect();
  }

  /** Gives all compiled scripts back; those that are still known are compiled again when asked. */
  private forgetAll(): void {
    const { machine } = this;
    for (let script of this.compiled.values()) {
      for (;;) {
        machine?.forget(script.reference);
        if (script.next === null) break;
        script = script.next;
      }
    }
    this.compiled.clear();
    this.compiledCount = 0;
    this.recent = null;
  }

  /** Bytes of the values of this thread's Lua. */
  get machineBytes(): number {
    this.forgetOutdated();
    return this.machine?.lua.usedBytes() ?? 0;
  }

  /** What time it is for the script that runs, in microseconds since 1970: it stands still. */
  get timeUs(): number {
    if (this.startUs === 0) this.startUs = this.runner.server.nowUs();
    return this.startUs;
  }

  // ---- running --------------------------------------------------------------------------------

  /** Refuses what may not run now, by what it says of itself. */
  checkMayRun({ flags, isReadOnly }: Run): void {
    if ((flags & (ScriptFlag.IsPlain | ScriptFlag.NoWrites)) === 0) {
      if (isReadOnly) throw READ_ONLY_RUN;
    }
    const mayUseMemory = ScriptFlag.IsPlain | ScriptFlag.NoWrites | ScriptFlag.AllowOom;
    if ((flags & mayUseMemory) === 0 && this.isOutOfMemory) throw OUT_OF_MEMORY;
    if ((flags & (ScriptFlag.IsPlain | ScriptFlag.NoWrites)) === 0) {
      const refusal = diskRefusal(this.runner.raised);
      if (refusal !== null) throw refusal;
    }
  }

  private get isOutOfMemory(): boolean {
    return (this.runner.raised & Gate.OutOfMemory) !== 0;
  }

  /**
   * Runs a compiled function with the keys args[firstKey, firstKey + keyCount) and all words behind
   * them as its arguments. The locks of all that it may touch are held.
   */
  runFunction(context: Context, run: Run, firstKey: number, keyCount: number): void {
    const { runner } = this;
    const { session, args, reply, command, effects, partition } = context;
    const { database, isDenyBlocking } = session;
    const mark = reply.at;
    const outer = runner.beginScript();
    this.running = run;
    this.hasWritten = false;
    this.isWithoutWrites = run.isReadOnly || (run.flags & ScriptFlag.NoWrites) !== 0;
    this.mayUseMemory = (run.flags & ScriptFlag.AllowOom) !== 0 || !this.isOutOfMemory;
    this.startMs = runner.lastReadMs;
    this.outerArgs = args;
    this.startUs = 0;
    this.isDropped = false;
    session.isDenyBlocking = true;
    let failure: { line: string; isCounted: boolean } | null = null;
    try {
      failure = run.machine.run(run.runnable, args, firstKey, keyCount, reply);
    } catch (thrown) {
      if (!isBroken(thrown)) throw thrown;
      failure = {
        line: `ERR Error running script ${run.runnable.name}, ${thrown.message}`,
        isCounted: false,
      };
      if (reply.at >= mark) reply.at = mark;
      reply.error(failure.line);
      this.replaceMachine(run.machine);
    }
    session.isDenyBlocking = isDenyBlocking;
    session.database = database;
    this.running = null;
    this.forgetRepeated();
    context.args = args;
    context.reply = reply;
    context.command = command;
    context.partition = partition;
    effects.setMuted(false);
    if (this.isDropped) effects.dropTransaction();
    runner.endScript(outer, args);
    if (this.isBusy) this.endBusy(run.isEval);
    if (failure !== null) {
      runner.server.commandStats.failed(command.id);
      if (!failure.isCounted) runner.server.stats.errorReplied(codeOf(failure.line));
    }
    if (run.machine.isBloated) this.replaceMachine(run.machine);
  }

  /** Its memory is torn, or much larger than it needs. */
  private replaceMachine(machine: ScriptMachine): void {
    if (machine !== this.machine) {
      this.functions.replaceMachine();
      return;
    }
    this.machine = null;
    this.compiled.clear();
    this.compiledCount = 0;
    this.recent = null;
  }

  // ---- what the script asks for ---------------------------------------------------------------

  call(args: Slices, reply: Reply): string | null {
    const { runner } = this;
    const { server, table } = runner;
    let found = table.find(args, 0);
    if (found !== null && found.subcommands.length !== 0 && args.count > 1) {
      found = table.findSub(found, args, 1);
    }
    if (found === null || !found.accepts(args.count)) {
      server.stats.errorReplied('ERR');
      if (found === null) return UNKNOWN;
      server.commandStats.rejected(found.id);
      return WRONG_COUNT;
    }
    const refusal = this.refusalOf(found, args);
    if (refusal !== null) return this.rejected(found, refusal);
    if (found.isWrite && !this.hasWritten) {
      this.hasWritten = true;
      if (this.isBusy && !server.scriptMayWrite()) return KILLED;
    }
    const command = runner.attendance.commands[found.id]!;
    if (!this.place(command, args)) return this.rejected(found, NOT_HELD);
    runner.runInScript(command, args, reply);
    return null;
  }

  private rejected(command: Command, line: string): string {
    const { server } = this.runner;
    server.stats.errorReplied(line.startsWith('-') ? codeOf(line.slice(1)) : 'ERR');
    server.commandStats.rejected(command.id);
    return line;
  }

  /** Why the command may not be called by the script that runs; null if it may. */
  private refusalOf(command: Command, args: Slices): string | null {
    const { flags, isWrite } = command;
    const { session } = this.runner.context;
    const isFree = (flags & Flag.NoScript) === 0 || this.runner.server.areScriptsFree();
    if (!isFree) return NOT_ALLOWED;
    if ((session.raised & Gate.Restricted) !== 0) {
      const denial = this.runner.server.access.scriptRefusalOf(session, command, args);
      if (denial !== null) return denial;
    }
    if (this.isWithoutWrites && (flags & (Flag.Write | Flag.MayReplicate)) !== 0) return NO_WRITES;
    // What has begun to write is not stopped half-way.
    if (this.hasWritten || !isWrite) return null;
    const refusal = diskRefusal(this.runner.raised);
    if (refusal !== null) return `-${refusal.line}`;
    if (!this.mayUseMemory && (flags & Flag.DenyOom) !== 0) return `-${OUT_OF_MEMORY.line}`;
    return null;
  }

  /** Places the keys of the command and selects the database; false if a lock is not held. */
  private place(command: Command, args: Slices): boolean {
    const { runner } = this;
    const { context, keyspace } = runner;
    const { database } = context.session;
    const { partitions } = keyspace;
    if (command.shape === Shape.Key) {
      const partition = this.placeOne(keyspace, args, command.firstKey);
      if (!this.holds(partition)) return false;
      partition.select(database);
      context.partition = partition;
      return true;
    }
    this.forgetRepeated();
    if (command.shape === Shape.Session && !command.visits) return true;
    if (command.shape === Shape.Every || command.visits) return this.selectAll(database);
    const { positions } = this;
    // Where keys cannot be found the handler refuses before it looks for any.
    if (!findKeys(command, args, positions)) return true;
    if (positions.isEvery && !this.selectAll(database)) return false;
    for (let at = positions.count - 1; at >= 0; at--) {
      const partition = partitions[placeKey(keyspace, args, positions.words[at]!)]!;
      if (!this.holds(partition)) return false;
      partition.select(database);
      context.partition = partition;
    }
    return true;
  }

  /** Places the only key of a command; if the command before had the same, its entry is known. */
  private placeOne(keyspace: Keyspace, args: Slices, word: number): Partition {
    const { lastKey, repeated } = this;
    let index = lastKey.place(args, word);
    const isLast = index !== -1;
    if (!isLast) {
      index = placeKey(keyspace, args, word);
      lastKey.set(args, word);
    }
    const partition = keyspace.partitions[index]!;
    if (!isLast || partition !== repeated) {
      repeated?.repeat(null);
      this.repeated = partition;
      partition.forget();
    }
    partition.repeat(args);
    return partition;
  }

  private forgetRepeated(): void {
    this.repeated?.repeat(null);
    this.repeated = null;
  }

  private selectAll(database: number): boolean {
    const { context, keyspace } = this.runner;
    for (const partition of keyspace.partitions) {
      if (!this.holds(partition)) return false;
      partition.select(database);
    }
    context.partition = keyspace.partitions[0]!;
    return true;
  }

  private holds(partition: Partition): boolean {
    return isHeldBy(partition.slab.i32, Header.Lock, this.self);
  }

  mayCall(args: Slices): boolean | null {
    const { table, server, context } = this.runner;
    const { session } = context;
    let command = table.find(args, 0);
    if (command !== null && command.subcommands.length !== 0 && args.count !== 1) {
      command = table.findSub(command, args, 1);
    }
    if (command === null) return null;
    if ((session.raised & Gate.Restricted) === 0) return true;
    return server.access.check(session.rights!, command, args) === Verdict.Allowed;
  }

  setReplication(toLog: boolean, _toReplicas: boolean): void {
    this.runner.effects.setMuted(!toLog);
  }

  logLevel(): number {
    return LOG_LEVELS.indexOf(this.runner.server.config.text('loglevel') as LogLevel);
  }

  log(level: number, text: string): void {
    this.runner.server.log(LOG_LEVELS[level]!, text);
  }

  tick(): boolean {
    const { runner } = this;
    const { server, clock, busyAfterMs } = runner;
    if (!this.isBusy) {
      const elapsedMs = clock.monotonicMs() - this.startMs;
      if (busyAfterMs === 0 || elapsedMs < busyAfterMs) return false;
      this.becomeBusy(elapsedMs);
    }
    runner.keepWhile(() => server.serveBusy());
    const fate = server.scriptFate();
    if (fate === ScriptFate.ServerEnds) this.isDropped = true;
    if (fate === ScriptFate.Killed && !this.isKillLogged) {
      this.isKillLogged = true;
      server.log('notice', 'Lua script killed by user with SCRIPT KILL.');
    }
    return fate !== ScriptFate.GoesOn;
  }

  private becomeBusy(elapsedMs: number): void {
    const { server } = this.runner;
    const { isEval, runnable } = this.running!;
    this.isBusy = true;
    const command = isEval ? 'SCRIPT KILL' : 'FUNCTION KILL';
    server.log(
      'warning',
      `Slow script detected: still in execution after ${Math.round(elapsedMs)} milliseconds. You ` +
        `can try killing the script using the ${command} command. ` +
        `Script name is: ${runnable.name}.`,
    );
    if (!isEval) this.sayRunning(runnable.name);
    server.scriptIsBusy(isEval, this.hasWritten);
  }

  /** For FUNCTION STATS, whose answer another thread may have to give. */
  private sayRunning(name: string): void {
    const { outerArgs } = this;
    const facts = [name, String(this.startMs)].map((text) => Buffer.from(text, 'latin1'));
    const words = Array.from({ length: outerArgs.count }, (_, index) => outerArgs.copy(index));
    this.functions.store.writeRunning([...facts, ...words]);
  }

  private endBusy(isEval: boolean): void {
    // A script of EVAL without keys holds no lock: beside it a function may keep the server busy.
    if (!isEval) this.functions.store.writeRunning([]);
    this.isBusy = false;
    this.isKillLogged = false;
    this.runner.server.scriptEnded();
  }
}

const LOG_LEVELS = ['debug', 'verbose', 'notice', 'warning'] as const;
type LogLevel = (typeof LOG_LEVELS)[number];

/** The number of keys of EVAL and its like. */
export function readKeyCount(args: Slices, refusal: Refusal = NOT_INTEGER): number {
  const count = readInteger(args, KEY_COUNT_AT, refusal);
  if (count > args.count - FIRST_KEY) throw TOO_MANY_KEYS;
  if (count < 0) throw NEGATIVE_KEYS;
  return count;
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1');
}

function isSameSha(a: Int32Array, b: Int32Array): boolean {
  for (let word = 0; word < SHA_WORDS; word++) if (a[word] !== b[word]) return false;
  return true;
}

function codeOf(line: string): string {
  const space = line.indexOf(' ');
  return space === -1 ? line : line.slice(0, space);
}
