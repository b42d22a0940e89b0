// CONFIG SET port and bind: the thread that was asked listens where it shall before it answers; the
// acceptor hears of it (net/listening.ts). With the node transport the sockets stay as they are.

import { ListeningSockets } from '../net/listening.js';
import type { Executor } from './executor.js';
import { listenPlan, tlsListenPlan } from './listen-plan.js';

const NO_PORT = 'Unable to listen on this port. Check server logs.';
const NO_ADDRESS = 'Failed to bind to specified addresses.';

export function moveListeners(executor: Executor): void {
  const { config, shape } = executor;
  if (shape.facts.transport !== 'native') {
    refuseToMove(executor);
    return;
  }
  const listening = new ListeningSockets(shape.listening);
  const moveOr = (sentence: string) => () => {
    // Whoever only takes over a change has nothing to do.
    if (!executor.isChangingConfig) return;
    const plans = [listenPlan(config), tlsListenPlan(config)];
    try {
      listening.change(plans, config.number('tcp-backlog'), (line) =>
        executor.log.write('warning', line),
      );
    } catch (error) {
      executor.log.write('warning', (error as Error).message);
      return sentence;
    }
    executor.post.wake(shape.acceptorThread);
    return;
  };
  config.onChange('port', moveOr(NO_PORT));
  config.onChange('bind', moveOr(NO_ADDRESS));
}

function refuseToMove({ config }: Executor): void {
  for (const name of ['port', 'bind']) {
    const atStart = config.get([name], () => false).join(' ');
    config.onChange(name, () =>
      config.get([name], () => false).join(' ') === atStart
        ? undefined
        : `The node transport listens where it was started: restart with another ${name}`,
    );
  }
}
