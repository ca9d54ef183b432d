// For node -r: runs before the program, in the same worker.
'use strict';
globalThis.preloaded = true;
