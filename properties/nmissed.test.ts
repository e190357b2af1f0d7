// Guarantee `nmissed` (CC-O6).
//
// Every hit of an fprobe is handled, counted as missed, or passed over for a listed reason; and the counter is exact, in every
// era of fprobe.
// Documented in "Fprobe - Function entry/exit probe", section "The missed counter": FP-4, FP-9, FP-32, FP-72, CC-G10.
import { expect, test } from 'vitest';
import { checkGuarantee, EXERCISED_MIN, TEST_MS } from './check-guarantee.ts';

test('nmissed counts what was missed, in every era', { timeout: TEST_MS }, () => {
  expect(checkGuarantee('nmissed')).toBeGreaterThanOrEqual(EXERCISED_MIN);
});
