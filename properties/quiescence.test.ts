// Guarantee `quiescence` (CC-O11).
//
// When every ops is unregistered again and the run is over, nothing is left of it: every call site is a nop, nobody is
// listed, counted or served, no trampoline and no hash lives that nobody has reason to keep, no recursion bit is
// set, every CPU is free, and no lock, wait or callback is open.
// Follows from "Using ftrace to hook to functions", section "The ftrace_ops structure": FT-2, FT-29, CC-G16.
import { expect, test } from 'vitest';
import { checkGuarantee, EXERCISED_MIN, TEST_MS } from './check-guarantee.ts';

test('no schedule leaves anything behind', { timeout: TEST_MS }, () => {
  expect(checkGuarantee('quiescence')).toBeGreaterThanOrEqual(EXERCISED_MIN);
});

test('nor are claims on functions of a module that comes and goes', { timeout: TEST_MS }, () => {
  const share = checkGuarantee('quiescence', { cases: 'module-claims' });
  expect(share).toBeGreaterThanOrEqual(EXERCISED_MIN);
});
