// `npm run game`: a small game for several players. This program only loads the rules and serves
// the page; while people play, their browsers speak to Flagstone alone.

import { randomBytes } from 'node:crypto';
import { setStage, stopOnSignals } from '../stage.js';
import { LIBRARY } from './library.js';

const visitor = { user: 'player', password: randomBytes(18).toString('base64url') };
const stage = await setStage({ name: 'game', port: 3000, visitor });
await stage.db.functionLoad('REPLACE', LIBRARY);
// A function runs with the rights of its caller, so pages need those that the rules use; they end
// at the game's keys and its channel. A game with something to win would move in a server.
await stage.db.send(
  ...['ACL', 'SETUSER', visitor.user, 'reset', 'on', `>${visitor.password}`],
  ...['~game:*', '&game:*', '+@read', '+@write', '-@dangerous', '+fcall', '+fcall_ro'],
  ...['+publish', '+subscribe', '+unsubscribe', '+time', '+ping'],
);
stopOnSignals(stage.stop);
console.log(`The game is at ${stage.pageUrl} (open it in several windows; Ctrl+C ends it)`);
