// Guarantee `start` (CC-O2).
//
// Once register has returned 0, every call of a selected function runs the callback, for as long as nobody calls
// anything on the probe; other probes that come, go or change make it miss none.
// Documented in "Using ftrace to hook to functions", section "The ftrace_ops structure": FT-26, CC-G2.
import { expect, test } from 'vitest';
import { checkGuarantee, EXERCISED_MIN, TEST_MS } from './check-guarantee.ts';

test(
  'no schedule makes a registered probe miss a call of a selected function',
  { timeout: TEST_MS },
  () => {
    expect(checkGuarantee('start')).toBeGreaterThanOrEqual(EXERCISED_MIN);
  },
);
