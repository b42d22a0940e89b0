// Lists: the dialogue in list.txt, in every way.

import { playTranscript } from '../support/play.js';

playTranscript(new URL('./list.txt', import.meta.url));
