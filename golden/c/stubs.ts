// Kernel symbols as a booted kernel publishes them, for tests of compiled code.
import type { Address } from '../../src/emu/address.ts';
import { EMU_STUBS, stubAddress, TRACE_STUBS_FIRST } from '../../src/emu/stub-table.ts';
import { TRACE_STUBS } from '../../src/trace/stub-table.ts';

export function stubAddresses(): ReadonlyMap<string, Address> {
  return new Map([
    ...EMU_STUBS.map((name, index) => [name, stubAddress(index)] as const),
    ...TRACE_STUBS.map((name, index) => [name, stubAddress(TRACE_STUBS_FIRST + index)] as const),
  ]);
}
