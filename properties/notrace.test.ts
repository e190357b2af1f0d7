// Guarantee `notrace` (CC-O4).
//
// The notrace set wins: a function in it never calls the callback, whether the filter set names it or not. An
// empty notrace set excludes nothing.
// Documented in "Using ftrace to hook to functions", section "Filtering which functions to trace": FT-36, FT-37,
// CC-G4.
import { expect, test } from 'vitest';
import { checkGuarantee, EXERCISED_MIN, TEST_MS } from './check-guarantee.ts';

test(
  'no schedule lets a callback run for a function in the notrace set',
  { timeout: TEST_MS },
  () => {
    expect(checkGuarantee('notrace')).toBeGreaterThanOrEqual(EXERCISED_MIN);
  },
);
