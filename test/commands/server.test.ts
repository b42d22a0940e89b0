// The server: the dialogue in server.txt, in every way.

import { playTranscript } from '../support/play.js';

playTranscript(new URL('./server.txt', import.meta.url));
