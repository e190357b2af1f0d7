// Layer emu. Guest memory that kernel code uses because a guest pointed it there: a pattern, a struct. Where
// the guest itself would fault (riscv/access.ts), the kernel dies of it: an oops event, never an assertion.
import type { Address } from './address.ts';
import type { Context } from './context.ts';
import { firstDead } from './memory.ts';
import { type KObject, touch } from './slab.ts';

/** Longest string that the kernel takes from a guest; longer ones are cut. */
const STRING_BYTES_MAX = 4096;

/** Bytes that the kernel is about to use. */
export interface Place {
  readonly at: Address;
  readonly bytes: number;
  /** Will they be written too? */
  readonly writes: boolean;
}

/** May the kernel use `place` in this step? False after an oops. */
export function mayUse(cx: Context, { at, bytes, writes }: Place): boolean {
  const { machine } = cx.cpu;
  const segment = machine.memory.segmentAt(at);
  if (segment === undefined || at - segment.base + bytes > segment.size) {
    machine.fault(cx.cpu, 'unmapped', at);
    return false;
  }
  if (writes && !segment.writable) {
    machine.fault(cx.cpu, 'readonly', at);
    return false;
  }
  const dead = firstDead(segment, at, bytes);
  if (dead === undefined) return true;
  machine.fault(cx.cpu, 'freed', dead);
  return false;
}

/** The NUL-terminated string at `start`, or its first `most` bytes; undefined after an oops. */
export function readString(
  cx: Context,
  start: Address,
  most: number = STRING_BYTES_MAX,
): string | undefined {
  const { memory } = cx.cpu.machine;
  let text = '';
  for (let at = start; at < start + Math.min(most, STRING_BYTES_MAX); at++) {
    if (!mayUse(cx, { at, bytes: 1, writes: false })) return undefined;
    const byte = memory.load8(at);
    if (byte === 0) break;
    text += String.fromCharCode(byte);
  }
  return text;
}

/** The kernel uses the object that it found at `at`, whatever lies there now: an oops if it is dead (CC-M15). */
export function useObject(cx: Context, made: KObject, at: Address): void {
  if (made.live) return;
  touch(cx, made);
  cx.cpu.machine.oops(cx.cpu, 'freed', cx.cpu.hart.pc, at);
}
