// Scripts: the dialogue in scripting.txt, in every way.

import { playTranscript } from '../support/play.js';

playTranscript(new URL('./scripting.txt', import.meta.url));
