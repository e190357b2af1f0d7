// Layer trace. Trampolines are guest text (FT-19, FT-20, CC-H3): a task can be preempted at each of their
// instructions, and one that was freed is poison. They save what the C calling convention lets a callback
// clobber, which is also all that its `regs` argument shows (FT-15). Left out: SAVE_REGS.
import { NO_ADDRESS, type Address, TRAMPOLINE_BASE, TRAMPOLINE_BYTES_MAX } from '../emu/address.ts';
import type { Cell } from '../emu/cell.ts';
import type { Context } from '../emu/context.ts';
import { FLAG } from '../emu/flags.ts';
import type { Machine } from '../emu/machine.ts';
import type { Path } from '../emu/path.ts';
import { REG } from '../emu/regs.ts';
import { Assembler } from '../emu/riscv/assembler.ts';
import { allocate, release } from '../emu/slab.ts';
import { MCOUNT_INSN_SIZE } from './ftrace-insn.ts';
import { useOps } from './ftrace-ops-memory.ts';
import type { FtraceOps } from './ftrace-ops.ts';
import type { Kernel } from './kernel.ts';

/** How far a `jal` reaches. */
const JAL_REACH = 0x100000;
/** No instruction. */
const ILLEGAL = 0;
/** Each trampoline has a place of this size; the first one holds the generic caller. */
const TRAMPOLINE_BYTES = 128;
const FIRST_TRAMPOLINE: Address = TRAMPOLINE_BASE + TRAMPOLINE_BYTES;
const TRAMPOLINE_END: Address = TRAMPOLINE_BASE + TRAMPOLINE_BYTES_MAX;

/** Where `function_trace_op` lies, if the generic caller passes it on: out of the way of every other segment. */
export const FUNCTION_TRACE_OP: Address = 0x001ff000;

/** `struct ftrace_regs`, on the stack of the traced function: a0..a7 from 0, then what is listed. */
export const FTRACE_REGS = { a0: 0, ra: 64, t0: 72 } as const;
const FRAME_BYTES = 80;
const ARGUMENT_REGISTERS = 8;

/** Where trampolines may lie. Guarded by `ftrace_lock`. */
export interface TrampolinePlaces {
  /** The first place that was never used. */
  readonly fresh: Cell<Address>;
  /** Freed places, longest free first: reuse is as late as it can be. */
  readonly freed: Cell<readonly Address[]>;
}

/** The generic caller, which every site calls that serves several ops, or one without a trampoline. */
export interface FtraceCaller {
  readonly entry: Address;
  /** The patchable call inside (FT-13). */
  readonly innerCall: Address;
  /** `ftrace_stub`: returns. */
  readonly stub: Address;
  /** `ftrace_ops_list_func`. */
  readonly listFunc: Address;
}

export function newTrampolinePlaces(k: Pick<Kernel, 'machine' | 'ftrace'>): TrampolinePlaces {
  const { cells } = k.machine;
  const { ftraceLock } = k.ftrace;
  return {
    fresh: cells.cell('trampoline/fresh', FIRST_TRAMPOLINE, ftraceLock),
    freed: cells.cell<readonly Address[]>('trampoline/freed', [], ftraceLock),
  };
}

/**
 * Maps the trampolines' text and writes the generic caller into it. `passesOp`: it passes `function_trace_op`,
 * which the list function would not look at, and which nobody else is called with where trampolines are.
 */
export function newFtraceCaller(
  machine: Machine,
  listFunc: Address,
  passesOp: boolean,
): FtraceCaller {
  machine.core.addText(TRAMPOLINE_BASE, TRAMPOLINE_BYTES_MAX);
  const text = new Assembler(TRAMPOLINE_BASE);
  const stub = text.label('ftrace_stub');
  text.append(ENTER);
  if (passesOp) loadOp(machine, text);
  else text.emit('addi', { rd: REG.a2, rs1: REG.zero, imm: 0 });
  const innerCall = text.here;
  text.jal(REG.ra, stub);
  text.append(LEAVE);
  text.bind(stub);
  const stubAt = text.here;
  text.plain('ret');
  writeText(machine, text);
  return { entry: TRAMPOLINE_BASE, innerCall, stub: stubAt, listFunc };
}

/** Gives `function_trace_op` its memory; loads it into a2, which is a step of its own (CC-H4.1). */
function loadOp(machine: Machine, text: Assembler): void {
  machine.memory.addSegment({
    name: 'function_trace_op',
    base: FUNCTION_TRACE_OP,
    bytes: 8,
    writable: true,
  });
  const low = text.upper(REG.a2, FUNCTION_TRACE_OP);
  text.emit('ld', { rd: REG.a2, rs1: REG.a2, imm: low });
}

/** Does `address` lie in the text of some ops' own trampoline? */
export function isTrampoline(address: Address): boolean {
  return address >= FIRST_TRAMPOLINE && address < TRAMPOLINE_END;
}

/**
 * `arch_ftrace_update_trampoline` (CC-S4.4): a copy of the caller with the ops baked in. Without memory or
 * room the ops uses the list (FT-19). Caller holds `ftrace_lock`.
 */
export function* ftraceUpdateTrampoline(cx: Context, k: Kernel, ops: FtraceOps): Path<void> {
  if (k.trampolines === undefined) return;
  const { fresh, freed } = k.trampolines;
  const unused = cx.read(fresh);
  const free = cx.read(freed);
  const address = unused < TRAMPOLINE_END ? unused : free[0];
  if (address === undefined) return;
  const bytes = TRAMPOLINE_BYTES;
  const memory = yield* allocate(cx, { kind: 'trampoline', bytes, address });
  if (memory === undefined) return;
  if (address === unused) cx.write(fresh, unused + TRAMPOLINE_BYTES);
  else cx.write(freed, free.slice(1));
  const func = cx.read(ops.func);
  cx.make(() => {
    writeText(k.machine, trampolineText(address, ops.address, func));
  });
  cx.write(ops.trampoline, memory);
}

/** `arch_ftrace_trampoline_free` (CC-S5.8). Caller holds `ftrace_lock` and has waited. */
export function* ftraceTrampolineFree(cx: Context, k: Kernel, ops: FtraceOps): Path<void> {
  useOps(cx, ops);
  const memory = cx.read(ops.trampoline);
  if (memory === undefined || k.trampolines === undefined) return;
  const { freed } = k.trampolines;
  yield* release(cx, memory);
  cx.make(() => {
    k.machine.text.poison(memory.address, memory.bytes);
  });
  cx.write(ops.trampoline, undefined);
  cx.write(freed, [...cx.read(freed), memory.address]);
}

function trampolineText(at: Address, ops: Address, func: Address): Assembler {
  const text = new Assembler(at);
  text.append(ENTER);
  const low = text.upper(REG.a2, ops);
  text.emit('addi', { rd: REG.a2, rs1: REG.a2, imm: low });
  // A func that no call reaches is a jump to nowhere at the first hit.
  if (isReachable(text.here, func)) text.call(func);
  else text.word(ILLEGAL);
  text.append(LEAVE);
  return text;
}

/** Can a `jal` at `from` go there? */
export function isReachable(from: Address, to: Address): boolean {
  return to !== NO_ADDRESS && (to & 1) === 0 && Math.abs(to - from) < JAL_REACH;
}

/** Saves, and sets up ip, parent_ip and regs. t0 is the address behind the site (FT-4). */
const ENTER = assembled((text) => {
  text.emit('addi', { rd: REG.sp, rs1: REG.sp, imm: -FRAME_BYTES });
  for (const [rs2, imm] of savedRegisters()) text.emit('sd', { rs1: REG.sp, rs2, imm });
  text.emit('sd', { rs1: REG.sp, rs2: REG.ra, imm: FTRACE_REGS.ra });
  text.emit('sd', { rs1: REG.sp, rs2: REG.t0, imm: FTRACE_REGS.t0 });
  text.emit('addi', { rd: REG.a0, rs1: REG.t0, imm: -MCOUNT_INSN_SIZE });
  text.emit('addi', { rd: REG.a1, rs1: REG.ra, imm: 0 });
  text.emit('addi', { rd: REG.a3, rs1: REG.sp, imm: 0 });
});

/** Restores, and goes on behind the site. */
const LEAVE = assembled((text) => {
  text.emit('ld', { rd: REG.ra, rs1: REG.sp, imm: FTRACE_REGS.ra });
  text.emit('ld', { rd: REG.t0, rs1: REG.sp, imm: FTRACE_REGS.t0 });
  for (const [rd, imm] of savedRegisters()) text.emit('ld', { rd, rs1: REG.sp, imm });
  text.emit('addi', { rd: REG.sp, rs1: REG.sp, imm: FRAME_BYTES });
  text.emit('jalr', { rd: REG.zero, rs1: REG.t0, imm: 0 });
});

/** Text that is the same wherever it lies. */
function assembled(write: (text: Assembler) => void): Uint16Array {
  const text = new Assembler(0);
  write(text);
  return text.halves();
}

/** a0..a7 with their places in the frame. */
function savedRegisters(): (readonly [register: number, offset: number])[] {
  return Array.from({ length: ARGUMENT_REGISTERS }, (_, i) => [REG.a0 + i, 8 * i] as const);
}

/** Writes code that nobody executes yet; each instruction of it is a step (CC-H3). */
function writeText({ core, text: memory }: Machine, text: Assembler): void {
  memory.writeCode(text.base, text.halves());
  for (let ip = text.base; ip < text.here; ip += MCOUNT_INSN_SIZE) {
    core.setFlags(ip, core.flagsAt(ip) | FLAG.visible);
  }
}
