// Guarantee `text` (CC-O9).
//
// While a call site is rewritten under running code, every CPU executes the old instruction or the new one: never
// halves of both, never a breakpoint that nobody claims, and nothing old once it has answered a sync.
// Follows from "Using ftrace to hook to functions", section "The ftrace context": almost any function can get a
// callback, from any context, while it runs (FT-7, FT-8, FT-9, CC-M5, CC-G24).
import { expect, test } from 'vitest';
import { checkGuarantee, EXERCISED_MIN, TEST_MS } from './check-guarantee.ts';

test('no schedule shows a site in pieces', { timeout: TEST_MS }, () => {
  expect(checkGuarantee('text')).toBeGreaterThanOrEqual(EXERCISED_MIN);
});
