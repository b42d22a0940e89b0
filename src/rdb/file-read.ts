// Whole RDB files, read key by key: those of Redis from version 1 on and of Valkey, which counts
// from 80 on since its own version 9. The picture of a file is in file-write.ts. Nothing of a file
// is believed; what is wrong with it is said with the place and, if there is one, the key.

import { Refusal } from '../resp/errors.js';
import type { FileSource } from './file-source.js';
import { readLength, readWide } from './length.js';
import { Opcode, RDB_VERSION_MAX, RdbType } from './rdb-type.js';
import { EMPTY_VALUE } from './source.js';
import { RdbText } from './strings.js';

const REDIS = 'REDIS';
const VALKEY = 'VALKEY';
const HEAD_BYTES = 9;
/** Valkey's own versions; what lies between Redis's and these is of neither. */
const VALKEY_VERSION_MIN = 80;
const VALKEY_VERSION_MAX = 80;
/** From here on a checksum stands at the end. */
const CHECKSUM_VERSION = 5;
/** So much of a key is shown in messages. */
const SHOWN_BYTES = 128;
const MODULE_TYPE = 6;
const MODULE_TYPE_2 = 7;

/** Parts of what a module has written. */
const enum ModulePart {
  End = 0,
  SignedInteger = 1,
  UnsignedInteger = 2,
  Float = 3,
  Double = 4,
  Text = 5,
}

/** What is wrong with a file, in words for whoever runs the server. */
export class RdbFileError extends Error {
  override readonly name = 'RdbFileError';
  /** Where in the file. */
  readonly offset: number;

  constructor(offset: number, sentence: string) {
    super(`RDB file, byte ${offset}: ${sentence}`);
    this.offset = offset;
  }
}

/** What next() has come to. */
export const enum Found {
  /** A key, whose value of `type` stands next in the source. */
  Key = 0,
  /** A fact: `name` and `text`. */
  Fact = 1,
  /** The code of a library of functions: `text`. */
  Functions = 2,
  /** `database` has about `keys` keys. */
  Database = 3,
  /** Data of a module, passed over: `name`. */
  ModuleData = 4,
  End = 5,
}

export class RdbFileReader {
  readonly source: FileSource;
  /** Of the format, and whether it is Valkey's own. */
  version = 0;
  isValkey = false;
  database = 0;
  /** Keys that the database has, and how many of them have an expiry, as far as the file says. */
  keys = 0;
  volatileKeys = 0;
  // Of the key that was found:
  /** Another may be put here before next(), to keep the one that was found. */
  key = new RdbText();
  type: RdbType = RdbType.String;
  hasExpiry = false;
  expiryLow = 0;
  expiryHigh = 0;
  /** -1 where the file does not say. */
  idleSeconds = -1;
  frequency = -1;
  /** Of a fact, of functions, of a module. */
  name = '';
  text = '';
  private readonly verifies: boolean;
  private readonly scratch = new RdbText();

  /** Unless `verifies`, the checksum at the end is not looked at. */
  constructor(source: FileSource, verifies: boolean) {
    this.source = source;
    this.verifies = verifies;
  }

  /** Reads magic and version. */
  open(): void {
    const { source } = this;
    source.checksums = true;
    const start = this.guard(() => source.take(HEAD_BYTES), 'it is too short for an RDB file');
    const head = Buffer.from(source.u8.subarray(start, source.at)).toString('latin1');
    const digits = head.startsWith(VALKEY) ? head.slice(VALKEY.length) : head.slice(REDIS.length);
    this.isValkey = head.startsWith(VALKEY);
    if ((!this.isValkey && !head.startsWith(REDIS)) || !/^\d+$/.test(digits)) {
      throw new RdbFileError(0, 'it does not begin as an RDB file does');
    }
    this.version = Number(digits);
    const isKnown = this.isValkey
      ? this.version >= VALKEY_VERSION_MIN && this.version <= VALKEY_VERSION_MAX
      : this.version >= 1 && this.version <= RDB_VERSION_MAX;
    if (!isKnown) {
      const whose = this.isValkey ? 'Valkey' : 'Redis';
      throw new RdbFileError(0, `${whose}'s RDB version ${this.version} is not known`);
    }
    source.checksums = this.verifies && this.version >= CHECKSUM_VERSION;
  }

  private guard(read: () => number, sentence: string): number {
    try {
      return read();
    } catch (thrown) {
      if (!(thrown instanceof Refusal)) throw thrown;
      throw new RdbFileError(this.source.position, sentence);
    }
  }

  /** To what comes next. A key's value must have been read before this is called again. */
  next(): Found {
    try {
      return this.find();
    } catch (thrown) {
      if (!(thrown instanceof Refusal)) throw thrown;
      throw new RdbFileError(this.source.position, 'it ends too early, or is broken');
    }
  }

  private find(): Found {
    const { source } = this;
    this.hasExpiry = false;
    this.idleSeconds = -1;
    this.frequency = -1;
    for (;;) {
      const code = source.byte();
      if (code < Opcode.SlotInfo) {
        this.readKey(code);
        return Found.Key;
      }
      switch (code as Opcode) {
        case Opcode.ExpiryMs:
          source.wideLittle();
          this.setExpiry(source.low, source.high);
          break;
        case Opcode.ExpirySeconds:
          this.setExpirySeconds(source.little(4) | 0);
          break;
        case Opcode.Idle:
          readWide(source);
          this.idleSeconds = source.high === 0 && source.low >= 0 ? source.low : 2 ** 31 - 1;
          break;
        case Opcode.Frequency:
          this.frequency = source.byte();
          break;
        case Opcode.SlotInfo:
          for (let count = 3; count > 0; count--) readWide(source);
          break;
        default: {
          const found = this.findElse(code);
          if (found !== null) return found;
        }
      }
    }
  }

  /** Everything that is neither a key nor said of one. Null: nothing that anybody asks for. */
  private findElse(code: Opcode): Found | null {
    const { source } = this;
    switch (code) {
      case Opcode.SelectDatabase:
        this.database = readLength(source);
        this.keys = 0;
        this.volatileKeys = 0;
        return Found.Database;
      case Opcode.ResizeDatabase:
        this.keys = readLength(source);
        this.volatileKeys = readLength(source);
        return Found.Database;
      case Opcode.Aux:
        this.name = this.readText();
        this.text = this.readText();
        return Found.Fact;
      case Opcode.Function:
        this.text = this.readText();
        return Found.Functions;
      case Opcode.FunctionEarly:
        throw this.broken('it has functions in the form of a release candidate of Redis 7.0');
      case Opcode.ModuleAux:
        this.skipModuleData();
        return Found.ModuleData;
      default:
        this.readEnd();
        return Found.End;
    }
  }

  private setExpiry(low: number, high: number): void {
    this.hasExpiry = true;
    this.expiryLow = low;
    this.expiryHigh = high;
  }

  private setExpirySeconds(seconds: number): void {
    const ms = seconds * 1000;
    this.setExpiry(ms | 0, Math.floor(ms / 2 ** 32));
  }

  private readKey(type: number): void {
    const { source } = this;
    if (!isType(type)) throw this.broken(`a key has the type or code ${type}, which is not known`);
    this.type = type;
    this.key.read(source);
    if (type === MODULE_TYPE || type === MODULE_TYPE_2) {
      const name = type === MODULE_TYPE_2 ? this.readModuleName() : 'unknown';
      throw this.broken(`${this.keyName()} holds a value of the module '${name}', not supported`);
    }
    // The number means another form there, and greater ones mean nothing.
    if (!this.isValkey || type < RdbType.HashTimedEarly) return;
    if (type !== RdbType.HashTimedEarly) throw this.broken(`type ${type} is none of Valkey's`);
    this.type = RdbType.HashTimedValkey;
  }

  /** A fact, or code: latin1, one character a byte. */
  private readText(): string {
    const { scratch } = this;
    scratch.read(this.source);
    const { u8, start, length } = scratch;
    const text = Buffer.from(u8.buffer, u8.byteOffset + start, length).toString('latin1');
    scratch.release();
    return text;
  }

  /** Six bits each of nine characters, then ten of a version. */
  private readModuleName(): string {
    const { source } = this;
    readWide(source);
    const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    let bits = ((BigInt(source.high >>> 0) << 32n) | BigInt(source.low >>> 0)) >> 10n;
    let name = '';
    for (; name.length < HEAD_BYTES; bits >>= 6n) name = letters[Number(bits & 63n)]! + name;
    return name;
  }

  private skipModuleData(): void {
    const { source } = this;
    this.name = this.readModuleName();
    // When it belongs, which is written as any other part.
    for (;;) {
      const part = readLength(source) as ModulePart;
      if (part === ModulePart.End) return;
      if (part === ModulePart.SignedInteger || part === ModulePart.UnsignedInteger) {
        readWide(source);
      } else if (part === ModulePart.Float) source.take(4);
      else if (part === ModulePart.Double) source.take(8);
      else if (part === ModulePart.Text) this.readText();
      else throw this.broken(`the data of the module '${this.name}' are broken`);
    }
  }

  private readEnd(): void {
    const { source, version } = this;
    if (version < CHECKSUM_VERSION) return;
    const { lo, hi } = source.checksum();
    source.checksums = false;
    source.wideLittle();
    const low = source.low >>> 0;
    const high = source.high >>> 0;
    if (!this.verifies || (low | high) === 0 || (low === lo && high === hi)) return;
    throw this.broken(
      'CRC error: its checksum is another than that of its bytes, the file was damaged',
    );
  }

  /** What is wrong, at the place that was read last. */
  broken(sentence: string, position = this.source.position): RdbFileError {
    return new RdbFileError(position, sentence);
  }

  /** The key that was found, as messages show it. */
  keyName(): string {
    const { u8, start, length } = this.key;
    const shown = Buffer.from(u8.slice(start, start + Math.min(length, SHOWN_BYTES)));
    const more = length > SHOWN_BYTES ? `… (${length} bytes)` : '';
    return `key ${JSON.stringify(shown.toString('latin1'))}${more} of database ${this.database}`;
  }

  /** What a refused value is told as; other errors are what they are. */
  refused(thrown: unknown, position = this.source.position): unknown {
    if (!(thrown instanceof Refusal)) return thrown;
    const reason = thrown.line.replace(/^ERR /, '');
    return this.broken(`${this.keyName()}: ${reason}`, position);
  }
}

/** Was the value one of nothing? Files have had such keys, and they are passed over. */
export function isEmptyValue(thrown: unknown): boolean {
  return thrown === EMPTY_VALUE;
}

function isType(type: number): boolean {
  if (type > RdbType.HashListpackTimed) {
    return type === RdbType.Array || type === RdbType.StreamProducers;
  }
  return type !== 8;
}
