// The model of a keyspace of strings: a Map for each database, and commands as one line each. It
// answers in RESP2, or with undefined where it does not know the command.

const INT_MIN = -(2n ** 63n);
const INT_MAX = 2n ** 63n - 1n;
const NOT_INTEGER = '-ERR value is not an integer or out of range\r\n';
const NO_SUCH_KEY = '-ERR no such key\r\n';
const OVERFLOW = '-ERR increment or decrement would overflow\r\n';
const OK = '+OK\r\n';
const NIL = '$-1\r\n';

interface Value {
  text: string;
  /** Milliseconds since 1970, or null. */
  until: number | null;
}

export class KeyspaceModel {
  nowMs = 0;
  database = 0;
  readonly databases: Map<string, Value>[];

  constructor(databases: number) {
    this.databases = Array.from({ length: databases }, () => new Map());
  }

  get keys(): Map<string, Value> {
    return this.databases[this.database]!;
  }

  /** Removes what has expired. */
  expire(): void {
    for (const keys of this.databases) {
      for (const [key, { until }] of keys) {
        if (until !== null && until <= this.nowMs) keys.delete(key);
      }
    }
  }

  run(words: readonly string[]): string | undefined {
    this.expire();
    const [name, ...args] = words;
    return this.commands[name!]?.(args);
  }

  private readonly commands: Record<string, ((args: string[]) => string) | undefined> = {
    GET: ([key]) => bulk(this.keys.get(key!)?.text),
    SET: (args) => this.set(args),
    SETNX: ([key, text]) => this.setUnlessThere(key!, text!),
    GETSET: ([key, text]) => this.replace(key!, { text: text!, until: null }),
    GETDEL: ([key]) => this.replace(key!, null),
    GETEX: ([key, unit, time]) => this.getUntil(key!, unit!, Number(time)),
    STRLEN: ([key]) => integer(this.keys.get(key!)?.text.length ?? 0),
    APPEND: ([key, text]) => this.write(key!, (old) => old + text!),
    SETRANGE: ([key, at, text]) => this.setRange(key!, Number(at), text!),
    GETRANGE: ([key, from, to]) => this.getRange(key!, Number(from), Number(to)),
    INCR: ([key]) => this.add(key!, 1n),
    DECR: ([key]) => this.add(key!, -1n),
    INCRBY: ([key, by]) => this.add(key!, BigInt(by!)),
    DECRBY: ([key, by]) => this.add(key!, -BigInt(by!)),
    MSET: (args) => this.setAll(args),
    MSETNX: (args) => this.setAllUnlessThere(args),
    MGET: (args) =>
      `*${args.length}\r\n${args.map((key) => bulk(this.keys.get(key)?.text)).join('')}`,
    DEL: (args) => count(args, (key) => this.keys.delete(key)),
    UNLINK: (args) => count(args, (key) => this.keys.delete(key)),
    EXISTS: (args) => count(args, (key) => this.keys.has(key)),
    TOUCH: (args) => count(args, (key) => this.keys.has(key)),
    TYPE: ([key]) => (this.keys.has(key!) ? '+string\r\n' : '+none\r\n'),
    PTTL: ([key]) => this.timeOf(key!, (until) => until - this.nowMs),
    PEXPIRETIME: ([key]) => this.timeOf(key!, (until) => until),
    PERSIST: ([key]) => this.persist(key!),
    EXPIRE: ([key, time, rule]) => this.expireAt(key!, this.nowMs + Number(time) * 1000, rule),
    PEXPIRE: ([key, time, rule]) => this.expireAt(key!, this.nowMs + Number(time), rule),
    PEXPIREAT: ([key, time, rule]) => this.expireAt(key!, Number(time), rule),
    RENAME: ([from, to]) => this.rename(from!, to!),
    RENAMENX: ([from, to]) => this.renameUnlessThere(from!, to!),
    COPY: ([from, to, , database, replace]) => this.copy(from!, to!, Number(database), replace),
    MOVE: ([key, database]) => this.move(key!, Number(database)),
    SELECT: ([database]) => this.select(Number(database)),
    SWAPDB: ([first, second]) => this.swap(Number(first), Number(second)),
    DBSIZE: () => integer(this.keys.size),
    FLUSHDB: () => this.flush(),
  };

  private set([key, text, ...options]: string[]): string {
    const old = this.keys.get(key!);
    const isGetting = options.includes('GET');
    const answer = bulk(old?.text);
    const isRefused = old === undefined ? options.includes('XX') : options.includes('NX');
    if (isRefused) return isGetting ? answer : NIL;
    let until = options.includes('KEEPTTL') ? (old?.until ?? null) : null;
    const px = options.indexOf('PX');
    if (px !== -1) until = this.nowMs + Number(options[px + 1]);
    this.keys.set(key!, { text: text!, until });
    return isGetting ? answer : OK;
  }

  private setUnlessThere(key: string, text: string): string {
    if (this.keys.has(key)) return integer(0);
    this.keys.set(key, { text, until: null });
    return integer(1);
  }

  private replace(key: string, value: Value | null): string {
    const answer = bulk(this.keys.get(key)?.text);
    if (value === null) this.keys.delete(key);
    else this.keys.set(key, value);
    return answer;
  }

  private getUntil(key: string, unit: string, time: number): string {
    const value = this.keys.get(key);
    if (value !== undefined) value.until = unit === 'PX' ? this.nowMs + time : null;
    return bulk(value?.text);
  }

  private write(key: string, change: (old: string) => string): string {
    const value = this.keys.get(key) ?? { text: '', until: null };
    value.text = change(value.text);
    this.keys.set(key, value);
    return integer(value.text.length);
  }

  private setRange(key: string, at: number, text: string): string {
    if (text === '') return integer(this.keys.get(key)?.text.length ?? 0);
    return this.write(
      key,
      (old) => old.padEnd(at, '\0').slice(0, at) + text + old.slice(at + text.length),
    );
  }

  private getRange(key: string, from: number, to: number): string {
    const text = this.keys.get(key)?.text ?? '';
    const first = Math.max(0, from < 0 ? text.length + from : from);
    const last = Math.max(0, to < 0 ? text.length + to : to);
    return bulk(from < 0 && to < 0 && from > to ? '' : text.slice(first, last + 1));
  }

  private add(key: string, by: bigint): string {
    const value = this.keys.get(key) ?? { text: '0', until: null };
    if (!/^(0|-?[1-9]\d{0,18})$/.test(value.text)) return NOT_INTEGER;
    const old = BigInt(value.text);
    if (old < INT_MIN || old > INT_MAX) return NOT_INTEGER;
    if (old + by < INT_MIN || old + by > INT_MAX) return OVERFLOW;
    value.text = String(old + by);
    this.keys.set(key, value);
    return `:${value.text}\r\n`;
  }

  private setAll(args: readonly string[]): string {
    for (let index = 0; index < args.length; index += 2) {
      this.keys.set(args[index]!, { text: args[index + 1]!, until: null });
    }
    return OK;
  }

  private setAllUnlessThere(args: readonly string[]): string {
    if (args.some((key, index) => index % 2 === 0 && this.keys.has(key))) return integer(0);
    this.setAll(args);
    return integer(1);
  }

  private select(database: number): string {
    this.database = database;
    return OK;
  }

  private flush(): string {
    this.keys.clear();
    return OK;
  }

  private timeOf(key: string, answer: (until: number) => number): string {
    const value = this.keys.get(key);
    if (value === undefined) return integer(-2);
    return integer(value.until === null ? -1 : answer(value.until));
  }

  private persist(key: string): string {
    const value = this.keys.get(key);
    if (value === undefined || value.until === null) return integer(0);
    value.until = null;
    return integer(1);
  }

  private expireAt(key: string, until: number, rule: string | undefined): string {
    const value = this.keys.get(key);
    if (value === undefined) return integer(0);
    const old = value.until ?? Number.POSITIVE_INFINITY;
    const isRefused =
      (rule === 'NX' && value.until !== null) ||
      (rule === 'XX' && value.until === null) ||
      (rule === 'GT' && until <= old) ||
      (rule === 'LT' && until >= old);
    if (isRefused) return integer(0);
    if (until <= this.nowMs) this.keys.delete(key);
    else value.until = until;
    return integer(1);
  }

  private rename(from: string, to: string): string {
    const value = this.keys.get(from);
    if (value === undefined) return NO_SUCH_KEY;
    this.keys.delete(from);
    this.keys.set(to, value);
    return OK;
  }

  private renameUnlessThere(from: string, to: string): string {
    if (!this.keys.has(from)) return NO_SUCH_KEY;
    if (this.keys.has(to)) return integer(0);
    this.rename(from, to);
    return integer(1);
  }

  private copy(from: string, to: string, database: number, replace: string | undefined): string {
    const target = this.databases[database]!;
    if (from === to && database === this.database) {
      return '-ERR source and destination objects are the same\r\n';
    }
    const value = this.keys.get(from);
    if (value === undefined || (target.has(to) && replace === undefined)) return integer(0);
    target.set(to, { ...value });
    return integer(1);
  }

  private move(key: string, database: number): string {
    const target = this.databases[database]!;
    if (target === this.keys) return '-ERR source and destination objects are the same\r\n';
    const value = this.keys.get(key);
    if (value === undefined || target.has(key)) return integer(0);
    this.keys.delete(key);
    target.set(key, value);
    return integer(1);
  }

  private swap(first: number, second: number): string {
    const { databases } = this;
    [databases[first], databases[second]] = [databases[second]!, databases[first]!];
    return OK;
  }
}

function bulk(text: string | undefined): string {
  return text === undefined ? NIL : `$${text.length}\r\n${text}\r\n`;
}

function integer(value: number): string {
  return `:${value}\r\n`;
}

function count(keys: readonly string[], test: (key: string) => boolean): string {
  return integer(keys.filter(test).length);
}
