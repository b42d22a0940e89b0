// One to three wrong bytes in what comes from a disk or a peer: payloads of RESTORE whose checksum
// agrees with the damage, RDB files without one, and logs. Each is refused, or gives values that
// their checkers find sound; a log gives what was written up to some record, and nothing else.
// Nothing is left of what was refused, and nothing takes long.

import { equal, ok } from 'node:assert/strict';
import { writeFile as writeOnDisk } from '../../src/base/disk.js';
import { MANIFEST_NAME, ManifestError } from '../../src/log/manifest.js';
import { LogDamage } from '../../src/log/merge.js';
import { RdbFileError } from '../../src/rdb/file-read.js';
import { RecoveryError } from '../../src/server/recovery.js';
import { deleteAll, emptyEngine, fillEngine, loadFile, warmUp, writeFile } from '../rdb/files.js';
import { FORMS } from '../rdb/forms.js';
import { checkEmptied, dump, makeValue, startEngine, usedBytesOf, withCrc } from '../rdb/values.js';
import { checkKeyspace } from '../support/check-keyspace.js';
import type { Engine } from '../support/engine.js';
import { writeHistory } from '../support/log-files.js';
import { digestAfter, LOG_DIRECTORY, putLogs, recoverFrom } from '../support/recovery.js';
import type { Random } from '../support/seed.js';
import type { FuzzTarget } from './target.js';

const PARTITION_BYTES = 8 * 1024 * 1024;
const PAYLOADS = 12;
const FILE_KEYS = 30;
/** A payload of some kilobytes takes milliseconds; who takes so long does not end. */
const STEP_MS_MAX = 20_000;
const BAD_DATA = '-ERR Bad data format\r\n';

export const target: FuzzTarget = {
  name: 'corruption',
  about: 'wrong bytes in RESTORE payloads, RDB files and logs: refused, or sound values',
  stepsPerRun: 400,
  async run({ steps, random, note }) {
    const restore = new RestoreFuzz(random);
    const file = new FileFuzz(random);
    for (let step = 0; step < steps; step++) {
      const startedAt = performance.now();
      const kind = random.pick([
        'payload',
        'payload',
        'payload',
        'payload',
        'file',
        'log',
      ] as const);
      note(`step ${step}: ${kind}`);
      if (kind === 'payload') restore.step(random, note);
      else if (kind === 'file') file.step(random);
      else await damageLog(random);
      const tookMs = performance.now() - startedAt;
      ok(tookMs < STEP_MS_MAX, `step ${step}, a ${kind}, took ${Math.round(tookMs)} ms`);
    }
    restore.end();
  },
};

/** Changes one to three of the first `length` bytes. */
function spoil(random: Random, bytes: Uint8Array, length: number): void {
  for (let count = random.between(1, 3); count > 0; count--) {
    const at = random.below(length);
    bytes[at] = random.chance(0.5) ? random.below(256) : bytes[at]! ^ (1 << random.below(8));
  }
}

class RestoreFuzz {
  private readonly engine = startEngine({ partitionBytes: PARTITION_BYTES });
  private readonly usedBytes = usedBytesOf(this.engine.slabs[0]!);
  private readonly payloads: Buffer[] = [];

  constructor(random: Random) {
    const source = startEngine();
    for (let count = 0; count < PAYLOADS; count++) {
      const key = `key${count}`;
      makeValue(random, (...words) => source.run(...words), key, true);
      const bytes = dump(source, key);
      if (bytes !== null) this.payloads.push(Buffer.from(bytes, 'latin1'));
    }
  }

  step(random: Random, note: (sentence: string) => void): void {
    const { engine } = this;
    const whole = random.chance(0.3) ? random.pick(FORMS).bytes : random.pick(this.payloads);
    const head = Buffer.from(whole.subarray(0, -8));
    // The two bytes of the version stay: with another one nothing else would be looked at.
    spoil(random, head, head.length - 2);
    const bytes = withCrc(head);
    note(bytes.toString('hex').slice(0, 1000));

    const answer = engine.run('RESTORE', 'key', '0', bytes);

    if (answer === '+OK\r\n') {
      checkKeyspace(engine.keyspace);
      engine.run('DEL', 'key');
    } else {
      equal(answer, BAD_DATA);
    }
    equal(usedBytesOf(engine.slabs[0]!), this.usedBytes, 'bytes in use when the key is gone');
  }

  end(): void {
    checkEmptied(this.engine, this.usedBytes);
  }
}

class FileFuzz {
  private readonly whole: Buffer;
  private readonly engine = emptyEngine(1);
  private readonly usedBytes: number;

  constructor(random: Random) {
    const source = emptyEngine();
    fillEngine(source, random, FILE_KEYS);
    this.whole = writeFile(source, { checksums: false }).bytes;
    this.engine.keyspace.expiresByClock = false;
    warmUp(this.engine);
    this.usedBytes = usedBytesOf(this.engine.slabs[0]!);
  }

  step(random: Random): void {
    const { engine } = this;
    const bytes = Buffer.from(this.whole);
    spoil(random, bytes, bytes.length);
    try {
      loadFile(engine, bytes, { expired: 'keep', budgetMs: STEP_MS_MAX });
    } catch (error) {
      if (!(error instanceof RdbFileError)) throw error;
    }
    checkKeyspace(engine.keyspace);
    deleteAll(engine);
    equal(usedBytesOf(engine.slabs[0]!), this.usedBytes, 'bytes in use when all keys are gone');
  }
}

async function damageLog(random: Random): Promise<void> {
  const generations = Array.from({ length: random.between(1, 2) }, () => ({
    logs: random.between(1, 3),
    records: random.between(1, 40),
  }));
  const logs = writeHistory(random, { generations });
  const name = random.chance(0.1) ? MANIFEST_NAME : random.pick([...logs.files.keys()]);
  const disk = putLogs(logs);
  const path = `${LOG_DIRECTORY}/${name}`;
  const bytes = new Uint8Array(disk.contentOf(path)!);
  spoil(random, bytes, bytes.length);
  writeOnDisk(disk, path, bytes);

  let engine: Engine;
  let kept: number;
  try {
    const { engine: loaded, result } = await recoverFrom(disk);
    engine = loaded;
    kept = result.recovered?.number ?? 0;
  } catch (error) {
    const isRefusal = [RecoveryError, LogDamage, ManifestError].some(
      (kind) => error instanceof kind,
    );
    if (!isRefusal) throw error;
    return;
  }
  checkKeyspace(engine.keyspace);
  equal(engine.digest(), digestAfter(logs.records.slice(0, kept)), `what ${kept} records make`);
}
