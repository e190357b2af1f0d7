// Guarantee `pairing` (CC-O5).
//
// An exit handler runs once for each call whose entry handler returned 0, inner calls first, with the same data, in every
// era of fprobe, whatever tasks, interrupts and probes that come and go do meanwhile.
// Documented in "Fprobe - Function entry/exit probe", section "The fprobe entry/exit handler": FP-1, FP-2, FP-7, FP-8, CC-G9.
import { expect, test } from 'vitest';
import { checkGuarantee, EXERCISED_MIN, TEST_MS } from './check-guarantee.ts';

test('every exit handler belongs to an entry, in every era', { timeout: TEST_MS }, () => {
  expect(checkGuarantee('pairing')).toBeGreaterThanOrEqual(EXERCISED_MIN);
});
