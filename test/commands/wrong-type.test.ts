// String commands on keys of other types: the dialogue in wrong-type.txt, in every way.

import { playTranscript } from '../support/play.js';

playTranscript(new URL('./wrong-type.txt', import.meta.url));
