// Layer trace. What a hit saves on the stack of the traced function, and the text that saves and restores it: `struct
// ftrace_regs`, or the whole `struct pt_regs` of include/linux/ptrace.h, which begins with it (FT-14, FT-15). Left out:
// t0, which the call site itself takes, and a stack pointer that a callback changes.
import type { Address } from '../emu/address.ts';
import type { Memory } from '../emu/memory.ts';
import { REG } from '../emu/regs.ts';
import { Assembler } from '../emu/riscv/assembler.ts';
import { MCOUNT_INSN_SIZE, type Patching } from './ftrace-insn.ts';

/**
 * `struct ftrace_regs`: a0..a7 from 0, then what is listed. The word at `t0` is where the function goes on, an even
 * number; of full registers it says only that they are there (PT_REGS_MARK).
 */
export const FTRACE_REGS = { a0: 0, ra: 64, t0: 72 } as const;
export const FTRACE_REGS_BYTES = 80;
const ARGUMENT_REGISTERS = 8;

/** What a `struct pt_regs` holds at FTRACE_REGS.t0. */
export const PT_REGS_MARK = 1;
export const PT_REGS_IP = 80;
export const PT_REGS_BYTES = 256;
/** Where the function goes on whatever a callback makes of `ip` (FT-46). */
const RESUME = PT_REGS_BYTES;
const PT_REGS_FRAME = 272;

const { ra, sp, gp, tp, t0, t1, t2, zero } = REG;
/** In the order of `struct pt_regs`, from its first word behind `sp` on. */
const FULL: readonly number[] = [gp, tp, t1, t2, 28, 29, 30, 31, 8, 9, ...range(18, 27)];
export const PT_REGS_SP = 88;
const PT_REGS_FULL = 96;

/** `ftrace_get_regs`: is it a whole `struct pt_regs`? */
export function isFull(memory: Memory, regs: Address): boolean {
  return memory.loadLo(regs + FTRACE_REGS.t0) === PT_REGS_MARK;
}

/** Registers that `struct pt_regs` shows, by name, with their numbers and places; `ip` has none. */
export const PT_REGS: readonly {
  readonly name: string;
  readonly number: number;
  readonly offset: number;
}[] = Object.entries(REG).flatMap(([name, number]) => {
  const offset = ptRegsOffset(number);
  return offset === undefined ? [] : [{ name, number, offset }];
});

/** Where `struct pt_regs` has register `number`. */
function ptRegsOffset(number: number): number | undefined {
  if (number >= REG.a0 && number <= REG.a7) return 8 * (number - REG.a0);
  if (number === ra) return FTRACE_REGS.ra;
  if (number === sp) return PT_REGS_SP;
  const place = FULL.indexOf(number);
  return place < 0 ? undefined : PT_REGS_FULL + 8 * place;
}

/** Text of a caller before and behind its call. */
export interface SavingText {
  /** Saves, and sets up ip, parent_ip and regs. t0 is the address behind the site (FT-4). */
  readonly enter: Uint16Array;
  /** Restores, and goes on. */
  readonly leave: Uint16Array;
}

/** By how long the sites are. */
export type SavingTexts = Readonly<Record<Patching, SavingText>>;

/** Saves what the C calling convention lets a callback clobber. */
export const SAVES_ARGUMENTS: SavingTexts = forSites(enterWithArguments, leaveWithArguments());

/** Saves all registers (SAVE_REGS), and restores what a callback has made of them, but for `ip`. */
export const SAVES_REGS: SavingTexts = forSites(enterWithRegs, leaveWithRegs(RESUME));

/** And goes on at `ip` (IPMODIFY). */
export const SAVES_REGS_IPMODIFY: SavingTexts = forSites(enterWithRegs, leaveWithRegs(PT_REGS_IP));

/** `ip` is found from the address behind the site. */
function forSites(enter: (siteBytes: number) => Uint16Array, leave: Uint16Array): SavingTexts {
  return {
    breakpoint: { enter: enter(MCOUNT_INSN_SIZE.breakpoint), leave },
    stopMachine: { enter: enter(MCOUNT_INSN_SIZE.stopMachine), leave },
  };
}

function enterWithArguments(siteBytes: number): Uint16Array {
  return assembled((text) => {
    text.emit('addi', { rd: sp, rs1: sp, imm: -FTRACE_REGS_BYTES });
    for (const [rs2, imm] of argumentPlaces()) text.emit('sd', { rs1: sp, rs2, imm });
    text.emit('sd', { rs1: sp, rs2: ra, imm: FTRACE_REGS.ra });
    text.emit('sd', { rs1: sp, rs2: t0, imm: FTRACE_REGS.t0 });
    passArguments(text, siteBytes);
  });
}

function leaveWithArguments(): Uint16Array {
  return assembled((text) => {
    text.emit('ld', { rd: ra, rs1: sp, imm: FTRACE_REGS.ra });
    text.emit('ld', { rd: t0, rs1: sp, imm: FTRACE_REGS.t0 });
    for (const [rd, imm] of argumentPlaces()) text.emit('ld', { rd, rs1: sp, imm });
    goOn(text, FTRACE_REGS_BYTES);
  });
}

/**
 * Of a function that has returned: saves all registers, passes them on in a0, and restores what became of them. Goes on
 * where the word of `ra` says; `ip` is for show (FP-31.2, FP-31.4).
 */
export const SAVES_RETURN: SavingText = {
  enter: assembled((text) => {
    text.emit('addi', { rd: sp, rs1: sp, imm: -PT_REGS_FRAME });
    savePtRegs(text);
    text.emit('sd', { rs1: sp, rs2: ra, imm: PT_REGS_IP });
    saveStackPointer(text);
    text.emit('addi', { rd: REG.a0, rs1: sp, imm: 0 });
  }),
  leave: assembled((text) => {
    text.emit('ld', { rd: ra, rs1: sp, imm: FTRACE_REGS.ra });
    for (const [rd, imm] of fullPlaces()) text.emit('ld', { rd, rs1: sp, imm });
    for (const [rd, imm] of argumentPlaces()) text.emit('ld', { rd, rs1: sp, imm });
    text.emit('addi', { rd: sp, rs1: sp, imm: PT_REGS_FRAME });
    text.plain('ret');
  }),
};

/**
 * Where a jump has replaced an instruction: saves all registers but `ip`, and restores what became of them but for `ip`
 * and `sp` (KP-62). In between the frame is at sp.
 */
export const SAVES_DETOUR: SavingText = {
  enter: assembled((text) => {
    text.emit('addi', { rd: sp, rs1: sp, imm: -PT_REGS_FRAME });
    saveRegisters(text);
    text.emit('sd', { rs1: sp, rs2: t0, imm: FTRACE_REGS.t0 });
    saveStackPointer(text);
  }),
  leave: assembled((text) => {
    text.emit('ld', { rd: ra, rs1: sp, imm: FTRACE_REGS.ra });
    text.emit('ld', { rd: t0, rs1: sp, imm: FTRACE_REGS.t0 });
    for (const [rd, imm] of fullPlaces()) text.emit('ld', { rd, rs1: sp, imm });
    for (const [rd, imm] of argumentPlaces()) text.emit('ld', { rd, rs1: sp, imm });
    text.emit('addi', { rd: sp, rs1: sp, imm: PT_REGS_FRAME });
  }),
};

/** All but `ip` and `sp`. */
function savePtRegs(text: Assembler): void {
  saveRegisters(text);
  text.emit('addi', { rd: t1, rs1: zero, imm: PT_REGS_MARK });
  text.emit('sd', { rs1: sp, rs2: t1, imm: FTRACE_REGS.t0 });
}

/** All but `ip`, `sp` and t0. */
function saveRegisters(text: Assembler): void {
  for (const [rs2, imm] of argumentPlaces()) text.emit('sd', { rs1: sp, rs2, imm });
  text.emit('sd', { rs1: sp, rs2: ra, imm: FTRACE_REGS.ra });
  for (const [rs2, imm] of fullPlaces()) text.emit('sd', { rs1: sp, rs2, imm });
}

function saveStackPointer(text: Assembler): void {
  text.emit('addi', { rd: t1, rs1: sp, imm: PT_REGS_FRAME });
  text.emit('sd', { rs1: sp, rs2: t1, imm: PT_REGS_SP });
}

function enterWithRegs(siteBytes: number): Uint16Array {
  return assembled((text) => {
    text.emit('addi', { rd: sp, rs1: sp, imm: -PT_REGS_FRAME });
    savePtRegs(text);
    text.emit('sd', { rs1: sp, rs2: t0, imm: PT_REGS_IP });
    text.emit('sd', { rs1: sp, rs2: t0, imm: RESUME });
    saveStackPointer(text);
    passArguments(text, siteBytes);
  });
}

function leaveWithRegs(goesOnAt: number): Uint16Array {
  return assembled((text) => {
    text.emit('ld', { rd: ra, rs1: sp, imm: FTRACE_REGS.ra });
    text.emit('ld', { rd: t0, rs1: sp, imm: goesOnAt });
    for (const [rd, imm] of fullPlaces()) text.emit('ld', { rd, rs1: sp, imm });
    for (const [rd, imm] of argumentPlaces()) text.emit('ld', { rd, rs1: sp, imm });
    goOn(text, PT_REGS_FRAME);
  });
}

function passArguments(text: Assembler, siteBytes: number): void {
  text.emit('addi', { rd: REG.a0, rs1: t0, imm: -siteBytes });
  text.emit('addi', { rd: REG.a1, rs1: ra, imm: 0 });
  text.emit('addi', { rd: REG.a3, rs1: sp, imm: 0 });
}

function goOn(text: Assembler, frameBytes: number): void {
  text.emit('addi', { rd: sp, rs1: sp, imm: frameBytes });
  text.emit('jalr', { rd: zero, rs1: t0, imm: 0 });
}

/** Text that is the same wherever it lies. */
function assembled(write: (text: Assembler) => void): Uint16Array {
  const text = new Assembler(0);
  write(text);
  return text.halves();
}

/** a0..a7 with their places in the frame. */
function argumentPlaces(): (readonly [register: number, offset: number])[] {
  return Array.from({ length: ARGUMENT_REGISTERS }, (_, i) => [REG.a0 + i, 8 * i] as const);
}

function fullPlaces(): (readonly [register: number, offset: number])[] {
  return FULL.map((register, i) => [register, PT_REGS_FULL + 8 * i] as const);
}

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}
