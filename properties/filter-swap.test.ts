// Guarantee `filter-swap` (CC-O3).
//
// While a filter changes, the callback runs for functions of the old filter and for functions of the new one, and
// for no others: at no moment for all. A hit that begins after the call has returned follows the new one alone.
// Documented in "Using ftrace to hook to functions", section "Filtering which functions to trace": FT-40, FT-42,
// CC-G3.
import { expect, test } from 'vitest';
import { checkGuarantee, EXERCISED_MIN, TEST_MS } from './check-guarantee.ts';

test(
  'no schedule shows a filter that is neither the old one nor the new one',
  { timeout: TEST_MS },
  () => {
    expect(checkGuarantee('filter-swap')).toBeGreaterThanOrEqual(EXERCISED_MIN);
  },
);
