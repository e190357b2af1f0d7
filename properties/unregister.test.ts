// Guarantee `unregister` (CC-O1).
//
// Once unregister_ftrace_function has returned 0, the callback of the ops runs on no CPU, in no task and in no
// interrupt, and none will start. So what the callback uses can be freed.
// Documented in "Using ftrace to hook to functions", section "The ftrace_ops structure": FT-30, CC-G1.
import { expect, test } from 'vitest';
import { checkGuarantee, EXERCISED_MIN, TEST_MS } from './check-guarantee.ts';

test('no schedule lets a callback run when its unregister is over', { timeout: TEST_MS }, () => {
  expect(checkGuarantee('unregister')).toBeGreaterThanOrEqual(EXERCISED_MIN);
});
