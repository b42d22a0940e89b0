// Sorted sets: the dialogue in sorted-set.txt, in every way.

import { playTranscript } from '../support/play.js';

playTranscript(new URL('./sorted-set.txt', import.meta.url));
