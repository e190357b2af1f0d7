// Guarantee `recursion` (CC-O8).
//
// What leads back to itself is let through once more for each task and then refused, whatever interrupts and NMIs
// come in between, also before their own level shows; and nothing else is refused.
// Documented in "Using ftrace to hook to functions", section "Protect your callback": FT-51, FT-52, FT-56, CC-H5,
// CC-G11.
import { expect, test } from 'vitest';
import { checkGuarantee, EXERCISED_MIN, TEST_MS } from './check-guarantee.ts';

test(
  'no schedule lets recursion through twice, or refuses what is none',
  { timeout: TEST_MS },
  () => {
    expect(checkGuarantee('recursion')).toBeGreaterThanOrEqual(EXERCISED_MIN);
  },
);
