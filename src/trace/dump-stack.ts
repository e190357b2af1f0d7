// Layer trace. `dump_stack`: the calls that have not returned, innermost first, as lines of the kernel log. They come from
// the true calls that the machine knows, so a return that is taken shows where it really goes on, as the unwinder of
// today finds it (KR-11); an era can say otherwise. Left out: the kernel's own functions, for they are no guest code.
import { known } from '../assert.ts';
import { type Address, NO_ADDRESS, toAddress } from '../emu/address.ts';
import type { Context, TrueCall } from '../emu/context.ts';
import { EMU_EVENTS } from '../emu/event.ts';
import { symbolText } from '../emu/printk.ts';
import { FRAME_PC, REG } from '../emu/regs.ts';
import { RETURN_STUB } from '../emu/stub-table.ts';
import { MCOUNT_INSN_SIZE } from './ftrace-insn.ts';
import type { Kernel } from './kernel.ts';
import { hasTakenReturn } from './rethook-return.ts';
import { isReturnText } from './rethook-trampoline.ts';

/** `arch_rethook_trampoline`, by the name that it has in 2.6.31. */
const TRAMPOLINE = 'kretprobe_trampoline';

/** `dump_stack()`: any context; part of the present step. */
export function dumpStack(cx: Context, k: Kernel): number {
  const { cpu, task } = cx;
  const say = (line: string): void => {
    cx.emit(EMU_EVENTS.printk.id, k.machine.strings.id(line));
  };
  say(`CPU: ${cpu.id} PID: ${task.pid} Comm: ${task.name}`);
  say('Call Trace:');
  for (const place of stackTrace(cx, k)) say(` ${place}`);
  return 0;
}

/** Where each call goes on that is under way on the CPU: of what runs first, then of what it interrupted. */
function stackTrace(cx: Context, k: Kernel): readonly string[] {
  const { contexts, hart } = cx.cpu;
  const found: string[] = [];
  const ra = toAddress(hart.lo[REG.ra] as number, hart.hi[REG.ra] as number);
  for (let level = contexts.indexOf(cx); level >= 0; level--) {
    const one = known(contexts[level], 'a level has its context');
    const above = contexts[level + 1]?.frame[FRAME_PC];
    found.push(...placeText(k, one === cx || above === undefined ? ra : above));
    one.calls.toReversed().forEach((call, depth) => {
      found.push(...callerText(k, one, call, one.calls.length - 1 - depth));
    });
  }
  return found;
}

/** Where the caller of `call`, which is number `index` of `cx`, goes on; nothing where that is kernel code. */
function callerText(k: Kernel, cx: Context, call: TrueCall, index: number): readonly string[] {
  if (call.ra === RETURN_STUB) return placeText(k, hookedPlace(k, cx, index));
  return k.fn.unwindSeesTrampoline(k, cx, call) ? [`${TRAMPOLINE}+0x0`] : placeText(k, call.ra);
}

/**
 * Number `index` of the calls of `cx` was made by kernel code, maybe for a hook of the call below it: where that one goes
 * on. Not when it has come to the text behind its return, for then it is over.
 */
function hookedPlace(k: Kernel, cx: Context, index: number): Address {
  const below = cx.calls[index - 1];
  const made = cx.activities.find((one) => one.kind === 'guest' && one.callsBelow === index);
  if (below === undefined || made?.kind !== 'guest') return NO_ADDRESS;
  if (isReturnText(savedReturn(made.saved))) return NO_ADDRESS;
  const site = k.functions.find(({ address }) => address === below.func)?.site ?? NO_ADDRESS;
  return site === NO_ADDRESS ? below.func : site + MCOUNT_INSN_SIZE[k.patching];
}

/** The `ra` of who called kernel code. */
function savedReturn([lo = 0, hi = 0]: readonly number[]): Address {
  return toAddress(lo, hi);
}

function placeText({ machine }: Kernel, address: Address): readonly string[] {
  return machine.symbolAt(address) === undefined ? [] : [symbolText(machine, address, true)];
}

/** Link: does the unwinder take the trampoline for where the call returns to? Not today's (KR-11). */
export function unwindSeesTrampoline(_k: Kernel, _cx: Context, _call: TrueCall): boolean {
  return false;
}

/** What stands on the stack is what 2.6.31 shows (KR-11). */
export function unwindTakenReturn(k: Kernel, { task }: Context, { sp }: TrueCall): boolean {
  return hasTakenReturn(k, task, sp);
}
