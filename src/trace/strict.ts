// Layer trace. Machine option `strict`: misuse that a real kernel does not notice ends the run with an oops, which
// says what was done. Without it the run goes on as on a real kernel. Misuse that any kernel notices is not here.
import { known } from '../assert.ts';
import { toAddress } from '../emu/address.ts';
import type { Context } from '../emu/context.ts';
import type { Cpu } from '../emu/cpu.ts';
import { REG } from '../emu/regs.ts';
import { FTRACE_OPS_FL_IPMODIFY } from './ftrace-ops-flags.ts';
import type { FtraceOps } from './ftrace-ops.ts';
import { isFull, PT_REGS_IP } from './ftrace-regs.ts';
import type { Kernel } from './kernel.ts';
import { type GivenIp, type OpenCallback, taskTrace } from './task-trace.ts';

/** What the misuse of a probe is called in the oops event. */
const MISUSE = {
  changed: (probe) => `strict: ${probe} changed while registered`,
  unregister: (probe) => `strict: unregister of ${probe} from its own callback`,
  sleep: (probe) => `strict: callback of ${probe} sleeps`,
  redirect: (probe) => `strict: regs->ip written by ${probe} without IPMODIFY`,
} as const satisfies Record<string, (probe: string) => string>;

/** A hit of `ops` finds func and flags as they were registered (FT-17). */
export function strictHit(cpu: Cpu, k: Kernel, ops: FtraceOps): void {
  if (k.strict && k.fn.isStructChanged(k, ops)) oops(cpu, MISUSE.changed(ops.name), ops);
}

/** What a callback of `ops` that begins must leave as it is: where the function goes on, unless it may redirect (FT-46). */
export function strictGiven(cpu: Cpu, k: Kernel, ops: FtraceOps): GivenIp | undefined {
  const { lo, hi } = cpu.hart;
  if (!k.strict || (ops.flags.value & FTRACE_OPS_FL_IPMODIFY) !== 0) return undefined;
  const { memory } = k.machine;
  const regs = toAddress(known(lo[REG.a3], 'a3'), known(hi[REG.a3], 'a3'));
  if (!isFull(memory, regs)) return undefined;
  const at = regs + PT_REGS_IP;
  const returnsTo = toAddress(known(lo[REG.ra], 'ra'), known(hi[REG.ra], 'ra'));
  return { at, lo: memory.loadLo(at), hi: memory.loadHi(at), returnsTo };
}

/** It has returned: what it wrote is discarded, and told. */
export function strictReturn(cpu: Cpu, k: Kernel, { given, object }: OpenCallback): void {
  const { hart, machine } = cpu;
  if (given === undefined || hart.pc !== given.returnsTo) return;
  const { at, hi, lo } = given;
  const { memory } = machine;
  if (memory.loadLo(at) === lo && memory.loadHi(at) === hi) return;
  machine.oops(cpu, MISUSE.redirect(nameOf(k, object)), hart.pc, at);
}

/** As `strictHit`, for a call on `ops`. */
export function strictCall(cx: Context, k: Kernel, ops: FtraceOps): void {
  cx.make(() => {
    strictHit(cx.cpu, k, ops);
  });
}

/** unregister of a probe is not called from a callback of it: it would wait for itself (FT-35). */
export function strictUnregister(
  cx: Context,
  k: Kernel,
  probe: Pick<FtraceOps, 'object' | 'name' | 'address'>,
): void {
  if (!k.strict) return;
  cx.make(() => {
    if (openCallbacks(cx, k).some(({ object }) => object === probe.object)) {
      oops(cx.cpu, MISUSE.unregister(probe.name), probe);
    }
  });
}

/** The wait of unregister takes a task that sleeps in a callback for one that has left it (FT-34). */
export function strictSleep(k: Kernel, cpu: Cpu): void {
  const [open] = openCallbacks(cpu.current.context, k);
  if (open === undefined) return;
  cpu.machine.oops(cpu, MISUSE.sleep(nameOf(k, open.object)), cpu.hart.pc);
}

/** Callbacks of hooks that have begun in the task and not ended, innermost first. */
function openCallbacks(cx: Context, k: Kernel): readonly OpenCallback[] {
  const found: OpenCallback[] = [];
  let open = taskTrace(k, cx.task).callback.value;
  for (; open !== undefined; open = open.below) if (open.isHook) found.push(open);
  return found;
}

/** Of a probe, by its number; hooks that passed no ops have none. */
function nameOf(k: Kernel, object: number): string {
  const isIt = (probe: Pick<FtraceOps, 'object'>): boolean => probe.object === object;
  const ops = [...k.ops.byAddress.values()].find(isIt);
  const probe = ops ?? [...k.fprobes.byAddress.values()].find(isIt);
  return probe?.name ?? 'a hook';
}

function oops(cpu: Cpu, misuse: string, { address }: Pick<FtraceOps, 'address'>): void {
  cpu.machine.oops(cpu, misuse, cpu.hart.pc, address);
}
