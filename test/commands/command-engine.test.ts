// COMMAND in process, and the notation that its DOCS are made from.

import { describe, expect, it } from 'vitest';
import { allCommands } from '../../src/commands/index.js';
import { type Argument, argumentsOf } from '../../src/commands/syntax.js';
import { countedKeysAt, keyAt, keysFrom } from '../../src/dispatch/define.js';
import { openDoor } from '../stats/door.js';

/** A tree as one line: name:type, then token, key specification, flags and parts. */
function shown(argument: Argument): string {
  const { name, type, token, keySpec, parts } = argument;
  return (
    `${name}:${type}` +
    (token === undefined ? '' : `=${token}`) +
    (keySpec === undefined ? '' : `#${keySpec}`) +
    (argument.isOptional ? '?' : '') +
    (argument.isMultiple ? '*' : '') +
    (argument.isTokenMultiple ? '+' : '') +
    (parts.length === 0 ? '' : `(${parts.map(shown).join(' ')})`)
  );
}

const ROWS: readonly (readonly [syntax: string, tree: string])[] = [
  ['', ''],
  ['key', 'key:key#0'],
  ['key value', 'key:key#0 value:string'],
  ['key value [key value ...]', 'data:block*(key:key#0 value:string)'],
  ['key [key ...]', 'key:key#0*'],
  ['key [LEN]', 'key:key#0 len:pure-token=LEN?'],
  ['key [SAMPLES count]', 'key:key#0 count:integer=SAMPLES?'],
  ['key [LIMIT offset count]', 'key:key#0 limit:block=LIMIT?(offset:integer count:integer)'],
  ['key [NX | XX]', 'key:key#0 condition:oneof?(nx:pure-token=NX xx:pure-token=XX)'],
  [
    'key [EX seconds | EXAT unix-time-seconds | PERSIST]',
    'key:key#0 expiration:oneof?(seconds:integer=EX unix-time-seconds:unix-time=EXAT ' +
      'persist:pure-token=PERSIST)',
  ],
  ['key [GET pattern [GET pattern ...]]', 'key:key#0 pattern:pattern=GET?*+'],
  [
    'key [start [end [<BYTE | BIT>]]]',
    'key:key#0 start:block?(start:integer end:block?(end:integer ' +
      'unit:oneof?(byte:pure-token=BYTE bit:pure-token=BIT)))',
  ],
  ['key [member ...]', 'key:key#0 member:string?*'],
];

describe('the notation of arguments', () => {
  it.each(ROWS)('%s', (syntax, tree) => {
    expect(
      argumentsOf(syntax, 0, [keyAt(1, 'RO')])
        .map(shown)
        .join(' '),
    ).toBe(tree);
  });

  it('finds keys behind a choice of one word, a count or a keyword', () => {
    const afterChoice = [keyAt(2, 'OW'), keysFrom(3, -1, 1, 'RO')];
    expect(
      argumentsOf('<AND | OR> destkey key [key ...]', 0, afterChoice).map(shown).join(' '),
    ).toBe('operation:oneof(and:pure-token=AND or:pure-token=OR) destkey:key#0 key:key#1*');
    expect(
      argumentsOf('numkeys key [key ...]', 0, [countedKeysAt(1, 1, 'RO')])
        .map(shown)
        .join(' '),
    ).toBe('numkeys:integer key:key#0*');
    const keyword = {
      flags: ['OW'],
      begin: { keyword: 'STORE', startFrom: 2 },
      find: { lastKey: 0, step: 1, limit: 0 },
    };
    expect(
      argumentsOf('key [STORE destination]', 0, [keyAt(1, 'RO'), keyword])
        .map(shown)
        .join(' '),
    ).toBe('key:key#0 destination:key=STORE#1?');
  });

  it('reads every command of the server', () => {
    const { engine } = openDoor(allCommands);
    expect(engine.run('COMMAND', 'DOCS')).toMatch(/^\*\d+\r\n/);
  });
});

describe('COMMAND', () => {
  const { engine } = openDoor(allCommands);
  const topCount = allCommands.length;

  it('counts and lists commands, subcommands in the list only', () => {
    expect(engine.run('COMMAND', 'COUNT')).toBe(`:${topCount}\r\n`);
    expect(engine.run('COMMAND').startsWith(`*${topCount}\r\n`)).toBe(true);
    const subcommands = allCommands.flatMap((spec) => spec.subcommands ?? []).length;
    expect(engine.run('COMMAND', 'LIST').startsWith(`*${topCount + subcommands}\r\n`)).toBe(true);
    expect(engine.run('COMMAND', 'LIST', 'FILTERBY', 'PATTERN', 'client|k*')).toBe(
      '*1\r\n$11\r\nclient|kill\r\n',
    );
  });

  it('INFO describes a command as Redis does, nil for unknown ones', () => {
    expect(engine.run('COMMAND', 'INFO', 'memory|usage', 'bogus', 'memory|bogus')).toBe(
      '*3\r\n*10\r\n$12\r\nmemory|usage\r\n:-3\r\n*1\r\n+readonly\r\n:2\r\n:2\r\n:1\r\n' +
        '*2\r\n+@read\r\n+@slow\r\n*0\r\n*1\r\n*6\r\n$5\r\nflags\r\n*1\r\n+RO\r\n' +
        '$12\r\nbegin_search\r\n*4\r\n$4\r\ntype\r\n$5\r\nindex\r\n$4\r\nspec\r\n*2\r\n' +
        '$5\r\nindex\r\n:2\r\n$9\r\nfind_keys\r\n*4\r\n$4\r\ntype\r\n$5\r\nrange\r\n' +
        '$4\r\nspec\r\n' +
        '*6\r\n$7\r\nlastkey\r\n:0\r\n$7\r\nkeystep\r\n:1\r\n$5\r\nlimit\r\n:0\r\n*0\r\n' +
        '$-1\r\n$-1\r\n',
    );
  });

  it('DOCS of one command tells its argument tree', () => {
    const reply = engine.run('COMMAND', 'DOCS', 'select', 'bogus');
    expect(reply).toMatch(/^\*2\r\n\$6\r\nselect\r\n\*10\r\n\$7\r\nsummary\r\n/);
    expect(reply).toContain(
      '$9\r\narguments\r\n*1\r\n*6\r\n$4\r\nname\r\n$5\r\nindex\r\n$4\r\ntype\r\n' +
        '$7\r\ninteger\r\n' +
        '$12\r\ndisplay_text\r\n$5\r\nindex\r\n',
    );
  });

  it('GETKEYS finds keys, and says why it does not', () => {
    expect(engine.run('COMMAND', 'GETKEYS', 'MSET', 'a', '1', 'b', '2')).toBe(
      '*2\r\n$1\r\na\r\n$1\r\nb\r\n',
    );
    expect(engine.run('COMMAND', 'GETKEYS', 'MEMORY', 'USAGE', 'k')).toBe('*1\r\n$1\r\nk\r\n');
    expect(engine.run('COMMAND', 'GETKEYS', 'PING')).toMatch(/no key arguments/);
    expect(engine.run('COMMAND', 'GETKEYS', 'BOGUS')).toMatch(/Invalid command specified/);
    expect(engine.run('COMMAND', 'GETKEYS', 'MEMORY', 'BOGUS')).toMatch(/Invalid command/);
    expect(engine.run('COMMAND', 'GETKEYS', 'GET')).toMatch(/Invalid number of arguments/);
  });

  it('GETKEYSANDFLAGS looks at the options where they matter', () => {
    const flags = (...words: string[]) => engine.run('COMMAND', 'GETKEYSANDFLAGS', ...words);
    expect(flags('SET', 'k', 'v')).toBe('*1\r\n*2\r\n$1\r\nk\r\n*2\r\n+OW\r\n+update\r\n');
    expect(flags('SET', 'k', 'v', 'get')).toBe(
      '*1\r\n*2\r\n$1\r\nk\r\n*3\r\n+RW\r\n+access\r\n+update\r\n',
    );
  });
});
