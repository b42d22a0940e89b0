// Where to listen, as the configuration says.

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
