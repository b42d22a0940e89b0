// Commands that wait, as long as one client alone can see it: the dialogue in blocking.txt, in
// every way. Who is served when others write is in blocking-engine.test.ts and in test/live.

import { playTranscript } from '../support/play.js';

playTranscript(new URL('./blocking.txt', import.meta.url));
