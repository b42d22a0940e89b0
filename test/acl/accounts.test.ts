// Users of several threads: each repeats the changes of all others from one journal, also when that
// has begun anew in between.

import { describe, expect, it } from 'vitest';
import { Accounts } from '../../src/acl/accounts.js';
import { Catalog } from '../../src/acl/catalog.js';
import { createUsers } from '../../src/acl/user-store.js';
import { allCommands } from '../../src/commands/index.js';
import { CommandTable } from '../../src/dispatch/table.js';
import { Random, seedOf } from '../support/seed.js';

const CATALOG = new Catalog(new CommandTable(allCommands).all);
const NAMES = ['ann', 'bob', 'eve', 'default'];
const RULES = [
  'on',
  'off',
  '>pw',
  'nopass',
  '+get',
  '-@all',
  '+@read',
  '~a*',
  'resetkeys',
  '(+set ~b)',
];
const STEPS = 400;
/** A few changes fill it. */
const JOURNAL_BYTES = 8 * 1024;

function shown(accounts: Accounts): string[] {
  return accounts.all.map((user) => `${user.name} ${user.id} ${user.describe()}`);
}

describe('accounts', () => {
  it('are the same on all threads, whenever they look', () => {
    const seed = seedOf('SEED');
    const random = new Random(seed);
    const shape = createUsers(JOURNAL_BYTES);
    const threads = Array.from({ length: 3 }, () => new Accounts(CATALOG, shape));
    for (let step = 0; step < STEPS; step++) {
      const title = `SEED=${seed}, step ${step}`;
      const acting = random.pick(threads);
      const name = random.pick(NAMES);
      if (random.chance(0.2) && name !== 'default') acting.remove([name]);
      else acting.set(name, ['resetpass', random.pick(RULES), random.pick(RULES)], false);
      const other = random.pick(threads);
      other.catchUp();
      expect(shown(other), title).toEqual(shown(acting));
      expect(other.isBehind, title).toBe(false);
    }
    for (const thread of threads) thread.catchUp();
    expect(shown(threads[0]!)).toEqual(shown(threads[2]!));
  });

  it('tell who is gone from who is changed, and one who comes again from the one before', () => {
    const shape = createUsers();
    const [here, there] = [new Accounts(CATALOG, shape), new Accounts(CATALOG, shape)];
    here.set('ann', ['on', '&a', '&b'], false);
    there.catchUp();
    const before = there.find('ann')!;
    const heard: string[] = [];
    there.news = {
      changed: (user, mayLoseChannels) => heard.push(`${user.name} ${mayLoseChannels}`),
      removed: (user) => heard.push(`${user.name} is gone`),
    };
    here.set('ann', ['&c'], false);
    here.set('ann', ['resetchannels', '&c'], false);
    here.set('ann', ['&c', 'allchannels'], false);
    here.remove(['ann']);
    here.set('ann', ['on'], false);
    there.catchUp();
    expect(heard).toEqual(['ann false', 'ann true', 'ann false', 'ann is gone']);
    expect(before.isGone).toBe(true);
    expect(there.find('ann')).not.toBe(before);
    expect(there.hasRestricted).toBe(true);
  });

  it('have the default user let everybody in, until he has a password', () => {
    const shape = createUsers();
    const accounts = new Accounts(CATALOG, shape, 'secret');
    expect(accounts.default.isWelcoming).toBe(false);
    expect(accounts.store.defaultHasPassword).toBe(true);
    expect(new Accounts(CATALOG, shape).default.accepts(Buffer.from('secret'))).toBe(true);
    accounts.setDefaultPassword('');
    expect(accounts.default.isWelcoming).toBe(true);
    expect(accounts.store.defaultHasPassword).toBe(false);
    expect(accounts.default.isUnlimited).toBe(true);
  });
});
