// Sets: the dialogue in set.txt, in every way.

import { playTranscript } from '../support/play.js';

playTranscript(new URL('./set.txt', import.meta.url));
