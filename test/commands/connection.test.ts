// Connections: the dialogue in connection.txt, in every way.

import { playTranscript } from '../support/play.js';

playTranscript(new URL('./connection.txt', import.meta.url));
