// The keyspace: the dialogue in generic.txt, in every way.

import { playTranscript } from '../support/play.js';

playTranscript(new URL('./generic.txt', import.meta.url));
