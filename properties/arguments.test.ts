// Guarantee `arguments`.
//
// A callback gets what it was promised: its own ops, with the data in it; as ip the call site of the function that was
// hit; as parent_ip the address to which that function returns; and, if it looks, the arguments with which it was
// called. Its neighbours on the list, hits inside it and interrupts change nothing about that.
// Documented in "Using ftrace to hook to functions", section "The callback function": FT-4, FT-15, FT-19.
// Handlers of fprobes get the site and the true return address of their call, tail calls included, and entry_data where
// both share it. Documented in "Fprobe - Function entry/exit probe": FP-1, FP-2.
import { expect, test } from 'vitest';
import { checkGuarantee, EXERCISED_MIN, TEST_MS } from './check-guarantee.ts';

test('no schedule gives a callback what is meant for another', { timeout: TEST_MS }, () => {
  expect(checkGuarantee('arguments')).toBeGreaterThanOrEqual(EXERCISED_MIN);
});
