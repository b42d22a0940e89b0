// How pages are read, on made-up pages.

import { describe, expect, it } from 'vitest';
import { expectedPrints, fencedBlocks, printLikeCli, sessionOf } from './fences.js';

describe('a page', () => {
  it('gives its blocks of one language, and no others', () => {
    const page = ['a', '```js', 'one', '', 'two', '```', '```sh', 'no', '```', '```js', '3', '```'];
    expect(fencedBlocks(page.join('\n'), 'js')).toEqual(['one\n\ntwo', '3']);
  });

  it('splits a session into what is typed and what is printed', () => {
    const session = '127.0.0.1:6379> GET a\n(nil)\n127.0.0.1:6379[2]> MGET a b\n1) (nil)\n2) "x"';
    expect(sessionOf(session)).toEqual([
      { command: 'GET a', printed: '(nil)' },
      { command: 'MGET a b', printed: '1) (nil)\n2) "x"' },
    ]);
    expect(() => sessionOf('(nil)')).toThrow('a session begins with a prompt');
  });

  it('reads what an example says it prints', () => {
    const example = 'console.log(a); // 1\nconst b = 2; // not this\nconsole.log(f(b)); // [ 2 ]';
    expect(expectedPrints(example)).toEqual(['1', '[ 2 ]']);
  });

  it('prints replies as redis-cli does', () => {
    const ten = Array.from({ length: 10 }, () => ({ type: 'integer', value: 1 }) as const);
    expect(printLikeCli({ type: 'bulk', value: 'a"b\r\n' })).toBe('"a\\"b\\r\\n"');
    expect(printLikeCli({ type: 'error', value: 'ERR no' })).toBe('(error) ERR no');
    expect(printLikeCli({ type: 'array', value: [] })).toBe('(empty array)');
    const nested = printLikeCli({ type: 'array', value: [{ type: 'array', value: ten }] });
    expect(nested.split('\n').slice(0, 2)).toEqual(['1)  1) (integer) 1', '    2) (integer) 1']);
    expect(nested.split('\n').at(-1)).toBe('   10) (integer) 1');
  });
});
