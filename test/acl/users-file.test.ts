// The file of users: what is wrong with it is told, and then none of it counts.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Catalog } from '../../src/acl/catalog.js';
import { USER_NAME_BYTES_MAX } from '../../src/acl/selector.js';
import { readUsersFile } from '../../src/acl/users-file.js';
import { allCommands } from '../../src/commands/index.js';
import { CommandTable } from '../../src/dispatch/table.js';
import { CLIENT_USER_BYTES_MAX } from '../../src/stats/clients.js';

const CATALOG = new Catalog(new CommandTable(allCommands).all);
const folder = mkdtempSync(join(tmpdir(), 'flagstone-users-'));
const file = join(folder, 'users.acl');
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('a file of users', () => {
  it('has names that the client directory has room for', () => {
    const longest = 'n'.repeat(USER_NAME_BYTES_MAX);
    writeFileSync(file, `user ${longest} on nopass +ping\n`);
    const users = readUsersFile(CATALOG, file, false);
    expect(Array.isArray(users) && users.some(({ name }) => name === longest)).toBe(true);
    expect(USER_NAME_BYTES_MAX).toBe(CLIENT_USER_BYTES_MAX);

    writeFileSync(file, `user ${longest}n on nopass +ping\n`);
    expect(readUsersFile(CATALOG, file, false)).toMatch(/:1: a username has more than 256 bytes/);
  });
});
