// The command table: names in any case, subcommands, and what it refuses to start with.

import { describe, expect, it } from 'vitest';
import { Slices } from '../../src/base/slices.js';
import { allCommands } from '../../src/commands/index.js';
import {
  type CommandSpec,
  containerCommand,
  Flag,
  keyAt,
  keyCommand,
  keysFrom,
  sessionCommand,
  splitCommand,
} from '../../src/dispatch/define.js';
import { CommandTable } from '../../src/dispatch/table.js';

function definition(name: string, more: Partial<CommandSpec> = {}): CommandSpec {
  const fields = {
    arity: 2,
    group: 'string',
    since: '1.0.0',
    summary: 'S.',
    cost: 'O(1)',
  } as const;
  return sessionCommand({ ...fields, flags: 0, run() {}, name, ...more });
}

describe('the command table', () => {
  const table = new CommandTable(allCommands);

  it('finds a renamed command by its new name only, and a hidden one not at all', () => {
    const renamed = new CommandTable(allCommands, [
      ['get', 'fetch'],
      ['config', ''],
    ]);
    const found = (name: string) => renamed.find(Slices.of(name), 0)?.fullName ?? null;

    expect(['FETCH', 'get', 'config', 'set'].map(found)).toEqual(['get', null, null, 'set']);
    expect(renamed.all.map(({ fullName }) => fullName)).toEqual(
      table.all.map(({ fullName }) => fullName),
    );
    expect(renamed.byName.has('config')).toBe(false);
  });

  it('finds every command in any case, and nothing that is nearly one', () => {
    for (const { spec, parent } of table.all) {
      if (parent !== null) continue;
      const mixed = [...spec.name].map((letter, at) => (at % 2 ? letter.toUpperCase() : letter));
      for (const name of [spec.name, spec.name.toUpperCase(), mixed.join('')]) {
        expect(table.find(Slices.of(name), 0)?.spec.name).toBe(spec.name);
      }
      for (const name of [`${spec.name}x`, `x${spec.name}`, spec.name.slice(1), `${spec.name}\0`]) {
        expect(table.find(Slices.of(name), 0)?.spec.name).toBe(table.byName.get(name)?.spec.name);
      }
    }
    for (const name of ['', '\0', 'GE\xd4', '[ET', 'x'.repeat(100_000)]) {
      expect(table.find(Slices.of(name), 0)).toBeNull();
    }
  });

  it('does not take other bytes for letters', () => {
    // With the case bit set, these are the letters of GET: only real letters may be folded.
    for (const name of ['\x07ET', 'G\x05T', 'g\x85t', 'ge\x14']) {
      expect(table.find(Slices.of(name), 0)).toBeNull();
    }
  });

  it('finds subcommands of their container alone', () => {
    const config = table.byName.get('config')!;
    const get = table.findSub(config, Slices.of('CONFIG', 'GeT'), 1);
    expect(get?.fullName).toBe('config|get');
    expect(get?.parent).toBe(config);
    expect(table.findSub(config, Slices.of('CONFIG', 'BOGUS'), 1)).toBeNull();
    expect(table.find(Slices.of('resetstat'), 0)).toBeNull();
  });

  it('knows full names', () => {
    expect(table.named('GET')?.fullName).toBe('get');
    expect(table.named('Config|SET')?.fullName).toBe('config|set');
    expect(table.named('config|bogus')).toBeNull();
    expect(table.named('bogus|set')).toBeNull();
  });

  it('numbers commands without gaps', () => {
    expect(table.all.map((command) => command.id)).toEqual(table.all.map((_, index) => index));
  });

  it('refuses to start with a name twice, with a bad name or without an arity', () => {
    const twice = [definition('twin'), definition('twin')];
    expect(() => new CommandTable(twice)).toThrow('the command twin is defined once');
    expect(() => new CommandTable([definition('Loud')])).toThrow('Loud is lower case');
    expect(() => new CommandTable([definition('none', { arity: 0 })])).toThrow('none has an arity');
  });

  it('refuses to start with a key that no word can be', () => {
    const far = keyCommand({ ...definition('far'), keys: [keyAt(9, 'RO')] });
    expect(() => new CommandTable([far])).toThrow('far has its first key in reach');
  });

  it('derives key range, arity line and categories', () => {
    const keys = [keysFrom(1, -1, 2, 'OW', 'update')];
    const flags = Flag.Write | Flag.DenyOom;
    const spec = splitCommand({ ...definition('pairs', { arity: -3, flags, keys }) });
    const [command] = new CommandTable([spec]).all;
    expect([command!.firstKey, command!.lastKey, command!.keyStep]).toEqual([1, -1, 2]);
    expect(command!.wrongArity.line).toBe("ERR wrong number of arguments for 'pairs' command");
    expect([...command!.categories].sort()).toEqual(['@slow', '@string', '@write']);
    expect([2, 3, 4].map((count) => command!.accepts(count))).toEqual([false, true, true]);
    expect(command!.isWrite).toBe(true);
  });

  it('calls a container without a subcommand by its wrong arity', () => {
    const inner = definition('inner', { arity: 2 });
    const { cost: _cost, run: _run, shape: _shape, ...outer } = definition('outer', { arity: -2 });
    const made = new CommandTable([containerCommand({ ...outer, subcommands: [inner] })]);
    expect(made.named('outer|inner')?.wrongArity.line).toBe(
      "ERR wrong number of arguments for 'outer|inner' command",
    );
  });
});
