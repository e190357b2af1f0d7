// Guarantee `memory` (CC-O7).
//
// Nothing is used after it was freed, neither a trampoline nor a filter hash nor any other object, and nothing
// is freed while somebody will still return to it.
// Documented in "Using ftrace to hook to functions", section "The ftrace_ops structure", which promises that
// what an ops holds can be freed once it is unregistered: FT-30, FT-38, CC-G1, CC-M15.
import { expect, test } from 'vitest';
import { checkGuarantee, EXERCISED_MIN, TEST_MS } from './check-guarantee.ts';

test('no schedule uses what was freed', { timeout: TEST_MS }, () => {
  expect(checkGuarantee('memory')).toBeGreaterThanOrEqual(EXERCISED_MIN);
});
