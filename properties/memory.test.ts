// Guarantee `memory` (CC-O7).
//
// Nothing is used after it was freed, neither a trampoline nor a filter hash nor any other object, and nothing
// is freed while somebody will still return to it.
// Follows from "Using ftrace to hook to functions", section "The ftrace_ops structure": what nobody will call or
// look at any more can be freed, and only that (FT-30, FT-38, CC-G1, CC-M15).
import { expect, test } from 'vitest';
import { checkGuarantee, EXERCISED_MIN, TEST_MS } from './check-guarantee.ts';

test('no schedule uses what was freed', { timeout: TEST_MS }, () => {
  expect(checkGuarantee('memory')).toBeGreaterThanOrEqual(EXERCISED_MIN);
});
