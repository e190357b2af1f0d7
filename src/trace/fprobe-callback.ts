// Layer trace. Calling a handler of an fprobe (FP-1, FP-2). As for callbacks of an ftrace_ops the machine watches the
// function and reports its first instruction and its return (ftrace-callback.ts); whether a call of it is an fprobe's
// is read off the registers.
import { type Address, addressHi, addressLo, NO_ADDRESS, toAddress } from '../emu/address.ts';
import type { Context } from '../emu/context.ts';
import { andThen, callGuest, type Path } from '../emu/path.ts';
import { REG } from '../emu/regs.ts';
import { RETURN_STUB } from '../emu/stub-table.ts';
import { TRACE_EVENTS } from './event.ts';
import type { Fprobe } from './fprobe.ts';
import { FTRACE_REGS, isFull, PT_REGS_IP } from './ftrace-regs.ts';
import type { Kernel } from './kernel.ts';

/** A call of a handler; NO_ADDRESS is NULL. */
export interface FprobeCall {
  readonly handler: Address;
  /** The registration that it is made for. */
  readonly generation: number;
  readonly entryIp: Address;
  readonly retIp: Address;
  /** `struct ftrace_regs`, or the `struct pt_regs` that begins with it. */
  readonly regs: Address;
  readonly entryData: Address;
}

/** In a6, behind the generation in a5: out of sight of the handler's C prototype. */
const CALLS = { entry: 1, exit: 2 } as const;

/** Calls `entry_handler`; what it returned, as an int (FP-7). Any context, with preemption off (FP-11). */
export function callFprobeEntry(cx: Context, fp: Fprobe, call: FprobeCall): Path<number> {
  const args = words(fp, call, CALLS.entry);
  return andThen(callGuest(cx.cpu.state, call.handler, args), (result) => {
    cx.emit(TRACE_EVENTS.entry_result.id, fp.object, call.generation, result);
    return result;
  });
}

/** As `callFprobeEntry` where entry handlers are void (v6.4 and before): whatever a0 holds, it refuses nothing. */
export function* callFprobeVoidEntry(cx: Context, fp: Fprobe, call: FprobeCall): Path<void> {
  yield* callGuest(cx.cpu.state, call.handler, words(fp, call, CALLS.entry));
  cx.emit(TRACE_EVENTS.entry_result.id, fp.object, call.generation, 0);
}

/** Calls `exit_handler`. */
export function callFprobeExit(cx: Context, fp: Fprobe, call: FprobeCall): Path<unknown> {
  return callGuest(cx.cpu.state, call.handler, words(fp, call, CALLS.exit));
}

/** The documented arguments, then what only events need. One literal, as every hit makes one. */
function words(fp: Fprobe, call: FprobeCall, which: 1 | 2): readonly number[] {
  const { entryIp, retIp, regs, entryData, generation } = call;
  return [
    addressLo(fp.address),
    addressHi(fp.address),
    pointerLo(entryIp),
    pointerHi(entryIp),
    pointerLo(retIp),
    pointerHi(retIp),
    pointerLo(regs),
    pointerHi(regs),
    pointerLo(entryData),
    pointerHi(entryData),
    generation,
    0,
    which,
    0,
  ];
}

function pointerLo(at: Address): number {
  return at === NO_ADDRESS ? 0 : addressLo(at);
}

function pointerHi(at: Address): number {
  return at === NO_ADDRESS ? 0 : addressHi(at);
}

/** What the registers say about a handler that is being entered. */
export interface CalledFprobe {
  readonly fp: Fprobe;
  readonly isEntry: boolean;
  readonly generation: number;
  readonly ip: Address;
  readonly parentIp: Address;
  readonly entryData: Address;
  readonly regsIp: Address;
}

/** The hart stands at the first instruction of a watched function: for which fprobe, if for any. */
export function calledFprobe({ cpu }: Context, k: Kernel): CalledFprobe | undefined {
  const { lo, hi } = cpu.hart;
  const register = (number: number): Address =>
    toAddress(lo[number] as number, hi[number] as number);
  if (k.fprobes.byAddress.size === 0 || register(REG.ra) !== RETURN_STUB) return undefined;
  const fp = k.fprobes.byAddress.get(register(REG.a0));
  const [generation, which] = [lo[REG.a5] as number, lo[REG.a6] as number];
  if (fp === undefined || generation === 0) return undefined;
  if (which !== CALLS.entry && which !== CALLS.exit) return undefined;
  const data = register(REG.a4);
  const isNull = lo[REG.a4] === 0 && hi[REG.a4] === 0;
  return {
    fp,
    isEntry: which === CALLS.entry,
    generation,
    ip: register(REG.a1),
    parentIp: register(REG.a2),
    entryData: isNull ? NO_ADDRESS : data,
    regsIp: regsIp(k, register(REG.a3)),
  };
}

/** `ftrace_regs_get_instruction_pointer`. */
function regsIp(k: Kernel, regs: Address): Address {
  const { memory } = k.machine;
  if (!memory.contains(regs, FTRACE_REGS.t0 + 8)) return NO_ADDRESS;
  const at = regs + (isFull(memory, regs) ? PT_REGS_IP : FTRACE_REGS.t0);
  return toAddress(memory.loadLo(at), memory.loadHi(at));
}
