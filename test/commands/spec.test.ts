// Every command of the server against the table of facts about Redis's commands: what clients and
// proxies rely on must not differ.

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { FLAG_NAMES, legacyKeys } from '../../src/commands/command.js';
import { allCommands } from '../../src/commands/index.js';
import type { Command } from '../../src/dispatch/command.js';
import type { KeySpec } from '../../src/dispatch/define.js';
import { CommandTable } from '../../src/dispatch/table.js';

interface Fact {
  readonly cmd?: string;
  readonly sub?: string;
  readonly group: string;
  readonly since: string;
  readonly arity: number;
  readonly flags: readonly string[];
  readonly fls: readonly number[];
  readonly keyspecs?: readonly { f: string[]; b: unknown[]; k: unknown[] }[];
  readonly acl: readonly string[];
  readonly tips?: readonly string[];
  readonly deprecated?: string;
}

const file = new URL('../reference/redis-commands.json', import.meta.url);
const facts = new Map<string, Fact>();
for (const fact of JSON.parse(readFileSync(file, 'utf8')) as Fact[]) {
  if (fact.cmd === undefined) continue;
  const name = fact.sub === undefined ? fact.cmd : `${fact.cmd}|${fact.sub}`;
  facts.set(name.toLowerCase(), fact);
}

/** Where Redis 7.2.6 itself says otherwise than the table, which describes a newer Redis. */
const RUNS_SCRIPT = ['noscript', 'stale', 'skip_monitor', 'no_mandatory_keys', 'movablekeys'];

const OF_7_2: Readonly<Record<string, Partial<Fact>>> = {
  eval: { flags: RUNS_SCRIPT },
  evalsha: { flags: RUNS_SCRIPT },
  eval_ro: { flags: [...RUNS_SCRIPT, 'readonly'] },
  fcall: { flags: RUNS_SCRIPT },
  fcall_ro: { flags: [...RUNS_SCRIPT, 'readonly'] },
  evalsha_ro: { flags: [...RUNS_SCRIPT, 'readonly'] },
};

function keySpecOf({ flags, begin, find }: KeySpec): unknown {
  let b: unknown[] = ['unknown'];
  if (begin !== 'unknown') {
    b = 'index' in begin ? ['index', begin.index] : ['keyword', begin.keyword, begin.startFrom];
  }
  let k: unknown[] = ['unknown'];
  if (find !== 'unknown') {
    k =
      'lastKey' in find
        ? ['range', find.lastKey, find.step, find.limit]
        : ['keynum', find.keyCountAt, find.firstKey, find.step];
  }
  return { f: flags, b, k };
}

function factsOf(command: Command) {
  const { spec } = command;
  return {
    group: spec.group,
    since: spec.since,
    arity: spec.arity,
    flags: FLAG_NAMES.flatMap(([flag, name]) => ((spec.flags & flag) !== 0 ? [name] : [])).sort(),
    fls: legacyKeys(command),
    keyspecs: (spec.keys ?? []).map(keySpecOf),
    acl: [...command.categories].sort(),
    tips: [...(spec.tips ?? [])].sort(),
    deprecated: spec.deprecatedSince,
  };
}

function expectedOf(fact: Fact) {
  return {
    group: fact.group,
    since: fact.since,
    arity: fact.arity,
    flags: [...fact.flags].sort(),
    fls: fact.fls,
    keyspecs: (fact.keyspecs ?? []).map(({ f, b, k }) => ({ f, b, k })),
    acl: [...fact.acl].sort(),
    tips: [...(fact.tips ?? [])].sort(),
    deprecated: fact.deprecated,
  };
}

/** What Redis does not have. */
const OWN: ReadonlySet<string> = new Set(['feed', 'feed|read', 'feed|info', 'feed|help']);

describe('every command agrees with the facts about Redis', () => {
  const rows = new CommandTable(allCommands).all.map(
    (command) => [command.fullName, command] as const,
  );

  it.each(rows.filter(([name]) => !OWN.has(name)))('%s', (name, command) => {
    const fact = facts.get(name);
    expect(fact, 'Redis has a command of this name').toBeDefined();
    expect(factsOf(command)).toEqual(expectedOf({ ...fact!, ...OF_7_2[name] }));
  });

  it.each(rows)('%s describes itself', (_, { spec }) => {
    expect(spec.summary).toMatch(/^[A-Z].*\.$/);
    expect(spec.cost).not.toBe('');
  });
});
