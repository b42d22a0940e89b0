// Places: the dialogue in geo.txt, in every way.

import { playTranscript } from '../support/play.js';

playTranscript(new URL('./geo.txt', import.meta.url));
