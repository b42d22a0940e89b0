// Commands of HyperLogLogs.

import { type Row, row } from './maker.js';

export const HYPERLOGLOGS: readonly Row[] = [
  row(30, (m) => ['PFADD', m.keyOf('hll'), ...m.members(5)]),
  row(8, (m) => ['PFADD', m.keyOf('hll'), ...m.manyMembers()]),
  row(2, (m) => ['PFADD', m.keyOf('hll')]),
  row(15, (m) => ['PFCOUNT', ...m.keysOf('hll', 3)]),
  row(10, (m) => ['PFMERGE', m.keyOf('hll'), ...m.keysOf('hll', 3)]),
  row(6, (m) => ['GET', m.keyOf('hll')]),
  row(3, (m) => ['DEL', m.keyOf('hll')]),
];
