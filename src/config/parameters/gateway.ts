// HTTP and WebSockets: see docs/gateway.md.

import { INT32_MAX, MB } from '../numbers.js';
import type { Row } from '../parameter.js';
import { choice, flag, integer, memory, textOrEmpty } from './rows.js';

const SECRET_BYTES_MIN = 16;
const MESSAGE_BYTES_MAX = 256 * MB;
/** uWebSockets.js takes 8 to 960. */
const IDLE_SECONDS_MIN = 8;
const IDLE_SECONDS_MAX = 960;

function checkSecret(value: string): string | null {
  if (value === '' || Buffer.byteLength(value) >= SECRET_BYTES_MIN) return null;
  return `gateway-token-secret has at least ${SECRET_BYTES_MIN} bytes`;
}

export const GATEWAY_PARAMETERS: readonly Row[] = [
  // 0 is no gateway.
  integer('gateway-port', { default: 0, min: 0, max: 65_535, isMutable: false }),
  textOrEmpty('gateway-bind', { default: '127.0.0.1', isMutable: false }),
  textOrEmpty('gateway-origins', { default: '' }),
  flag('gateway-tls', { default: false, isMutable: false }),
  textOrEmpty('gateway-token-secret', { default: '', isSensitive: true, check: checkSecret }),
  memory('gateway-max-message-bytes', {
    default: MB,
    min: 1024,
    max: MESSAGE_BYTES_MAX,
    isMutable: false,
  }),
  // Commands a second; 0 is no limit.
  integer('gateway-rate', { default: 0, min: 0, max: INT32_MAX }),
  integer('gateway-idle-seconds', {
    default: 60,
    min: IDLE_SECONDS_MIN,
    max: IDLE_SECONDS_MAX,
    isMutable: false,
  }),
  choice('gateway-engine', { values: ['auto', 'uws', 'node'], default: 'auto', isMutable: false }),
];
