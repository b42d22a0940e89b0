// Publish and subscribe: the dialogue in pubsub.txt, in every way.

import { playTranscript } from '../support/play.js';

playTranscript(new URL('./pubsub.txt', import.meta.url));
