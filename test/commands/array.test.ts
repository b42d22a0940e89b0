// Arrays: the dialogue in array.txt, in every way.

import { playTranscript } from '../support/play.js';

playTranscript(new URL('./array.txt', import.meta.url));
