// Hashes: the dialogue in hash.txt, in every way.

import { playTranscript } from '../support/play.js';

playTranscript(new URL('./hash.txt', import.meta.url));
