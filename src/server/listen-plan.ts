// Where to listen, as the configuration says.

import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { Config } from '../config/config.js';
import type { ListenPlan } from '../net/listen.js';

export function listenPlan(config: Config): ListenPlan {
  const bind = config.list('bind');
  return {
    port: config.number('port'),
    bind: bind.length === 0 ? ['*', '-::*'] : bind,
    backlog: config.number('tcp-backlog'),
    unixSocket: config.text('unixsocket'),
  };
}

/** The plan with addresses for names: what binds knows addresses only. */
export async function resolvePlan(plan: ListenPlan): Promise<ListenPlan> {
  return { ...plan, bind: await Promise.all(plan.bind.map(resolveEntry)) };
}

async function resolveEntry(entry: string): Promise<string> {
  const mark = entry.startsWith('-') ? '-' : '';
  const name = entry.slice(mark.length);
  if (name === '*' || name === '::*' || isIP(name) !== 0) return entry;
  try {
    const { address } = await lookup(name, { family: 4 });
    return mark + address;
  } catch {
    // Binding tells which entry it was.
    return entry;
  }
}
