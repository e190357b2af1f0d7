// Layer trace. `struct pt_regs` of a breakpoint trap: on the stack that the trap interrupted, below what that stack holds.
// Filled from the frame of the trap before handlers run, and read back into it behind them (KP-45), so that a handler
// edits any register, `sp` and `ip` included.
import { type Address, addressHi, addressLo, NO_ADDRESS, toAddress } from '../emu/address.ts';
import type { Context } from '../emu/context.ts';
import { FRAME_HI, REG } from '../emu/regs.ts';
import { FTRACE_REGS, PT_REGS, PT_REGS_BYTES, PT_REGS_IP } from './ftrace-regs.ts';
import type { Kernel } from './kernel.ts';

const STACK_ALIGN = 16;

/** All that a trap saves: what the trampolines of ftrace show, and t0, which a call site takes but a breakpoint does not. */
const PLACES: readonly { readonly number: number; readonly offset: number }[] = [
  ...PT_REGS,
  { number: REG.t0, offset: FTRACE_REGS.t0 },
];

/** Makes the registers of the trap, with `ip`, visible to handlers; undefined after an oops: there is no room. */
export function pushPtRegs(cx: Context, k: Kernel, ip: Address): Address | undefined {
  return cx.make(() => {
    const { memory } = k.machine;
    const { frame } = cx;
    const sp = toAddress(frame[REG.sp] as number, frame[FRAME_HI + REG.sp] as number);
    const regs = sp === NO_ADDRESS ? NO_ADDRESS : (sp - PT_REGS_BYTES) & -STACK_ALIGN;
    const segment = regs === NO_ADDRESS ? undefined : memory.segmentAt(regs);
    if (
      segment?.writable !== true ||
      regs < segment.base ||
      !memory.contains(regs, PT_REGS_BYTES)
    ) {
      cx.cpu.machine.oops(cx.cpu, 'stack', ip, regs);
      return undefined;
    }
    for (const { number, offset } of PLACES) {
      memory.store64(regs + offset, frame[number] as number, frame[FRAME_HI + number] as number);
    }
    memory.store64(regs + PT_REGS_IP, addressLo(ip), addressHi(ip));
    setStackPointer(cx, regs);
    return regs;
  });
}

/** Takes over what handlers have made of the registers; `ip`. */
export function popPtRegs(cx: Context, k: Kernel, regs: Address): Address {
  return cx.make(() => {
    const { memory } = k.machine;
    for (const { number, offset } of PLACES) {
      cx.frame[number] = memory.loadLo(regs + offset);
      cx.frame[FRAME_HI + number] = memory.loadHi(regs + offset);
    }
    return toAddress(memory.loadLo(regs + PT_REGS_IP), memory.loadHi(regs + PT_REGS_IP));
  });
}

/** Handlers get their frames below. */
function setStackPointer({ cpu: { hart } }: Context, sp: Address): void {
  hart.lo[REG.sp] = addressLo(sp);
  hart.hi[REG.sp] = addressHi(sp);
}
