// MONITOR: from now on the connection reads along what all others say (pubsub/monitors.ts).

import type { Context } from '../../dispatch/context.js';
import { Flag, sessionCommand } from '../../dispatch/define.js';
import { updateToldness } from '../../dispatch/gates.js';
import { Refusal } from '../../resp/errors.js';
import { ClientFlag } from '../../stats/clients.js';

const NOT_HERE = new Refusal("ERR MONITOR isn't allowed for DENY BLOCKING client");

export const monitor = sessionCommand({
  name: 'monitor',
  arity: 1,
  group: 'server',
  since: '1.0.0',
  summary: 'Shows this connection every command that the server runs.',
  cost: 'O(1) for each command and each connection that reads along.',
  flags: Flag.Admin | Flag.NoScript | Flag.Loading | Flag.Stale,
  run({ session, server, reply }) {
    if (session.isDenyBlocking) throw NOT_HERE;
    // Whoever reads along already gets no second answer, as from Redis.
    if (session.isMonitor) return;

    session.isMonitor = true;
    session.shownFlags |= ClientFlag.Replica | ClientFlag.Monitor;
    updateToldness(session);
    server.monitors.add(session);

    reply.ok();
  },
});

/** RESET: the connection reads along no more. */
export function stopMonitoring({ session, server }: Context): void {
  if (!session.isMonitor) return;
  session.isMonitor = false;
  session.shownFlags &= ~(ClientFlag.Replica | ClientFlag.Monitor);
  updateToldness(session);
  server.monitors.remove(session);
}
