// Layer trace. Trampolines are guest text (FT-19, FT-20, CC-H3): a task can be preempted at each of their
// instructions, and one that was freed is poison. They save what the C calling convention lets a callback
// clobber, which is also all that its `regs` argument shows (FT-15). Left out: SAVE_REGS.
import {
  NO_ADDRESS,
  type Address,
  addressLo,
  TRAMPOLINE_BASE,
  TRAMPOLINE_BYTES_MAX,
} from '../emu/address.ts';
import type { Cell } from '../emu/cell.ts';
import type { Context } from '../emu/context.ts';
import { FLAG } from '../emu/flags.ts';
import type { Machine } from '../emu/machine.ts';
import type { Path } from '../emu/path.ts';
import { REG } from '../emu/regs.ts';
import { encode, PLAIN } from '../emu/riscv/encode.ts';
import { allocate, release } from '../emu/slab.ts';
import { callWord, MCOUNT_INSN_SIZE } from './ftrace-insn.ts';
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

/** `struct ftrace_regs`, on the stack of the traced function: a0..a7 from 0, then what is listed. */
export const FTRACE_REGS = { a0: 0, ra: 64, t0: 72 } as const;
const FRAME_BYTES = 80;
const ARGUMENT_REGISTERS = 8;
const LUI_SHIFT = 12;
const LUI_ROUND = 0x800;

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

/** Maps the trampolines' text and writes the generic caller into it. */
export function newFtraceCaller(machine: Machine, listFunc: Address): FtraceCaller {
  machine.core.addText(TRAMPOLINE_BASE, TRAMPOLINE_BYTES_MAX);
  const entry = TRAMPOLINE_BASE;
  const before = [...ENTER_WORDS, encode('addi', { rd: REG.a2, rs1: REG.zero, imm: 0 })];
  const innerCall = entry + before.length * MCOUNT_INSN_SIZE;
  const after = LEAVE_WORDS;
  const stub = innerCall + (1 + after.length) * MCOUNT_INSN_SIZE;
  writeText(machine, entry, [...before, callWord(innerCall, stub, REG.ra), ...after, PLAIN.ret]);
  return { entry, innerCall, stub, listFunc };
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
    writeText(k.machine, address, trampolineWords(address, ops.address, func));
  });
  cx.write(ops.trampoline, memory);
}

/** `arch_ftrace_trampoline_free` (CC-S5.8). Caller holds `ftrace_lock` and has waited. */
export function* ftraceTrampolineFree(cx: Context, k: Kernel, ops: FtraceOps): Path<void> {
  useOps(cx, ops);
  const memory = cx.read(ops.trampoline);
  if (memory === undefined) return;
  yield* release(cx, memory);
  cx.make(() => {
    k.machine.text.poison(memory.address, memory.bytes);
  });
  cx.write(ops.trampoline, undefined);
  cx.write(k.trampolines.freed, [...cx.read(k.trampolines.freed), memory.address]);
}

function trampolineWords(at: Address, ops: Address, func: Address): number[] {
  const before = [...ENTER_WORDS, ...pointerWords(REG.a2, ops)];
  const call = at + before.length * MCOUNT_INSN_SIZE;
  // A func that no call reaches is a jump to nowhere at the first hit.
  const calls = isReachable(call, func) ? callWord(call, func, REG.ra) : ILLEGAL;
  return [...before, calls, ...LEAVE_WORDS];
}

/** Can a `jal` at `from` go there? */
function isReachable(from: Address, to: Address): boolean {
  return to !== NO_ADDRESS && (to & 1) === 0 && Math.abs(to - from) < JAL_REACH;
}

/** Saves, and sets up ip, parent_ip and regs. t0 is the address behind the site (FT-4). */
const ENTER_WORDS: readonly number[] = [
  encode('addi', { rd: REG.sp, rs1: REG.sp, imm: -FRAME_BYTES }),
  ...argumentOffsets().map(([rs2, imm]) => encode('sd', { rs1: REG.sp, rs2, imm })),
  encode('sd', { rs1: REG.sp, rs2: REG.ra, imm: FTRACE_REGS.ra }),
  encode('sd', { rs1: REG.sp, rs2: REG.t0, imm: FTRACE_REGS.t0 }),
  encode('addi', { rd: REG.a0, rs1: REG.t0, imm: -MCOUNT_INSN_SIZE }),
  encode('addi', { rd: REG.a1, rs1: REG.ra, imm: 0 }),
  encode('addi', { rd: REG.a3, rs1: REG.sp, imm: 0 }),
];

/** Restores, and goes on behind the site. */
const LEAVE_WORDS: readonly number[] = [
  encode('ld', { rd: REG.ra, rs1: REG.sp, imm: FTRACE_REGS.ra }),
  encode('ld', { rd: REG.t0, rs1: REG.sp, imm: FTRACE_REGS.t0 }),
  ...argumentOffsets().map(([rd, imm]) => encode('ld', { rd, rs1: REG.sp, imm })),
  encode('addi', { rd: REG.sp, rs1: REG.sp, imm: FRAME_BYTES }),
  encode('jalr', { rd: REG.zero, rs1: REG.t0, imm: 0 }),
];

/** a0..a7 with their places in the frame. */
function argumentOffsets(): (readonly [register: number, offset: number])[] {
  return Array.from({ length: ARGUMENT_REGISTERS }, (_, i) => [REG.a0 + i, 8 * i] as const);
}

/** Loads the guest value of `address`, which lui and addi sign-extend as every such value is. */
function pointerWords(rd: number, address: Address): number[] {
  const value = addressLo(address);
  const upper = (value + LUI_ROUND) >>> LUI_SHIFT;
  const low = (value << (32 - LUI_SHIFT)) >> (32 - LUI_SHIFT);
  return [encode('lui', { rd, imm: upper }), encode('addi', { rd, rs1: rd, imm: low })];
}

/** Writes code that nobody executes yet; each instruction of it is a step (CC-H3). */
function writeText(machine: Machine, at: Address, words: readonly number[]): void {
  const { core, text } = machine;
  text.writeCode(at, new Uint16Array(Int32Array.from(words).buffer));
  for (let i = 0; i < words.length; i++) {
    const ip = at + i * MCOUNT_INSN_SIZE;
    core.setFlags(ip, core.flagsAt(ip) | FLAG.visible);
  }
}
