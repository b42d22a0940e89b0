// HyperLogLogs: the dialogue in hyperloglog.txt, in every way.

import { playTranscript } from '../support/play.js';

playTranscript(new URL('./hyperloglog.txt', import.meta.url));
