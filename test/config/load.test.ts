import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseCommandLine } from '../../src/config/command-line.js';
import type { Config } from '../../src/config/config.js';
import { ConfigError } from '../../src/config/config-error.js';
import { type LoadRequest, loadConfig } from '../../src/config/load.js';
import { toByteText } from '../../src/config/words.js';
import { COMMAND_LINES, LINES } from './redis-answers.js';

let folder = '';

beforeAll(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'flagstone-load-')));
});
afterAll(() => rmSync(folder, { recursive: true }));

function write(name: string, text: string): string {
  const file = join(folder, name);
  writeFileSync(file, text);
  return file;
}

function load(text: string, request: Partial<LoadRequest> = {}): Config {
  const whole = { stdinText: toByteText(text), serverVersion: '1.2.3', directory: folder };
  return loadConfig({ ...whole, ...request });
}

function errorOf(attempt: () => unknown): string {
  try {
    attempt();
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as ConfigError).message;
  }
  return 'no error';
}

function block(place: readonly string[]): string {
  return ['', '*** FATAL CONFIG FILE ERROR (Flagstone 1.2.3) ***', ...place, ''].join('\n');
}

describe('A line of configuration', () => {
  const commandNames = ['get', 'set'];

  // What follows names the line after it, so that a good line fails too, one line later.
  it.each(LINES)('%s is refused as by Redis: %s', (line, refusal) => {
    const message = errorOf(() => load(`# c\n\n  ${line}\nzzz\n`, { commandNames }));
    const good = [4, 'zzz', 'Bad directive or wrong number of arguments'] as const;
    const [number, shown, sentence] = refusal === null ? good : ([3, line, refusal] as const);
    const place = `Reading the configuration file, at line ${number}`;
    expect(message).toBe(block([place, `>>> '${shown}'`, sentence]));
  });

  it('may stand more than once: the last one counts, save points add up', () => {
    const config = load(
      'port 1\nPORT 2\nsave 900 1\nsave "300 10"\nbind 1.1.1.1\nbind 2.2.2.2 ::1\n' +
        'client-output-buffer-limit normal 1 1 1\nclient-output-buffer-limit pubsub 2 2 2\n',
    );
    expect(config.number('port')).toBe(2);
    expect(config.list('save')).toEqual(['900', '1', '300', '10']);
    expect(config.list('bind')).toEqual(['2.2.2.2', '::1']);
    expect(config.list('client-output-buffer-limit').slice(0, 4)).toEqual([
      'normal',
      '1',
      '1',
      '1',
    ]);
    expect(config.list('client-output-buffer-limit').slice(8)).toEqual(['pubsub', '2', '2', '2']);
    expect(load('save 900 1\nsave ""\nsave 5 5').list('save')).toEqual(['5', '5']);
  });

  it('may hold any bytes, and readable text comes back readable', () => {
    const config = load('requirepass "p\\xff"\nlogfile "žurnál.log"\r\n');
    expect(config.bytes('requirepass')).toEqual(Buffer.from([0x70, 0xff]));
    expect(config.text('logfile')).toBe('žurnál.log');
  });
});

describe('Commands and users', () => {
  it('are renamed in turn', () => {
    const text = 'rename-command GET old-get\nrename-command set get\nrename-command old-get ""';
    const { renames } = load(text, { commandNames: ['get', 'set'] });
    expect(renames).toEqual([
      ['get', 'old-get'],
      ['set', 'get'],
      ['old-get', ''],
    ]);
  });

  it('are checked by those who know what users may say', () => {
    const checkUser = (words: readonly string[]) =>
      words.includes('bad') ? { word: 'bad', sentence: 'Syntax error' } : null;
    expect(load('user ann on >x\nuser bob off', { checkUser }).users).toEqual([
      ['ann', 'on', '>x'],
      ['bob', 'off'],
    ]);
    expect(errorOf(() => load('user ann bad', { checkUser }))).toContain(
      "\nError in user declaration 'bad': Syntax error\n",
    );
    expect(errorOf(() => load('user ann on\nuser ann off', { checkUser }))).toContain(
      "'ann': Duplicate user found. A user can only be defined once in config files\n",
    );
  });
});

describe('Included files', () => {
  it('are read in place, wildcards in order, and a wildcard may match nothing', () => {
    mkdirSync(join(folder, 'conf.d'));
    write('conf.d/20.conf', 'port 20\ntimeout 20');
    write('conf.d/10.conf', 'port 10\nhz 11\n');
    write('conf.d/.hidden.conf', 'port 30\n');
    write('conf.d/note.txt', 'port 40\n');
    const main = write('main.conf', 'port 1\ninclude conf.d/[0-9]?.conf\ninclude none/*.conf\n');
    // The files follow each other without a newline between: 10 before 20.
    const config = load('', { file: main, stdinText: null });
    expect([config.number('port'), config.number('timeout'), config.number('hz')]).toEqual([
      20, 20, 11,
    ]);
    expect(config.file).toBe(main);
    expect(load('include conf.d/*.conf\nport 2').number('port')).toBe(2);
    expect(load('include conf.d/*n.conf').number('port')).toBe(6379);
    expect(load('include conf.d/.*n.conf').number('port')).toBe(30);
    expect(load('include "conf.d/[!2]*.conf"').number('port')).toBe(10);
    expect(load('include conf.*/{1,2}0.conf*\ninclude "conf.d/[z-a]*"').number('port')).toBe(6379);
  });

  it('report errors by their own line', () => {
    write('bad.conf', '\n\nport x\n');
    expect(errorOf(() => load('hz 10\ninclude bad.conf'))).toBe(
      block([
        'Reading the configuration file, at line 3',
        ">>> 'port x'",
        "argument couldn't be parsed into an integer",
      ]),
    );
  });

  it('must exist, and must not go round in circles', () => {
    expect(errorOf(() => load('include nosuch.conf'))).toBe(
      "Fatal error, can't open config file 'nosuch.conf': No such file or directory",
    );
    expect(errorOf(() => load('', { file: join(folder, 'no.conf') }))).toBe(
      `Fatal error, can't open config file '${folder}/no.conf': No such file or directory`,
    );
    write('loop.conf', 'include loop.conf\n');
    expect(errorOf(() => load('include loop.conf'))).toContain('Too many nested includes');
  });

  it('are looked for in dir, from its line on', () => {
    mkdirSync(join(folder, 'sub'));
    write('sub/here.conf', 'port 77\n');
    const config = load('dir sub\ninclude here.conf');
    expect([config.number('port'), config.text('dir')]).toEqual([77, join(folder, 'sub')]);
  });
});

describe('The whole configuration', () => {
  it('is refused at the line that asks for what Flagstone does not do', () => {
    expect(errorOf(() => load('port 1\nsyslog-enabled yes\n'))).toBe(
      block([
        'Reading the configuration file, at line 2',
        ">>> 'syslog-enabled yes'",
        'Flagstone does not speak to syslog: leave logfile empty and let systemd take its output',
      ]),
    );
  });

  it('is taken when a later line, or an option, takes that back', () => {
    const { options } = parseCommandLine(['--syslog-enabled', 'no']);
    expect(load('syslog-enabled yes\n', { options }).flag('syslog-enabled')).toBe(false);
  });

  it('warns of what has no effect', () => {
    expect(load('io-threads 4\nsave ""').warnings()).toEqual([
      "'io-threads' has no effect in Flagstone because every thread reads and writes; " +
        "their number is 'threads'",
    ]);
  });

  it('needs a log file that can be written', () => {
    expect(errorOf(() => load('logfile no/such.log'))).toBe(
      block(["Can't open the log file: No such file or directory"]),
    );
  });

  it('checks its own parameters', () => {
    const refusal = (line: string) =>
      errorOf(() => load(line))
        .split('\n')
        .at(-2);
    expect(refusal('partitions 48')).toBe('argument must be a power of two');
    expect(refusal('threads 257')).toBe('argument must be between 0 and 256 inclusive');
    expect(refusal('partitions 2048')).toBe('argument must be between 1 and 1024 inclusive');
    expect(refusal('partition-size 3gb')).toMatch(/^argument must be between 1048576 and/);
    expect(refusal('transport carrier-pigeon')).toContain('native, io_uring, epoll, node, auto');
    expect(load('partitions 128\nthreads 3').number('partitions')).toBe(128);
  });
});

describe('A command line', () => {
  it.each(COMMAND_LINES)('%j fails as with Redis', (args, lines) => {
    const { options, isStdinWanted } = parseCommandLine(args);
    const stdinText = isStdinWanted ? '' : null;
    const message = errorOf(() => load('', { options, stdinText }));
    expect(message).toBe(block(lines));
  });

  it.each<[string[], ReturnType<typeof parseCommandLine>]>([
    [[], { action: 'serve', file: null, isStdinWanted: false, options: '' }],
    [['-v'], { action: 'version', file: null, isStdinWanted: false, options: '' }],
    [['--version', 'x'], { action: 'version', file: null, isStdinWanted: false, options: '' }],
    [['-h'], { action: 'help', file: null, isStdinWanted: false, options: '' }],
    [['--help'], { action: 'help', file: null, isStdinWanted: false, options: '' }],
    [['a.conf'], { action: 'serve', file: 'a.conf', isStdinWanted: false, options: '' }],
    [['-'], { action: 'serve', file: null, isStdinWanted: true, options: '' }],
    [['a.conf', '-'], { action: 'serve', file: 'a.conf', isStdinWanted: true, options: '' }],
    [
      ['a.conf', '--port', '1', '-'],
      { action: 'serve', file: 'a.conf', isStdinWanted: true, options: 'port "1" ' },
    ],
    [
      ['--port', '0', '--save', ''],
      { action: 'serve', file: null, isStdinWanted: false, options: 'port "0" \nsave "" ' },
    ],
    [
      ['--save', '--port 7', '--SAVE'],
      { action: 'serve', file: null, isStdinWanted: false, options: 'save ""\nport 7 \nSAVE ""' },
    ],
    [
      ['--requirepass', '--secret', '--dir', 'é'],
      {
        action: 'serve',
        file: null,
        isStdinWanted: false,
        options: 'requirepass "--secret" \ndir "\\xc3\\xa9" ',
      },
    ],
  ])('%j is %j', (args, expected) => {
    expect(parseCommandLine(args)).toEqual(expected);
  });

  it('comes after standard input, which comes after the file', () => {
    const file = write('order.conf', 'port 1\ntimeout 1\nhz 1');
    const { options } = parseCommandLine(['--port', '3']);
    const config = load('', { file, stdinText: 'port 2\ntimeout 2\n', options });
    expect(['port', 'timeout', 'hz'].map((name) => config.number(name))).toEqual([3, 2, 1]);
  });

  it('gives several values to one option, and none to save', () => {
    const args = ['--bind', '127.0.0.1', '::1', '--save', '--client-output-buffer-limit'];
    const { options } = parseCommandLine([...args, 'normal', '1', '2', '3']);
    const config = load('', { options, stdinText: null });
    expect(config.list('bind')).toEqual(['127.0.0.1', '::1']);
    expect(config.list('save')).toEqual([]);
    expect(config.list('client-output-buffer-limit').slice(0, 4).join(' ')).toBe('normal 1 2 3');
  });

  it('knows no Sentinel mode', () => {
    expect(errorOf(() => parseCommandLine(['a.conf', '--sentinel']))).toContain('no Sentinel mode');
  });
});
