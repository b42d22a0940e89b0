// What is in an RDB file, for flagstone-check: its version, its facts, keys by database and type.
// Every value is built and freed again, one at a time, so that what passes here can be loaded.

import { DiskError, Open } from '../base/disk.js';
import { drawHashKey, setHashKey } from '../base/hash.js';
import { Keyspace } from '../keyspace/keyspace.js';
import { Building } from '../rdb/building.js';
import { Found, isEmptyValue, RdbFileError, RdbFileReader } from '../rdb/file-read.js';
import { FileSource } from '../rdb/file-source.js';
import { readValue } from '../rdb/read.js';
import { Refusal } from '../resp/errors.js';
import { formatSlab } from '../slab/alloc.js';
import { Slab } from '../slab/slab.js';
import { Type } from '../types/kind.js';
import { CheckCode, type CheckFields } from './check-fields.js';
import { sizeText } from './check-log.js';
import { uncountedLookups } from './replay.js';

/** As large as a partition may be: address space, of which the largest value is used. */
const SLAB_BYTES = 2 ** 31 - 2 ** 20;
const ANY_HASH = 1;

const TYPE_NAMES: Readonly<Record<Exclude<Type, Type.Any>, string>> = {
  [Type.String]: 'strings',
  [Type.List]: 'lists',
  [Type.Set]: 'sets',
  [Type.SortedSet]: 'sorted sets',
  [Type.Hash]: 'hashes',
  [Type.Stream]: 'streams',
  [Type.Array]: 'arrays',
};

interface Counts {
  keys: number;
  volatile: number;
  readonly types: Map<Type, number>;
}

export function checkRdbFile(path: string, { disk, say, isFixing }: CheckFields): CheckCode {
  const fd = disk.open(path, Open.Read);
  try {
    let position = 0;
    const bytes = disk.sizeOf(fd);
    const source = new FileSource({
      bytesTotal: bytes,
      read(u8, start, length) {
        const count = disk.readAt(fd, u8, start, length, position);
        if (count < 0) throw new DiskError('Reading', path, -count);
        position += count;
        return count;
      },
    });
    const content = new RdbContent(source);
    const fault = content.read();
    say(`${path}: ${sizeText(bytes)}, RDB version ${content.version}`);
    content.describe(say);
    if (fault === null) {
      say('OK: the file is whole.');
      return CheckCode.Whole;
    }
    say(`BROKEN: ${fault}`);
    if (isFixing) say('An RDB file cannot be fixed: restore a copy.');
    return CheckCode.Broken;
  } finally {
    disk.close(fd);
  }
}

class RdbContent {
  private readonly reader: RdbFileReader;
  private readonly building = new Building();
  private readonly keyspace: Keyspace;
  private readonly databases = new Map<number, Counts>();
  private readonly facts = new Map<string, string>();
  private libraryCount = 0;
  private emptyCount = 0;

  constructor(source: FileSource) {
    this.reader = new RdbFileReader(source, true);
    setHashKey(drawHashKey());
    const slab = new Slab(0, new SharedArrayBuffer(SLAB_BYTES));
    formatSlab(slab, 1);
    this.keyspace = new Keyspace([slab], 1, uncountedLookups());
    this.keyspace.expiresByClock = false;
  }

  get version(): number {
    return this.reader.version;
  }

  /** Reads all of it. What is wrong, or null. */
  read(): string | null {
    const { reader } = this;
    try {
      reader.open();
      for (let found = reader.next(); found !== Found.End; found = reader.next()) {
        if (found === Found.Key) this.takeKey();
        else if (found === Found.Fact) this.facts.set(reader.name, reader.text);
        else if (found === Found.Functions) this.libraryCount++;
      }
      return null;
    } catch (error) {
      if (error instanceof RdbFileError) return error.message;
      throw error;
    }
  }

  private takeKey(): void {
    const { reader, building } = this;
    try {
      readValue(reader.source, reader.type, building, this.keyspace.partitions[0]!, ANY_HASH);
    } catch (thrown) {
      if (isEmptyValue(thrown)) {
        this.emptyCount++;
        return;
      }
      throw thrown instanceof Refusal ? reader.refused(thrown) : thrown;
    }
    let counts = this.databases.get(reader.database);
    if (counts === undefined) {
      counts = { keys: 0, volatile: 0, types: new Map() };
      this.databases.set(reader.database, counts);
    }
    counts.keys++;
    if (reader.hasExpiry) counts.volatile++;
    counts.types.set(building.type, (counts.types.get(building.type) ?? 0) + 1);
    building.drop();
    building.end();
  }

  describe(say: (line: string) => void): void {
    const facts = [...this.facts].map(([name, value]) => `${name} ${value}`);
    if (facts.length > 0) say(`  facts: ${facts.join(', ')}`);
    if (this.libraryCount > 0) say(`  ${this.libraryCount} libraries of functions`);
    for (const [database, { keys, volatile, types }] of this.databases) {
      const kinds = [...types].map(
        ([type, count]) => `${TYPE_NAMES[type as keyof typeof TYPE_NAMES]} ${count}`,
      );
      say(`  database ${database}: ${keys} keys (${kinds.join(', ')}), ${volatile} with an expiry`);
    }
    if (this.emptyCount > 0) say(`  ${this.emptyCount} keys of nothing, which are passed over`);
  }
}
