// Which threads there are beside the workers that execute commands (edge.ts).

import type { Config } from '../config/config.js';
import type { EdgeKind } from '../dispatch/server-door.js';

/** One kind for each such thread, in the order of their numbers; none without their ports. */
export function edgesOf(config: Config, threadCount: number): EdgeKind[] {
  const edges: EdgeKind[] = [];
  if (config.number('tls-port') !== 0) {
    const count = config.number('tls-threads') || threadCount;
    for (let index = 0; index < count; index++) edges.push('tls');
  }
  if (config.number('gateway-port') !== 0) edges.push('gateway');
  return edges;
}
