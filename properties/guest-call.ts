// Calls of kernel symbols from a path, with the arguments that guest code would put into a0, a1, ...
import { known } from '../src/assert.ts';
import { type Address, addressHi, addressLo, toAddress } from '../src/emu/address.ts';
import type { Context } from '../src/emu/context.ts';
import { callGuest, type Path } from '../src/emu/path.ts';
import type { EmuStub } from '../src/emu/stub-table.ts';
import type { TraceStub } from '../src/trace/stub-table.ts';
import type { SmallKernel } from './small-kernel.ts';

/** A pointer, or a small number, as an argument. */
export type Argument = { readonly at: Address } | number;

export function pointer(at: Address): Argument {
  return { at };
}

/** Calls a kernel symbol as guest code does. */
export function call(
  m: Pick<SmallKernel, 'machine'>,
  cx: Context,
  name: EmuStub | TraceStub,
  args: readonly Argument[],
): Path<number> {
  const target = known(m.machine.stubs.addresses().get(name), `${name} is a kernel symbol`);
  const words = args.flatMap((argument) =>
    typeof argument === 'number'
      ? [argument, argument >> 31]
      : [addressLo(argument.at), addressHi(argument.at)],
  );
  return callGuest(cx.cpu.state, target, words);
}

/** `kmalloc`: the host address of the new object; NO_ADDRESS for NULL. */
export function* kmalloc(
  m: Pick<SmallKernel, 'machine'>,
  cx: Context,
  bytes: number,
): Path<Address> {
  // Only the low word comes back; the heap lies in the kernel's half.
  return toAddress(yield* call(m, cx, 'kmalloc', [bytes]), -1);
}
