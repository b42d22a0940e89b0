// The load generator's own inner loops: what it costs must stay far below what a server costs.

import type { FloorBench } from '../floor.js';
import { Histogram } from '../histogram.js';
import { createPicker } from '../keys.js';
import { parseMix } from '../mix.js';
import { Random } from '../random.js';
import { ReplyReader, ReplyTally } from '../replies.js';
import { Batch, TemplateSet } from '../requests.js';

const DEPTH = 32;

export const floorBench: FloorBench = {
  name: 'load',
  about: 'the load generator: requests made, keys chosen, replies counted, latencies recorded',
  prepare(isTiny) {
    const operations = isTiny ? DEPTH : DEPTH * 256;
    return [
      requestCase('GET requests', 'GET', operations),
      requestCase('80 % GET, 20 % SET requests', 'getset', operations),
      replyCase(operations),
      zipfCase(operations),
      histogramCase(operations),
    ];
  },
};

function requestCase(name: string, mix: string, operations: number) {
  const batch = new Batch(new TemplateSet(parseMix(mix).entries, 32), DEPTH);
  const random = new Random(1);
  const picker = createPicker({ kind: 'uniform' }, 100_000, random);
  const run = () => {
    let sum = 0;
    for (let done = 0; done < operations; done += DEPTH) {
      const bytes = batch.fill(DEPTH, picker, random);
      sum = (sum + bytes.length + bytes[bytes.length - 3]!) | 0;
    }
    return sum;
  };
  return { name, operations, run };
}

function replyCase(operations: number) {
  const tally = new ReplyTally();
  const reader = new ReplyReader(tally);
  const expected = new Uint8Array(DEPTH).fill(255);
  const chunk = Buffer.from(`$32\r\n${'x'.repeat(32)}\r\n`.repeat(DEPTH));
  const run = () => {
    for (let done = 0; done < operations; done += DEPTH) {
      reader.expect(expected, DEPTH);
      reader.read(chunk, chunk.length);
    }
    return tally.checksum;
  };
  return { name: 'GET replies', operations, run };
}

function zipfCase(operations: number) {
  const picker = createPicker({ kind: 'zipf', exponent: 0.99 }, 100_000, new Random(1));
  const run = () => {
    let sum = 0;
    for (let done = 0; done < operations; done += 1) sum = (sum + picker.next()) | 0;
    return sum;
  };
  return { name: 'zipf keys', operations, run };
}

function histogramCase(operations: number) {
  const histogram = new Histogram();
  const random = new Random(1);
  const run = () => {
    for (let done = 0; done < operations; done += 1) histogram.record(random.next32());
    return histogram.percentile(99);
  };
  return { name: 'latencies', operations, run };
}
