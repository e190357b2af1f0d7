// Marks the program that this file is part of: `npm run exercised` and `npm run nightly` build one for themselves.
import { fileURLToPath } from 'node:url';
import { markPrograms } from './mark-programs.ts';

markPrograms(process.cwd(), fileURLToPath(new URL('..', import.meta.url)));
