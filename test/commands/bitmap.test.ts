// Bitmaps: the dialogue in bitmap.txt, in every way.

import { playTranscript } from '../support/play.js';

playTranscript(new URL('./bitmap.txt', import.meta.url));
