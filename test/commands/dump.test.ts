// DUMP and RESTORE: the dialogue in dump.txt, in every way.

import { playTranscript } from '../support/play.js';

playTranscript(new URL('./dump.txt', import.meta.url));
