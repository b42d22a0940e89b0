// Where a rule would make the code worse, and why. An exception that no longer excuses anything is
// itself a violation, so that this table only shrinks by itself.

import type { Violation } from './source.js';

export interface Exception {
  readonly rule: string;
  /** A file, or a folder with its slash. */
  readonly path: string;
  /** What the message must contain; without it, all of the rule in that file is excused. */
  readonly containing?: string;
  readonly reason: string;
}

export const EXCEPTIONS: readonly Exception[] = [
  {
    rule: 'private layout',
    path: 'src/structs/walked.ts',
    reason: 'one word that lies in the roots of four structures',
  },
  {
    rule: 'struct check',
    path: 'src/structs/walked.ts',
    reason: 'its word is checked with the tables, trees and chains that it lies in',
  },
  {
    rule: 'struct check',
    path: 'src/structs/packed-build.ts',
    reason: 'it builds packed lists, whose checker stands in packed.ts',
  },
  {
    rule: 'drawings',
    path: 'docs/memory.md',
    containing: 'src/structs/table-first.ts',
    reason: 'its word is drawn in walked.ts',
  },
  {
    rule: 'drawings',
    path: 'docs/memory.md',
    containing: 'src/structs/tree-first.ts',
    reason: 'its word is drawn in walked.ts',
  },
  {
    rule: 'drawings',
    path: 'docs/memory.md',
    containing: 'src/structs/packed-build.ts',
    reason: 'its drawing stands in packed.ts',
  },
  {
    rule: 'private layout',
    path: 'src/structs/table-layout.ts',
    containing: 'TableRoot',
    reason: 'a root lies inside its owner, whose own words go on behind it',
  },
  {
    rule: 'private layout',
    path: 'src/structs/table-layout.ts',
    containing: 'Bucket',
    reason: 'the file is the layout of two others',
  },
  {
    rule: 'private layout',
    path: 'src/structs/chain-layout.ts',
    reason: 'the file is the layout of two others',
  },
  {
    rule: 'private layout',
    path: 'src/structs/packed-layout.ts',
    reason: 'the file is the layout of two others',
  },
  {
    rule: 'private layout',
    path: 'src/structs/heap.ts',
    containing: 'HeapRoot',
    reason: 'a root lies inside its owner, whose own words go on behind it',
  },
  {
    rule: 'private layout',
    path: 'src/structs/tree.ts',
    containing: 'TreeRoot',
    reason: 'a root lies inside its owner, whose own words go on behind it',
  },
  {
    rule: 'private layout',
    path: 'src/structs/tree-node.ts',
    reason: 'one struct in two files: the way through a tree, and the inside of its nodes',
  },
  {
    rule: 'private layout',
    path: 'src/structs/table-join.ts',
    reason: 'what is asked of a join and its rows, which are no memory of a slab',
  },
  {
    rule: 'struct check',
    path: 'src/structs/table-join.ts',
    reason: 'it reads tables, whose checker stands in table.ts',
  },
  {
    rule: 'struct check',
    path: 'src/structs/chain-layout.ts',
    reason: 'its checker stands in chain.ts',
  },
  {
    rule: 'struct check',
    path: 'src/structs/packed-layout.ts',
    reason: 'its checker stands in packed.ts',
  },
  {
    rule: 'struct check',
    path: 'src/structs/ends.ts',
    reason: 'it changes chains, whose checker stands in chain.ts',
  },
  {
    rule: 'struct check',
    path: 'src/structs/table-layout.ts',
    reason: 'its checker stands in table.ts',
  },
  {
    rule: 'struct check',
    path: 'src/structs/table-walk.ts',
    reason: 'its checker stands in table.ts',
  },
  {
    rule: 'struct check',
    path: 'src/structs/chain-move.ts',
    reason: 'its checker stands in chain.ts',
  },
  {
    rule: 'drawings',
    path: 'docs/memory.md',
    containing: 'src/structs/chain-move.ts',
    reason: 'its drawing stands in chain.ts',
  },
  {
    rule: 'struct check',
    path: 'src/structs/table-move.ts',
    reason: 'its checker stands in table.ts',
  },
  {
    rule: 'drawings',
    path: 'docs/memory.md',
    containing: 'src/structs/table-move.ts',
    reason: 'its drawing stands in table.ts',
  },
  {
    rule: 'struct check',
    path: 'src/structs/tree-move.ts',
    reason: 'its checker stands in tree.ts',
  },
  {
    rule: 'drawings',
    path: 'docs/memory.md',
    containing: 'src/structs/tree-move.ts',
    reason: 'its drawing stands in tree-node.ts',
  },
  {
    rule: 'drawings',
    path: 'docs/memory.md',
    containing: 'src/structs/chain-layout.ts',
    reason: 'its drawing stands in chain.ts',
  },
  {
    rule: 'drawings',
    path: 'docs/memory.md',
    containing: 'src/structs/packed-layout.ts',
    reason: 'its drawing stands in packed.ts',
  },
  {
    rule: 'drawings',
    path: 'docs/memory.md',
    containing: 'src/structs/ends.ts',
    reason: 'its drawing stands in chain.ts',
  },
  {
    rule: 'drawings',
    path: 'docs/memory.md',
    containing: 'src/structs/tree.ts',
    reason: 'its drawing stands in tree-node.ts',
  },
  {
    rule: 'file length',
    path: 'src/client/commands.generated.ts',
    reason: 'a list of all commands, written by `npm run docs`',
  },
  {
    rule: 'unused file',
    path: 'src/slab/check.ts',
    reason: 'a checker, run by tests and fuzzers alone; it belongs beside what it checks',
  },
];

/** What is left after the exceptions, and the exceptions that excused nothing. */
export function excuse(
  rule: string,
  violations: readonly Violation[],
  exceptions: readonly Exception[] = EXCEPTIONS,
): Violation[] {
  const rows = exceptions.filter((exception) => exception.rule === rule);
  const left = violations.filter((violation) => !rows.some((row) => excuses(row, violation)));
  const idle = rows.filter((row) => !violations.some((violation) => excuses(row, violation)));
  return [
    ...left,
    ...idle.map((row) => ({
      rule,
      path: row.path,
      line: 1,
      text: `its row in test/tidy/exceptions.ts excuses nothing any more: take it out`,
    })),
  ];
}

function excuses(row: Exception, { path, text }: Violation): boolean {
  const isThere = row.path.endsWith('/') ? path.startsWith(row.path) : path === row.path;
  return isThere && (row.containing === undefined || text.includes(row.containing));
}
