// Layer emu: imports nothing above it, no package and no node: module.
// The memory map (ARCHITECTURE.md, "Memory"). A host-side `Address` is the offset from KERNEL_BASE as a
// signed 32-bit integer: 0 is the first byte of the image; negative values are the user segment. A guest
// register holds the full 64-bit value as two words: lo = address ^ 0x80000000, hi = -1 (kernel) or 0 (user).

/** Offset of a guest address from 0xffffffff80000000; an int32. */
export type Address = number;

/** No address: no segment is ever placed here. */
export const NO_ADDRESS: Address = -1;

export const IMAGE_BASE: Address = 0;
export const IMAGE_BYTES_MAX = 0x80000;
export const TRAMPOLINE_BASE: Address = 0x80000;
export const TRAMPOLINE_BYTES_MAX = 0x20000;
/** Copies of instructions that are stepped out of line. */
export const SLOT_BASE: Address = 0xa0000;
export const SLOT_BYTES_MAX = 0x20000;
export const STUB_BASE: Address = 0xc0000;
export const STUB_BYTES_MAX = 0x10000;
export const MODULE_BASE: Address = 0xd0000;
export const MODULE_BYTES_MAX = 0x30000;
// 0x1ff000 is kept for `function_trace_op` and 0x200000 on for `ftrace_ops` structs (src/trace).
/** Task `n` (from 0) has its `struct task_struct` at TASK_STRUCT_BASE + n * TASK_STRUCT_BYTES. */
export const TASK_STRUCT_BASE: Address = 0x0fff0000;
export const TASK_STRUCT_BYTES = 64;
/** Task `n` (from 0) has its stack at STACK_BASE + n * STACK_STRIDE + GUARD_BYTES; the guard lies below it. */
export const STACK_BASE: Address = 0x10000000;
export const STACK_BYTES = 0x4000;
export const GUARD_BYTES = 0x1000;
export const STACK_STRIDE: number = STACK_BYTES + GUARD_BYTES;
export const HEAP_BASE: Address = 0x20000000;
export const HEAP_BYTES_MAX = 0x1000000;
/** 0x400000 in the guest. */
export const USER_BASE: Address = 0x00400000 ^ -0x80000000;

/** Low word of the guest value of `address`. */
export function addressLo(address: Address): number {
  return address ^ -0x80000000;
}

/** High word of the guest value of `address`. */
export function addressHi(address: Address): number {
  return address >= 0 ? -1 : 0;
}

/** The guest value of `address`, unsigned. */
export function guestValue(address: Address): bigint {
  return (BigInt(addressHi(address) >>> 0) << 32n) | BigInt(addressLo(address) >>> 0);
}

/** The host address of a guest value, or NO_ADDRESS when no segment can lie there. */
export function toAddress(lo: number, hi: number): Address {
  if (hi === -1 && lo < 0) return lo ^ -0x80000000;
  if (hi === 0 && lo >= 0) return lo ^ -0x80000000;
  return NO_ADDRESS;
}

/** The address `offset` bytes from `base`, or NO_ADDRESS when that is in neither half. */
export function addressFrom(base: Address, offset: number): Address {
  const sum = base + offset;
  return base < 0 === sum < 0 ? sum | 0 : NO_ADDRESS; // From the end of a half on it wraps into the other.
}

/** `0xffffffff80000010`, for messages. */
export function hexAddress(address: Address): string {
  const lo = (addressLo(address) >>> 0).toString(16).padStart(8, '0');
  return address >= 0 ? `0xffffffff${lo}` : `0x${lo}`;
}
