import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Config } from '../../src/config/config.js';
import { loadConfig } from '../../src/config/load.js';
import { PARAMETERS } from '../../src/config/parameters.js';
import { splitWords } from '../../src/config/words.js';
import { CHANGES, REWRITES } from './redis-answers.js';

/** Stars only: the real matcher has tests of its own. */
function matches(pattern: string, text: string): boolean {
  return new RegExp(`^${pattern.replaceAll('*', '.*')}$`, 'i').test(text);
}

function shownValue(config: Config, name: string): string | null {
  return config.get([name], matches)[0]?.[1] ?? null;
}

function shown(config: Config): Record<string, string> {
  return Object.fromEntries(config.get(['*'], matches));
}

function read(config: Config, text: string): void {
  const seen = new Set<string>();
  for (const line of text.split('\n')) {
    const [name = '#', ...words] = splitWords(line) ?? [];
    const isKnown = !name.startsWith('#') && config.get([name], matches).length === 1;
    if (!isKnown) continue;
    expect(config.set(name, words, seen.has(name))).toBeNull();
    seen.add(name);
  }
}

describe('CONFIG SET', () => {
  // Redis takes events that Flagstone refuses, and they are tested as lines of a file.
  const isRefusedHere = (pairs: readonly string[]) =>
    pairs[0] === 'notify-keyspace-events' && pairs[1] !== '';
  const config = new Config('/start');
  // The recording server ran with this.
  config.set('enable-protected-configs', ['yes']);

  it.each(CHANGES.filter(([pairs]) => !isRefusedHere(pairs)))(
    '%j is answered as by Redis',
    (pairs, reply, value) => {
      expect(config.change(pairs).error ?? 'OK').toBe(reply);
      expect(shownValue(config, pairs[0] ?? '')).toBe(value);
    },
  );

  it('changes all parameters or none', () => {
    const config = new Config();
    const before = shown(config);
    const { error } = config.change(['timeout', '5', 'hz', '20', 'loglevel', 'loud']);
    expect(error).toContain("possibly related to argument 'loglevel'");
    expect(shown(config)).toEqual(before);
    expect(config.version).toBe(1);

    expect(config.change(['timeout', '5', 'hz', '20']).error).toBeNull();
    expect([config.number('timeout'), config.number('hz'), config.version]).toEqual([5, 20, 2]);
  });

  it('refuses what Flagstone does not do, and warns of what has no effect', () => {
    const config = new Config();
    expect(config.change(['cluster-enabled', 'yes']).error).toMatch(/^ERR CONFIG SET failed /);
    expect(config.change(['jemalloc-bg-thread', 'no', 'timeout', '1'])).toEqual({
      error: null,
      warnings: [expect.stringContaining("'jemalloc-bg-thread' has no effect in Flagstone")],
    });
  });

  it('guards protected parameters by enable-protected-configs', () => {
    const asked = (answer: string, isLocal: boolean) => {
      const config = new Config();
      config.set('enable-protected-configs', [answer]);
      return config.change(['dbfilename', 'a.rdb'], { isLocal, isServerLoading: false }).error;
    };
    const refusal =
      "ERR CONFIG SET failed (possibly related to argument 'dbfilename')" +
      " - can't set protected config";
    expect(asked('no', true)).toBe(refusal);
    expect(asked('local', false)).toBe(refusal);
    expect(asked('local', true)).toBeNull();
    expect(asked('yes', false)).toBeNull();
  });

  it('leaves some parameters alone while the server is loading', () => {
    const asker = { isLocal: true, isServerLoading: true };
    const config = new Config();
    expect(config.change(['appendonly', 'no'], asker).error).toMatch(/^LOADING /);
    expect(config.change(['timeout', '1'], asker).error).toBeNull();
  });

  it.each([
    ['proto-max-bulk-len', '3000000000'],
    ['replica-read-only', 'no'],
    ['zset-max-ziplist-entries', '0'],
    ['hash-max-ziplist-entries', '0'],
    ['hz', '100'],
    ['list-max-listpack-size', '-2'],
    ['repl-ping-replica-period', '3600'],
    ['save', ''],
    ['latency-monitor-threshold', '1'],
  ])("takes %s %s, which Redis's own tests set", (name, value) => {
    const config = new Config();
    expect(config.change([name, value]).error).toBeNull();
    expect(shownValue(config, name)).toBe(value);
  });

  it('tells each listener once, and only of what changed', () => {
    const config = new Config();
    const heard: string[] = [];
    config.onChange(['port', 'bind'], (changed) => {
      heard.push(`${changed.number('port')} ${changed.list('bind').join()}`);
      return undefined;
    });
    config.change(['port', '7000', 'bind', '127.0.0.1']);
    config.change(['timeout', '3']);
    config.change(['port', '7000']);
    expect(heard).toEqual(['7000 127.0.0.1']);
  });

  it('undoes everything when a listener refuses, and tells those who had agreed', () => {
    const config = new Config();
    const seen: number[] = [];
    config.onChange('timeout', (changed) => {
      seen.push(changed.number('timeout'));
      return undefined;
    });
    config.onChange('port', (changed) =>
      changed.number('port') === 6379 ? undefined : 'Unable to listen on this port.',
    );
    expect(config.change(['timeout', '9', 'port', '80']).error).toBe(
      "ERR CONFIG SET failed (possibly related to argument 'port')" +
        ' - Unable to listen on this port.',
    );
    expect(seen).toEqual([9, 0]);
    expect([config.number('timeout'), config.number('port')]).toEqual([0, 6379]);
  });
});

describe('CONFIG GET', () => {
  it('gives each name once, as it was asked for, however many patterns match', () => {
    const config = new Config();
    const names = (...patterns: string[]) => config.get(patterns, matches).map(([name]) => name);
    expect(names('MAXMEMORY', 'maxmemory', 'maxmemory*y').sort()).toEqual([
      'MAXMEMORY',
      'maxmemory-eviction-tenacity',
      'maxmemory-policy',
    ]);
    expect(names('slave-p*', 'replica-priority')).toEqual(['slave-priority', 'replica-priority']);
    expect(names('nosuch', 'no*such')).toEqual([]);
  });

  it('shows hidden parameters by their exact name only', () => {
    const config = new Config();
    expect(config.get(['watchdog-p*'], matches)).toEqual([]);
    expect(config.get(['watchdog-period'], matches)).toEqual([['watchdog-period', '0']]);
  });

  it.each([
    ['save', '3600 1 300 100 60 10000'],
    ['bind', '* -::*'],
    ['client-query-buffer-limit', '1073741824'],
    ['unixsocketperm', '0'],
    ['latency-tracking-info-percentiles', '50 99 99.9'],
    ['partition-size', '2147483648'],
  ])('shows %s as %s', (name, value) => {
    expect(shownValue(new Config(), name)).toBe(value);
  });
});

describe('The typed getters', () => {
  it('give each kind its type', () => {
    const config = new Config();
    config.set('unixsocketperm', ['750']);
    config.set('maxmemory-clients', ['5%']);
    config.set('requirepass', ['\xc3\xa9\xff']);
    expect(config.number('unixsocketperm')).toBe(0o750);
    expect(config.share('maxmemory-clients')).toEqual({ percent: 5 });
    expect(config.share('maxmemory-clients')).not.toHaveProperty('bytes');
    expect(config.bytes('requirepass')).toEqual(Buffer.from([0xc3, 0xa9, 0xff]));
    expect(config.list('bind')).toEqual(['*', '-::*']);
    expect(() => config.flag('port')).toThrow("'port' is no flag");
    expect(() => config.number('nosuch')).toThrow("there is no parameter 'nosuch'");
  });
});

describe('CONFIG REWRITE', () => {
  /** Lines after the signature stand in no order: Redis takes them from a hash table. */
  function parts(text: string): [kept: string, appended: string[]] {
    const end = text.indexOf('# Generated by CONFIG REWRITE\n');
    return [text.slice(0, end), text.slice(end).split('\n').sort()];
  }

  it.each(REWRITES)('makes of file %# what Redis makes of it', ({ before, after }) => {
    const config = new Config('/start');
    read(config, before);
    config.set('port', ['0']);
    config.change(['timeout', '9', 'tcp-keepalive', '301']);
    expect(parts(config.rewrite(before))).toEqual(parts(after));
  });

  it('comes to rest at the second time, and reading it gives the same', () => {
    for (const { before } of REWRITES) {
      const config = new Config('/');
      read(config, before);
      // The end of the last line counts as an empty line more, once: as in Redis.
      const twice = config.rewrite(config.rewrite(before));
      expect(config.rewrite(twice)).toBe(twice);
      const again = new Config('/');
      read(again, twice);
      expect(shown(again)).toEqual(shown(config));
    }
  });

  it('writes users with their quotes', () => {
    const config = new Config();
    config.users = [['ann', 'on', '>a b', '~*']];
    expect(config.rewrite('user ann off\nuser bob on\n')).toContain('user ann on ">a b" ~*\n\n');
  });
});

describe('CONFIG REWRITE of a file', () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'flagstone-config-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it('replaces the file and leaves nothing beside it', () => {
    const file = join(folder, 'a.conf');
    writeFileSync(file, '# é\nmaxmemory 1gb\n');
    const config = loadConfig({ file, serverVersion: '0', directory: folder });
    config.change(['maxmemory', '3mb']);
    expect(config.rewriteFile()).toBeNull();
    expect(readFileSync(file, 'utf8')).toMatch(/^# é\nmaxmemory 3mb\n/);
    expect(readdirSync(folder)).toEqual(['a.conf']);
    expect(shown(loadConfig({ file, serverVersion: '0' }))).toEqual(shown(config));
  });

  it('writes every parameter, as it is by default, so that it is read as the same', () => {
    const file = join(folder, 'whole.conf');
    writeFileSync(file, '');
    const config = loadConfig({ file, serverVersion: '0', directory: folder });
    expect(config.rewriteFile(true)).toBeNull();
    const lines = readFileSync(file, 'utf8').split('\n');
    expect(lines.filter((line) => line !== '').length).toBeGreaterThan(150);
    const again = loadConfig({ file, serverVersion: '0', directory: folder });
    expect(shown(again)).toEqual(shown(config));
  });

  it('says why it cannot', () => {
    const config = new Config();
    expect(config.rewriteFile()).toBe('ERR The server is running without a config file');
    config.file = join(folder, 'no', 'such.conf');
    expect(config.rewriteFile()).toBe('ERR Rewriting config file: No such file or directory');
  });
});

describe('A copy for another thread', () => {
  it('has every value, and hears of later changes', () => {
    const config = new Config('/start');
    config.change(['save', '1 2', 'maxmemory', '18446744073709551615', 'maxmemory-clients', '7%']);
    config.set('requirepass', ['\xff\0']);
    config.set('notify-keyspace-events', ['An']);
    config.renames = [['get', '']];
    config.file = '/start/a.conf';
    const copy = Config.deserialise(config.serialise());
    expect(copy.serialise()).toBe(config.serialise());
    expect(shown(copy)).toEqual(shown(config));

    const heard: number[] = [];
    copy.onChange('timeout', (changed) => {
      heard.push(changed.number('timeout'));
      return undefined;
    });
    config.change(['timeout', '4']);
    copy.adopt(config.serialise());
    copy.adopt(config.serialise());
    expect(heard).toEqual([4]);
    expect(copy.version).toBe(config.version);
  });

  it('has every parameter by name', () => {
    const config = Config.deserialise(new Config().serialise());
    for (const row of PARAMETERS) expect(shownValue(config, row.name)).not.toBeNull();
  });
});
