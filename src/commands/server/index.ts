// Commands about the server itself: its figures, settings, time, end.

import { type CommandSpec, Flag, sessionCommand } from '../../dispatch/define.js';
import { absentFeatures } from './absent.js';
import { config } from './config.js';
import { debug } from './debug.js';
import { hotkeys } from './hotkeys.js';
import { latency } from './latency.js';
import { lolwut } from './lolwut.js';
import { memory } from './memory.js';
import { monitor } from './monitor.js';
import { info } from './report.js';
import { savingCommands } from './saving.js';
import { shutdown } from './shutdown.js';
import { slowlog } from './slowlog.js';

const US_PER_SECOND = 1_000_000;

const time = sessionCommand({
  name: 'time',
  arity: 1,
  group: 'server',
  since: '2.6.0',
  summary: "Tells the server's time.",
  cost: 'O(1)',
  flags: Flag.Loading | Flag.Stale | Flag.Fast,
  tips: ['nondeterministic_output'],
  run({ reply, server, scripts }) {
    const nowUs = scripts.isRunning ? scripts.timeUs : server.nowUs();

    reply.array(2);
    reply.bulkInteger(Math.floor(nowUs / US_PER_SECOND));
    reply.bulkInteger(nowUs % US_PER_SECOND);
  },
});

export const serverCommands: readonly CommandSpec[] = [
  config,
  debug,
  hotkeys,
  info,
  latency,
  lolwut,
  memory,
  monitor,
  shutdown,
  slowlog,
  time,
  ...absentFeatures,
  ...savingCommands,
];
