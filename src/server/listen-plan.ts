// Where to listen, as the configuration says.

import type { Config } from '../config/config.js';
import type { ListenPlan } from '../net/listen.js';

/** Where encrypted connections come in. */
export function tlsListenPlan(config: Config): ListenPlan {
  return { ...listenPlan(config), port: config.number('tls-port'), unixSocket: '', isTls: true };
}

export function listenPlan(config: Config): ListenPlan {
  return {
    port: config.number('port'),
    // Empty: nowhere but at the unix socket, as Redis has it.
    bind: config.list('bind'),
    backlog: config.number('tcp-backlog'),
    unixSocket: config.text('unixsocket'),
  };
}
