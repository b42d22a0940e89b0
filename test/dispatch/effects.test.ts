// What follows a change: records in the form they have in a log, notifications, counts.

import { describe, expect, it } from 'vitest';
import { Slices } from '../../src/base/slices.js';
import { Effects, Notify, type RecordSink } from '../../src/dispatch/effects.js';
import type { Partition } from '../../src/keyspace/partition.js';
import { Header } from '../../src/slab/slab.js';
import { KeyModel } from '../support/key-model.js';

class Sink implements RecordSink {
  isOn = true;
  readonly records: string[] = [];

  append(database: number, u8: Uint8Array, start: number, length: number): void {
    const text = Buffer.from(u8.slice(start, start + length)).toString('latin1');
    this.records.push(`${database}: ${text.replaceAll('\r\n', ' ').trimEnd()}`);
  }
}

function start() {
  const sink = new Sink();
  const heard: string[] = [];
  const notifications = {
    classes: 0,
    notify(_: number, event: string, database: number, u8: Uint8Array, at: number, bytes: number) {
      const key = Buffer.from(u8.slice(at, at + bytes)).toString('latin1');
      heard.push(`${database} ${event} ${key}`);
    },
  };
  const { partition } = new KeyModel(2 ** 20, 4);
  return { sink, heard, notifications, partition, effects: new Effects(sink, notifications) };
}

function change(effects: Effects, partition: Partition, args: Slices): void {
  effects.changed(partition, args, 1, Notify.String, 'set');
}

describe('a record', () => {
  it('is the command itself, unless its handler wrote another', () => {
    const { effects, partition, sink } = start();
    const args = Slices.of('SET', 'k', 'a\r\nb');
    change(effects, partition, args);
    effects.settle(3, args);
    change(effects, partition, args);
    effects.begin(3);
    effects.word(Buffer.from('PEXPIREAT'));
    effects.arg(args, 1);
    effects.int64(-1, -1);
    effects.settle(0, args);
    expect(sink.records).toEqual(['3: *3 $3 SET $1 k $4 a b', '0: *3 $9 PEXPIREAT $1 k $2 -1']);
  });

  it('may be several, or none', () => {
    const { effects, partition, sink } = start();
    const args = Slices.of('X', 'k');
    change(effects, partition, args);
    for (const word of ['A', 'B']) {
      effects.begin(1);
      effects.word(Buffer.from(word));
    }
    effects.settle(0, args);
    change(effects, partition, args);
    effects.nothing();
    effects.settle(0, args);
    expect(sink.records).toEqual(['0: *1 $1 A *1 $1 B']);
  });

  it('may be of any size, and the next one is itself again', () => {
    const { effects, partition, sink } = start();
    const long = Slices.of('SET', 'k', 'x'.repeat(3_000_000));
    const short = Slices.of('SET', 'k', 'y');
    for (const args of [long, short]) {
      change(effects, partition, args);
      effects.settle(0, args);
    }
    expect(sink.records[0]).toHaveLength('0: *3 $3 SET $1 k $3000000 '.length + 3_000_000);
    expect(sink.records[1]).toBe('0: *3 $3 SET $1 k $1 y');
  });

  it('of an expired key comes before the record of the command that found it', () => {
    const { effects, partition, sink } = start();
    const args = Slices.of('SET', 'k', 'v');
    change(effects, partition, args);
    effects.begin(2);
    effects.word(Buffer.from('OWN'));
    effects.recordRemoval(2, Buffer.from('xoldx'), 1, 3);
    effects.arg(args, 1);
    effects.settle(0, args);
    expect(sink.records).toEqual(['2: *2 $3 DEL $3 old', '0: *2 $3 OWN $1 k']);
  });

  it('is not made where nobody wants it, but changes are counted', () => {
    const { effects, partition, sink } = start();
    sink.isOn = false;
    const args = Slices.of('SET', 'k', 'v');
    change(effects, partition, args);
    change(effects, partition, args);
    expect(effects.dirty).toBe(2);
    effects.settle(0, args);
    effects.recordRemoval(0, Buffer.from('k'), 0, 1);
    expect([effects.dirty, effects.changes, effects.isRecording]).toEqual([0, 3, false]);
    expect(sink.records).toEqual([]);
  });
});

describe('news of a change', () => {
  it('go to those who listen to its class', () => {
    const { effects, partition, heard, notifications } = start();
    const args = Slices.of('SET', 'k', 'v');
    partition.select(2);
    change(effects, partition, args);
    notifications.classes = Notify.List;
    change(effects, partition, args);
    notifications.classes = Notify.String;
    change(effects, partition, args);
    expect(heard).toEqual(['2 set k']);
  });

  it('go to watchers where the partition has some', () => {
    const { effects, partition } = start();
    const told: string[] = [];
    partition.keyspace.sinks.changed = (_, u8, at, length) =>
      void told.push(Buffer.from(u8.slice(at, at + length)).toString('latin1'));
    const args = Slices.of('SET', 'k', 'v');
    change(effects, partition, args);
    partition.slab.i32[Header.Listeners] = 1;
    change(effects, partition, args);
    expect(told).toEqual(['k']);
  });
});
