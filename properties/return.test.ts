// Guarantee `return` (CC-O10).
//
// Every function returns to the instruction behind its call, on the stack that it was called with, whatever is
// hooked meanwhile.
// Follows from "Using ftrace to hook to functions", section "The callback function": a callback is called in
// between, and the function that is traced goes on as if it had not been (CC-H3).
import { expect, test } from 'vitest';
import { checkGuarantee, EXERCISED_MIN, TEST_MS } from './check-guarantee.ts';

test('no schedule lets a function return elsewhere', { timeout: TEST_MS }, () => {
  expect(checkGuarantee('return')).toBeGreaterThanOrEqual(EXERCISED_MIN);
});
