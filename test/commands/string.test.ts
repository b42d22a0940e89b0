// Strings: the dialogue in string.txt, in every way.

import { playTranscript } from '../support/play.js';

playTranscript(new URL('./string.txt', import.meta.url));
