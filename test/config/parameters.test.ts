import { describe, expect, it } from 'vitest';
import { Config } from '../../src/config/config.js';
import { checkSupport, formatValue, type Row, type Value } from '../../src/config/parameter.js';
import { GATEWAY_PARAMETERS } from '../../src/config/parameters/gateway.js';
import { OWN_PARAMETERS } from '../../src/config/parameters/own.js';
import { findParameter, getParameter, PARAMETERS } from '../../src/config/parameters.js';
import { REDIS_PARAMETERS } from './redis-parameters.js';

function traitsOf(row: Row): string {
  const traits: [boolean, string][] = [
    [!row.isMutable, 'i'],
    [row.isProtected, 'p'],
    [row.isHidden, 'h'],
    [row.isSensitive, 's'],
    [row.isVolatile, 'v'],
    [row.isRefusedWhileLoading, 'l'],
    [row.isMulti, 'm'],
  ];
  return traits.map(([isSet, letter]) => (isSet ? letter : '')).join('');
}

describe('The table of parameters', () => {
  it("has the names of Redis 7.2.6, what Redis 8 added, and Flagstone's own, and no others", () => {
    const own = OWN_PARAMETERS.map((row) => row.name);
    const newer = ['stream-idmp-duration', 'stream-idmp-maxsize'];
    const gateway = GATEWAY_PARAMETERS.map((row) => row.name);
    const redis = REDIS_PARAMETERS.map((parameter) => parameter.name);
    const expected = [...redis, ...newer, ...own, ...gateway];
    expect(gateway.every((name) => name.startsWith('gateway-'))).toBe(true);
    expect(PARAMETERS.map((row) => row.name).sort()).toEqual(expected.sort());
    expect(own).toEqual([
      'threads',
      'tls-threads',
      'partitions',
      'partition-size',
      'transport',
      'feed-history-bytes',
      'watchdog-lock-ms',
    ]);
  });

  it.each(REDIS_PARAMETERS.map((parameter) => [parameter.name, parameter] as const))(
    'has the alias, default, traits and range of %s',
    (name, parameter) => {
      const row = getParameter(name);
      expect(row.alias).toBe(parameter.alias ?? null);
      expect(traitsOf(row)).toBe(parameter.traits ?? '');
      if (name !== 'dir') expect(formatValue(row, row.default)).toBe(parameter.default);

      const { kind } = row;
      const range = 'min' in kind ? [kind.min, kind.max] : undefined;
      expect(range).toEqual(parameter.range);
      const values = 'values' in kind ? kind.values.join(' ') : undefined;
      expect(values).toBe(parameter.values);
    },
  );

  it('finds a parameter by its name or its alias in any case of letters', () => {
    expect(findParameter('MaxMemory')?.name).toBe('maxmemory');
    expect(findParameter('slave-PRIORITY')?.name).toBe('replica-priority');
    expect(findParameter('nosuch')).toBeNull();
  });
});

describe('Support', () => {
  const support = (name: string, value: Value) => checkSupport(getParameter(name), value).kind;

  it.each<[string, Value, string]>([
    ['port', 7000n, 'ok'],
    ['appendonly', false, 'ok'],
    ['appendonly', true, 'ok'],
    ['aof-use-rdb-preamble', true, 'ok'],
    ['aof-use-rdb-preamble', false, 'inert'],
    ['aof-timestamp-enabled', true, 'inert'],
    ['save', ['900', '1'], 'ok'],
    ['daemonize', true, 'refused'],
    ['supervised', 'systemd', 'inert'],
    ['syslog-enabled', true, 'refused'],
    ['cluster-enabled', true, 'refused'],
    ['replicaof', ['10.0.0.1', '6379'], 'refused'],
    ['replicaof', [], 'ok'],
    ['syslog-enabled', false, 'ok'],
    ['syslog-enabled', true, 'refused'],
    ['io-threads', 4n, 'inert'],
    ['maxmemory', 1n, 'ok'],
    ['maxmemory-policy', 'noeviction', 'ok'],
    ['maxmemory-policy', 'allkeys-lrm', 'ok'],
    ['notify-keyspace-events', '', 'ok'],
    ['notify-keyspace-events', 'KEA', 'ok'],
    ['activedefrag', true, 'ok'],
    ['jemalloc-bg-thread', false, 'inert'],
    ['aclfile', '/etc/users.acl', 'ok'],
  ])('of %s %s is %s', (name, value, kind) => {
    expect(support(name, value)).toBe(kind);
  });

  it('takes every default', () => {
    const doubtful = PARAMETERS.filter((row) => support(row.name, row.default) !== 'ok');
    expect(doubtful.map((row) => row.name)).toEqual([]);
    expect(new Config().warnings()).toEqual([]);
  });

  it('has a sentence for whatever it refuses', () => {
    for (const row of PARAMETERS) {
      if (row.support.rule === 'refused') expect(row.support.sentence).toMatch(/^.{20,}[^.]$/);
    }
  });
});
