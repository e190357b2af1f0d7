// Rules of finished parts that nothing covers yet. The lists may only shrink: a rule that is covered has to be
// taken off, and one that is not on its document's list has to stay covered.
import type { SpecDocument } from './spec.ts';

/** Documents that are held to it. The others are shown in docs/rules.md only. */
export const OPEN: Readonly<Partial<Record<SpecDocument, readonly string[]>>> = {
  ftrace: [
    // State bits of records, which the model does without.
    'FT-1',
    'FT-3',
    // Direct calls, the PID and PERMANENT flags: an ops that asks for one of them is refused.
    'FT-18',
    'FT-25.6',
    'FT-25.9',
    // Misuse that strict mode is to report.
    'FT-34',
    'FT-35',
    // The sysctl.
    'FT-48',
  ],
};
