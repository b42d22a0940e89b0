// All users, as one thread knows them, and the changes that it makes to those of all threads. Every
// change is made in the same way, here or elsewhere: it is appended to the shared journal, and each
// thread repeats it when it looks there next, this one at once.

import { Refusal } from '../resp/errors.js';
import type { Catalog } from './catalog.js';
import { applyRules, joinSelectors } from './rules.js';
import { DEFAULT_USER, User, type UserState } from './user.js';
import { type UserChange, UserStore, type UsersShape } from './user-store.js';

const NO_MEMORY = new Refusal('OOM command not allowed: no memory for more users.');
/** Never a generation of the journal. */
const NOTHING_READ = -1;

/** Who has to know that users have changed: those that act as them. */
export interface AccountNews {
  /** `mayLoseChannels`: he may subscribe to less than before. */
  changed(user: User, mayLoseChannels: boolean): void;
  removed(user: User): void;
}

export class Accounts {
  readonly catalog: Catalog;
  readonly store: UserStore;
  private readonly byName = new Map<string, User>();
  private readonly place = { generation: NOTHING_READ, bytes: 0 };
  /** How many changes this thread knows. */
  version = 0;
  /** Is there a user who may not do everything? */
  hasRestricted = false;
  news: AccountNews = { changed() {}, removed() {} };

  /** `password`: of the default user, if this is the first thread to have users. */
  constructor(catalog: Catalog, shape: UsersShape, password = '') {
    this.catalog = catalog;
    this.store = new UserStore(shape);
    this.store.locked(() => {
      this.readOn();
      if (this.byName.size > 0) return;
      // The first thread makes the default user, who may do everything.
      const user = new User(catalog, DEFAULT_USER, true);
      applyRules(user, ['+@all', '~*', '&*', 'on', ...passwordRules(password)], true);
      user.id = this.store.drawId();
      this.publish({ kind: 'set', user: user.state });
    });
  }

  find(name: string): User | null {
    return this.byName.get(name) ?? null;
  }

  /** Whom every connection acts as until it says otherwise. */
  get default(): User {
    return this.byName.get(DEFAULT_USER)!;
  }

  /** By the bytes of their names. */
  get all(): User[] {
    return [...this.byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  // ---- changes of others ------------------------------------------------------------------------

  /** Has anybody changed a user since this thread looked? One load. */
  get isBehind(): boolean {
    return this.store.version !== this.version;
  }

  catchUp(): void {
    this.store.locked(() => this.readOn());
  }

  private readOn(): void {
    const { store } = this;
    const changes = store.read(this.place);
    for (const change of changes) this.repeat(change);
    this.version = store.version;
    if (changes.length === 0) return;
    this.hasRestricted = false;
    for (const user of this.byName.values()) {
      if (user.isUnlimited) continue;
      this.hasRestricted = true;
      break;
    }
    store.defaultHasPassword = !this.default.isPasswordless;
  }

  private repeat(change: UserChange): void {
    if (change.kind === 'set') this.put(change.user);
    else if (change.kind === 'remove') this.drop(change.name);
    else {
      const names = new Set(change.users.map(({ name }) => name));
      for (const name of [...this.byName.keys()]) if (!names.has(name)) this.drop(name);
      for (const user of change.users) this.put(user);
    }
  }

  private put(state: UserState): void {
    const known = this.byName.get(state.name);
    if (known !== undefined && known.id !== state.id) this.drop(state.name);
    if (known === undefined || known.id !== state.id) {
      this.byName.set(state.name, User.of(this.catalog, state));
      return;
    }
    const before = known.state;
    known.become(state);
    this.news.changed(known, losesChannels(before, state));
  }

  private drop(name: string): void {
    const user = this.byName.get(name);
    if (user === undefined) return;
    this.byName.delete(name);
    user.isGone = true;
    this.news.removed(user);
  }

  // ---- changes of this thread -------------------------------------------------------------------

  /**
   * ACL SETUSER: makes or changes a user, by all rules or by none. The sentence of what is wrong
   * with them, or null.
   */
  set(name: string, words: readonly string[], allChannels: boolean): string | null {
    const rules = joinSelectors(words);
    if (!Array.isArray(rules)) {
      return `Unmatched parenthesis in acl selector starting at '${rules.open}'.`;
    }
    return this.store.locked(() => {
      this.readOn();
      const known = this.find(name);
      const user = known === null ? this.make(name, allChannels) : this.copy(known);
      const problem = applyRules(user, rules, allChannels);
      if (problem !== null) {
        return `Error in ACL SETUSER modifier '${problem.rule}': ${problem.fault.sentence}`;
      }
      this.publish({ kind: 'set', user: user.state });
      return null;
    });
  }

  /** ACL DELUSER: how many of the names were users. */
  remove(names: readonly string[]): number {
    return this.store.locked(() => {
      this.readOn();
      let count = 0;
      for (const name of names) {
        if (this.find(name) === null) continue;
        this.publish({ kind: 'remove', name });
        count++;
      }
      return count;
    });
  }

  /** requirepass: the only password of the default user; none of them if it is empty. */
  setDefaultPassword(password: string): void {
    this.store.locked(() => {
      this.readOn();
      const user = this.copy(this.default);
      applyRules(user, passwordRules(password), true);
      this.publish({ kind: 'set', user: user.state });
    });
  }

  /**
   * ACL LOAD: these and no others. The default user stays the same for those who act as him; all
   * others are new users, even where the names are those of before.
   */
  replaceAll(users: readonly User[]): void {
    this.store.locked(() => {
      this.readOn();
      const states = users.map((user) => {
        const id = user.name === DEFAULT_USER ? this.default.id : this.store.drawId();
        return { ...user.state, id };
      });
      this.publish({ kind: 'all', users: states });
    });
  }

  private make(name: string, allChannels: boolean): User {
    const user = new User(this.catalog, name, allChannels);
    user.id = this.store.drawId();
    return user;
  }

  private copy(user: User): User {
    return User.of(this.catalog, user.state);
  }

  /** Appends a change to the journal, and repeats it here. */
  private publish(change: UserChange): void {
    const { store } = this;
    if (!store.append(change)) {
      // It is full of what has been changed since: only what there is now is kept.
      const states = this.all.map(({ state }) => state);
      if (!store.restart(states) || !store.append(change)) throw NO_MEMORY;
    }
    this.readOn();
  }
}

function passwordRules(password: string): string[] {
  return password === '' ? ['resetpass', 'nopass'] : ['resetpass', `>${password}`];
}

/** Is there a channel or a pattern that only the first state permits to subscribe to? */
function losesChannels(before: UserState, after: UserState): boolean {
  if (after.selectors.some(({ allChannels }) => allChannels)) return false;
  if (before.selectors.some(({ allChannels }) => allChannels)) return true;
  const kept = new Set(after.selectors.flatMap(({ channels }) => channels));
  return before.selectors.some(({ channels }) => channels.some((text) => !kept.has(text)));
}
