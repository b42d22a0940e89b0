// CONFIG SET of what TLS is made of: tried out before it counts, so that a bad file changes
// nothing. The threads that serve it (edge-tls.ts) then read the files anew.

import { checkTls, TLS_SETTINGS } from '../net/tls-settings.js';
import type { Executor } from './executor.js';

const FAILED = 'Unable to update TLS configuration. Check server logs.';

export function refuseTlsChanges(executor: Executor): void {
  const { config, control } = executor;
  const port = config.number('tls-port');
  config.onChange('tls-port', () =>
    config.number('tls-port') === port
      ? undefined
      : 'Flagstone listens where it was started: restart it with another tls-port',
  );
  config.onChange(TLS_SETTINGS, () => {
    // Files are of no interest without a port, and whoever only takes over a change has no say.
    if (port === 0 || !executor.isChangingConfig) return;
    const failure = checkTls(config);
    if (failure !== null) {
      executor.log.write('warning', failure);
      return FAILED;
    }
    control.renewTls();
    return;
  });
}
