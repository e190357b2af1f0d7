// Guarantee `context`.
//
// From a recursion trylock that succeeded to its unlock preemption is off: the task stays where it is, and so does
// whatever the list function calls, which holds such a lock. A callback ends on the CPU and in the interrupt in
// which it began, with interrupts as they were.
// Documented in "Using ftrace to hook to functions", section "Protect your callback": FT-22, FT-53.
// Handlers of fprobes run with preemption off and interrupts as they were. Documented in "Fprobe - Function entry/exit
// probe": FP-11.
import { expect, test } from 'vitest';
import { checkGuarantee, EXERCISED_MIN, TEST_MS } from './check-guarantee.ts';

test('no schedule preempts a task that holds the recursion lock', { timeout: TEST_MS }, () => {
  expect(checkGuarantee('context')).toBeGreaterThanOrEqual(EXERCISED_MIN);
});
