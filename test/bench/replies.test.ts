import { describe, expect, test } from 'vitest';
import { ReplyKind, ReplyReader, ReplyTally } from '../../native-free-bench/replies.js';

function read(text: string, kinds: readonly number[], cuts: readonly number[] = []): ReplyTally {
  const tally = new ReplyTally();
  const reader = new ReplyReader(tally);
  reader.expect(Uint8Array.from(kinds), kinds.length);
  const bytes = Buffer.from(text);
  let from = 0;
  for (const to of [...cuts, bytes.length]) {
    reader.read(bytes.subarray(from, to), to - from);
    from = to;
  }
  expect(reader.position).toBe(tally.replies);
  return tally;
}

const { Status, Integer, Bulk, Null, Aggregate, Any } = ReplyKind;
const MIXED =
  '+OK\r\n:-12\r\n$5\r\nhello\r\n$-1\r\n*2\r\n$1\r\na\r\n*1\r\n:3\r\n$0\r\n\r\n*0\r\n*-1\r\n';
const MIXED_KINDS = [Status, Integer, Bulk, Null, Aggregate, Bulk, Aggregate, Null];

describe('the counting of replies', () => {
  test('counts and accepts each reply of the right type', () => {
    const tally = read(MIXED, MIXED_KINDS);
    expect([tally.replies, tally.errors, tally.wrongTypes, tally.unexpected]).toEqual([8, 0, 0, 0]);
  });

  test('finds the same at every cut into three chunks', () => {
    const whole = read(MIXED, MIXED_KINDS);
    for (let first = 0; first <= MIXED.length; first += 1) {
      for (let second = first; second <= MIXED.length; second += 1) {
        expect(read(MIXED, MIXED_KINDS, [first, second])).toEqual(whole);
      }
    }
  });

  test('reads the types of RESP3, attributes and pushes', () => {
    const text =
      '_\r\n#t\r\n,1.5\r\n(123\r\n=7\r\ntxt:abc\r\n%1\r\n+a\r\n:1\r\n~2\r\n:1\r\n:2\r\n' +
      '>2\r\n+message\r\n+x\r\n|1\r\n+ttl\r\n*1\r\n:9\r\n$2\r\nhi\r\n';
    const kinds = [Null, Any, Any, Any, Bulk, Aggregate, Aggregate, Bulk];
    for (let cut = 0; cut <= text.length; cut += 1) {
      const tally = read(text, kinds, [cut]);
      expect([tally.replies, tally.wrongTypes, tally.errors]).toEqual([8, 0, 0]);
    }
  });

  test('notes a reply of a wrong type, but not by the types of its elements', () => {
    expect(read('*2\r\n:1\r\n:2\r\n', [Aggregate]).wrongTypes).toBe(0);
    expect(read('+OK\r\n$1\r\na\r\n', [Bulk, Bulk]).wrongTypes).toBe(1);
    expect(read('$-1\r\n', [Bulk]).wrongTypes).toBe(1);
  });

  test('keeps the texts of errors with their counts, inside a list and as a bulk too', () => {
    const text = '-ERR no\r\n-ERR no\r\n*1\r\n-MOVED 1\r\n!5\r\nERR x\r\n';
    for (let cut = 0; cut <= text.length; cut += 1) {
      const tally = read(text, [Any, Any, Any, Any], [cut]);
      expect([tally.replies, tally.errors]).toEqual([4, 4]);
      expect([...tally.errorTexts]).toEqual([
        ['ERR no', 2],
        ['MOVED 1', 1],
        ['ERR x', 1],
      ]);
    }
  });

  test('notes replies that nobody asked for', () => {
    expect(read('+OK\r\n+OK\r\n', [Status]).unexpected).toBe(1);
  });

  test('sums the same in any order, and another sum for another value', () => {
    const sum = (text: string) => read(text, [Any, Any]).checksum;
    expect(sum(':1\r\n:2\r\n')).toBe(sum(':2\r\n:1\r\n'));
    expect(sum(':1\r\n:2\r\n')).not.toBe(sum(':1\r\n:3\r\n'));
    expect(sum('$1\r\na\r\n:1\r\n')).not.toBe(sum(':1\r\n:1\r\n'));
  });

  test('refuses bytes that are no RESP', () => {
    expect(() => read('HTTP/1.1 400\r\n', [Any])).toThrow('no RESP type');
  });
});
