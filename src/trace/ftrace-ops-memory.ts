// Layer trace. The memory of a `struct ftrace_ops`, or `struct fprobe`, that a guest allocated, and may free too early
// (CC-M15).
import type { Address } from '../emu/address.ts';
import type { Context } from '../emu/context.ts';
import { useObject } from '../emu/kernel-access.ts';
import { type KObject, touch } from '../emu/slab.ts';

/** A struct that a guest may have allocated. */
interface GuestStruct {
  readonly address: Address;
  /** The heap object that it lies in; undefined elsewhere. */
  readonly memory: KObject | undefined;
}

/**
 * The kernel reads or writes `ops`: an oops when its memory was freed. Called where a step first follows the
 * pointer, and once more after whatever may have let others run.
 */
export function useOps(cx: Context, ops: GuestStruct): void {
  const { memory, address } = ops;
  if (memory === undefined) return;
  cx.make(() => {
    useObject(cx, memory, address);
  });
}

/** As `useOps`, on behalf of a hit: live memory is reported as used, too. */
export function touchOps(cx: Context, ops: GuestStruct): void {
  const { memory } = ops;
  if (memory === undefined) return;
  cx.make(() => {
    if (memory.live) touch(cx, memory);
  });
  useOps(cx, ops);
}
