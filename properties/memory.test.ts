// Guarantee `memory` (CC-O7).
//
// Nothing is used after it was freed, neither a trampoline nor a filter hash nor any other object, and nothing
// is freed while somebody will still return to it.
// Follows from "Using ftrace to hook to functions", section "The ftrace_ops structure": what nobody will call or
// look at any more can be freed, and only that (FT-30, CC-G1, CC-M15).
import { expect, test } from 'vitest';
import { checkGuarantee, EXERCISED_MIN, TEST_MS } from './check-guarantee.ts';

test('no schedule uses what was freed', { timeout: TEST_MS }, () => {
  expect(checkGuarantee('memory')).toBeGreaterThanOrEqual(EXERCISED_MIN);
});

// Nor is the text of a module, whose functions are called while it comes and goes (CC-S20.4-6).
test(
  'no schedule runs in the text of a module that is gone (CC-S20.5)',
  { timeout: TEST_MS },
  () => {
    expect(checkGuarantee('memory', { cases: 'modules' })).toBeGreaterThanOrEqual(EXERCISED_MIN);
  },
);
