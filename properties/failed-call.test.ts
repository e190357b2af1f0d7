// Guarantee `failed-call` (CC-O13).
//
// A call that fails returns the error that is documented for it, and leaves filters, registration and records as they
// were: for calls that come twice, that match nothing, and that find no memory.
// Documented in "Using ftrace to hook to functions", section "Filtering which functions to trace": FT-43, CC-G16.
import { expect, test } from 'vitest';
import { checkGuarantee, EXERCISED_MIN, TEST_MS } from './check-guarantee.ts';

test('no schedule lets a call that fails change anything', { timeout: TEST_MS }, () => {
  expect(checkGuarantee('failed-call')).toBeGreaterThanOrEqual(EXERCISED_MIN);
});
