// ACL: the dialogue in acl.txt, in every way.

import { playTranscript } from '../support/play.js';

playTranscript(new URL('./acl.txt', import.meta.url));
