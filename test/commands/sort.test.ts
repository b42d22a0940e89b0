// SORT: the dialogue in sort.txt, in every way.

import { playTranscript } from '../support/play.js';

playTranscript(new URL('./sort.txt', import.meta.url));
