// Layer trace. Detours of jump-optimised kprobes (KP-60, CC-H9): guest text that saves all registers, calls
// `optimized_callback`, restores them, executes copies of the region's instructions and jumps back behind it. A task can be
// preempted at each of its instructions. Mirrors the template of arch/x86/kernel/kprobes/opt.c of Linux v6.12.
import { assert } from '../assert.ts';
import type { Address } from '../emu/address.ts';
import type { Context } from '../emu/context.ts';
import { FLAG } from '../emu/flags.ts';
import type { Machine } from '../emu/machine.ts';
import type { Path } from '../emu/path.ts';
import { REG } from '../emu/regs.ts';
import { Assembler } from '../emu/riscv/assembler.ts';
import { isCompressed } from '../emu/text.ts';
import { PT_REGS_IP, SAVES_DETOUR } from './ftrace-regs.ts';
import { writeText } from './ftrace-trampoline.ts';
import type { Kernel } from './kernel.ts';
import { type Detour, type KprobeOptimizer, OPTINSN_SLOT_BYTES } from './kprobe-optimizer-state.ts';
import { freeInsnSlot, getInsnSlot } from './kprobe-slot.ts';
import { traceStub } from './stub-table.ts';

const HALF_BYTES = 2;

/** What a detour stands for. */
export interface DetouredRegion {
  readonly addr: Address;
  /** The region's halfwords. */
  readonly region: readonly number[];
}

/** `arch_prepare_optimized_kprobe`: undefined without memory or room. Caller holds `kprobe_mutex`. */
export function* archPrepareOptimizedKprobe(
  cx: Context,
  k: Kernel,
  { optinsns }: KprobeOptimizer,
  wanted: DetouredRegion,
): Path<Detour | undefined> {
  const memory = yield* getInsnSlot(cx, optinsns);
  if (memory === undefined) return undefined;
  return cx.make(() => ({ memory, copy: writeDetour(k.machine, memory.address, wanted) }));
}

/** `arch_remove_optimized_kprobe`: somebody may be in it, so it is garbage first (CC-S11.6). */
export function* archRemoveOptimizedKprobe(
  cx: Context,
  _k: Kernel,
  { optinsns }: KprobeOptimizer,
  { memory }: Detour,
): Path<void> {
  yield* freeInsnSlot(cx, optinsns, memory, true);
}

/** Where the copies begin. An effect, inside a step. */
function writeDetour(machine: Machine, at: Address, { addr, region }: DetouredRegion): Address {
  for (let ip = at; ip < at + OPTINSN_SLOT_BYTES; ip += HALF_BYTES) machine.core.setFlags(ip, 0);
  const text = new Assembler(at);
  text.append(SAVES_DETOUR.enter);
  text.la(REG.t1, addr);
  text.emit('sd', { rs1: REG.sp, rs2: REG.t1, imm: PT_REGS_IP });
  text.la(REG.a0, at);
  text.emit('addi', { rd: REG.a1, rs1: REG.sp, imm: 0 });
  text.call(traceStub('optimized_callback'));
  text.append(SAVES_DETOUR.leave);
  const copy = text.here;
  writeText(machine, text);
  writeCopies(machine, copy, { addr, region });
  return copy;
}

function writeCopies(machine: Machine, copy: Address, { addr, region }: DetouredRegion): void {
  const text = new Assembler(copy);
  text.append(new Uint16Array(region));
  const back = text.here;
  text.jump(REG.zero, addr + HALF_BYTES * region.length);
  assert(back - copy <= 6, 'a region is six bytes at most');
  const halves = text.halves();
  machine.text.writeCode(copy, halves);
  for (let i = 0; i < halves.length; i += isCompressed(halves[i] as number) ? 1 : 2) {
    machine.core.setFlags(copy + HALF_BYTES * i, FLAG.visible);
  }
}
