// Functions: the dialogue in functions.txt, in every way.

import { playTranscript } from '../support/play.js';

playTranscript(new URL('./functions.txt', import.meta.url));
