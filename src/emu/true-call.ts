// Layer emu. True calls: noted when a function's first instruction executes, before any hook, and over when pc
// and sp are those of its return (ARCHITECTURE.md, "Decisions"). A function can also be left without a return: by a jump
// out of its frame, or by the end of its task. `func_abandon` tells that, as soon as it shows.
import { type Address, STACK_BYTES, toAddress } from './address.ts';
import type { Context, TrueCall } from './context.ts';
import type { Cpu } from './cpu.ts';
import { EMU_EVENTS } from './event.ts';
import { FLAG } from './flags.ts';
import { LIMITS } from './limits.ts';
import { HI } from './riscv/ops.ts';

// Of this module: V8 loads what is imported each time, and calls are frequent.
const FUNC_ENTER = EMU_EVENTS.func_enter.id;
const FUNC_RETURN = EMU_EVENTS.func_return.id;
const RA = 1;
const SP = 2;
const A0 = 10;
const ARGUMENT_REGISTERS = 8;
/** In place of x0, which is 0: no other registers were noted. */
const ARGUMENTS_ONLY = 1;
/** What may stand between a function's start and its site. */
const LANDING_PAD_BYTES = 4;

/** Notes a true call. */
export function enterFunction(cpu: Cpu, cx: Context, flags: number): void {
  const { hart, machine } = cpu;
  const sp = stackPointer(cpu);
  const ra = trueReturn(cx, toAddress(hart.lo[RA] as number, hart.hi[RA] as number), sp);
  const { calls } = cx;
  const top = calls[calls.length - 1];
  // A branch back to the first instruction is no new call; neither is one beyond the limit noted.
  if (top !== undefined && top.func === hart.pc && returnsTo(top, ra, sp)) return;
  if (top !== undefined && isBelow(cpu, top.sp, sp)) leaveFrames(cpu, cx, sp);
  if (calls.length >= LIMITS.callsMax) return;
  const watcher = (flags & FLAG.watch) === 0 ? undefined : machine.watcher(hart.pc);
  calls.push({ func: hart.pc, ra, sp, watcher, args: undefined });
  markReturn(cpu, ra);
  machine.report(cpu, FUNC_ENTER, hart.pc, ra, sp);
  watcher?.enter(cx);
}

/** Who is called in a tail call returns where its caller does, also where text stands in for that place. */
function trueReturn({ calls, cpu }: Context, ra: Address, sp: Address): Address {
  if (!cpu.machine.returnDetours.has(ra)) return ra;
  return calls.findLast((call) => call.sp === sp)?.ra ?? ra;
}

function stackPointer({ hart }: Cpu): Address {
  return toAddress(hart.lo[SP] as number, hart.hi[SP] as number);
}

function markReturn(cpu: Cpu, ra: Address): void {
  const { core } = cpu.machine;
  const flags = core.flagsAt(ra);
  if ((flags & FLAG.after) !== 0 || core.regionAt(ra) === undefined) return;
  core.setFlags(ra, flags | FLAG.visible | FLAG.attention | FLAG.after);
}

/** Ends every true call that returns to this pc and sp; calls above them were abandoned. */
export function leaveFunctions(cpu: Cpu, cx: Context): void {
  const { hart } = cpu;
  const { calls } = cx;
  const sp = stackPointer(cpu);
  let top = calls[calls.length - 1];
  if (top === undefined) return;
  if (!returnsTo(top, hart.pc, sp)) {
    const found = calls.findLastIndex((call) => returnsTo(call, hart.pc, sp));
    if (found < 0) return;
    jumpOut(cpu, cx, found + 1);
    top = calls[found];
  }
  for (; top !== undefined && returnsTo(top, hart.pc, sp); top = calls[calls.length - 1]) {
    calls.pop();
    if (top.args !== undefined) cpu.spareArguments.push(top.args);
    cpu.machine.report(cpu, FUNC_RETURN, top.func, hart.lo[A0], hart.hi[A0]);
    top.watcher?.leave(cx);
  }
}

function returnsTo(call: TrueCall, pc: Address, sp: Address): boolean {
  return call.ra === pc && call.sp === sp;
}

/** A function is entered above frames of the own stack: whoever had them has left them. */
function leaveFrames(cpu: Cpu, cx: Context, sp: Address): void {
  jumpOut(cpu, cx, cx.calls.findLastIndex((call) => !isBelow(cpu, call.sp, sp)) + 1);
}

/** Is `inner` further down the stack of what runs on `cpu` than `outer`? No where code brings its own stack. */
function isBelow({ hart }: Cpu, inner: Address, outer: Address): boolean {
  const depth = (inner - hart.stackBase) >>> 0;
  const height = (outer - hart.stackBase) >>> 0;
  return depth < height && height <= STACK_BYTES;
}

/** Guest code goes on in call number `kept`, or in its caller: calls above, and the paths that made them, are left. */
function jumpOut(cpu: Cpu, cx: Context, kept: number): void {
  if (cx.calls.length === kept) return;
  abandonCalls(cpu, cx, kept);
  let { top } = cx;
  while (top?.kind === 'guest' && top.callsBelow >= kept && cx.activities.length > 2) {
    cx.pop();
    cx.preemptFloor = top.floorBelow;
    cx.pop(); // The path that called it.
    ({ top } = cx);
  }
}

/** Calls above the first `kept` of `cx` will never return. */
export function abandonCalls(cpu: Cpu, cx: Context, kept: number): void {
  const { calls } = cx;
  while (calls.length > kept) {
    const call = calls.pop();
    if (call === undefined) return;
    cpu.machine.report(cpu, EMU_EVENTS.func_abandon.id, call.func);
    call.watcher?.leave(cx);
  }
}

/**
 * Keeps with what registers the function came to the site at which the hart stands: nothing ran before it (FT-4). The
 * arguments, unless somebody may ask for all (`notesRegisters`).
 */
export function noteArguments({ hart, machine, spareArguments, top: { calls } }: Cpu): void {
  const call = calls[calls.length - 1];
  if (call === undefined || hart.pc - call.func > LANDING_PAD_BYTES || hart.pc < call.func) return;
  const args = spareArguments.pop() ?? new Int32Array(2 * HI);
  call.args = args;
  if (machine.notesRegisters) {
    args.set(hart.x);
    return;
  }
  args[0] = ARGUMENTS_ONLY;
  for (let number = A0; number < A0 + ARGUMENT_REGISTERS; number++) {
    args[number] = hart.lo[number] as number;
    args[HI + number] = hart.hi[number] as number;
  }
}

/**
 * Reports these registers, as far as they were noted, of every function in the running context that has not
 * returned and whose site was hooked when it was reached: which of them somebody means is not the machine's to say.
 */
export function reportArguments(
  cpu: Cpu,
  registers: readonly { readonly name: string; readonly number: number }[],
): void {
  const { machine } = cpu;
  for (const { func, sp, args } of cpu.top.calls) {
    if (args === undefined) continue;
    for (const { name, number } of registers) {
      const isArgument = number >= A0 && number < A0 + ARGUMENT_REGISTERS;
      if (args[0] === ARGUMENTS_ONLY && !isArgument) continue;
      const [lo, hi] = [args[number] as number, args[HI + number] as number];
      machine.report(cpu, EMU_EVENTS.func_arg.id, func, sp, machine.strings.id(name), lo, hi);
    }
  }
}
