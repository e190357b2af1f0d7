// Rules of finished parts that nothing covers yet. The lists may only shrink: a rule that is covered has to be
// taken off, and one that is not on its document's list has to stay covered.
import type { SpecDocument } from './spec.ts';

/** Documents that are held to it. The others are shown in docs/rules.md only. */
export const OPEN: Readonly<Partial<Record<SpecDocument, readonly string[]>>> = {
  ftrace: [],
  fprobe: [],
  concurrency: [],
};
