// Layer emu. Guest functions called by kernel paths: going there, and coming back through RETURN_STUB.
import { type Address, addressHi, addressLo } from './address.ts';
import type { Context, GuestActivity } from './context.ts';
import type { Cpu } from './cpu.ts';
import { LIMITS } from './limits.ts';
import type { GuestArguments } from './path.ts';
import { RETURN_STUB } from './stub-table.ts';
import { abandonCalls } from './true-call.ts';

const RA = 1;
const SP = 2;
const A0 = 10;
const ARGUMENT_REGISTERS = 8;

/** Runs guest function `target` above the running path. */
export function callFunction(cpu: Cpu, target: Address, args: GuestArguments): void {
  const { hart } = cpu;
  const cx = cpu.top;
  const { lo, hi } = hart;
  const activity: GuestActivity = {
    kind: 'guest',
    pc: hart.pc,
    saved: [lo[RA] as number, hi[RA] as number, lo[SP] as number, hi[SP] as number],
    callsBelow: cx.calls.length,
    floorBelow: cx.preemptFloor,
  };
  if (cx.activities.length >= LIMITS.activitiesMax) {
    cpu.machine.oops(cpu, 'stack', hart.pc);
    return;
  }
  cx.push(activity);
  cx.preemptFloor = cpu.preemptCount.value;
  // What interrupted code left in the argument registers is no business of a handler.
  for (let i = 0; i < ARGUMENT_REGISTERS; i++) {
    lo[A0 + i] = args[2 * i] ?? 0;
    hi[A0 + i] = args[2 * i + 1] ?? 0;
  }
  lo[SP] = (lo[SP] as number) & ~15;
  lo[RA] = addressLo(RETURN_STUB);
  hi[RA] = addressHi(RETURN_STUB);
  hart.pc = target;
}

/** A guest function that a path called is back: the low word of its a0; undefined when nobody called. */
export function comeBack(cpu: Cpu, cx: Context): number | undefined {
  const { hart } = cpu;
  const activity = cx.top;
  if (activity === undefined || activity.kind !== 'guest') {
    cpu.machine.oops(cpu, 'jump', hart.pc);
    return undefined;
  }
  const result = hart.lo[A0] as number;
  abandonCalls(cpu, cx, activity.callsBelow);
  cx.pop();
  cx.preemptFloor = activity.floorBelow;
  [hart.lo[RA], hart.hi[RA]] = [activity.saved[0] ?? 0, activity.saved[1] ?? 0];
  [hart.lo[SP], hart.hi[SP]] = [activity.saved[2] ?? 0, activity.saved[3] ?? 0];
  hart.pc = activity.pc;
  return result;
}
