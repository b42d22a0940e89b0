// Streams: the dialogue in stream.txt, in every way.

import { playTranscript } from '../support/play.js';

playTranscript(new URL('./stream.txt', import.meta.url));
