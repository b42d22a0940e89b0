// Transactions: the dialogue in transactions.txt, in every way.

import { playTranscript } from '../support/play.js';

playTranscript(new URL('./transactions.txt', import.meta.url));
