// Layer trace. `return_to_handler`: guest text that a function whose return was taken comes to (CC-H15). Each of its
// instructions is a step; an interrupt or another task may come between any two. It hands the exit handlers a `struct
// ftrace_regs` whose a0 is the return value, which they may change (FP-1). Left out: other registers than a0 and a1, as
// no caller finds anything in them.
import type { Address } from '../emu/address.ts';
import type { Machine } from '../emu/machine.ts';
import { REG } from '../emu/regs.ts';
import { Assembler } from '../emu/riscv/assembler.ts';
import { FTRACE_REGS, FTRACE_REGS_BYTES } from './ftrace-regs.ts';
import { RETURN_TEXT, writeText } from './ftrace-trampoline.ts';

export const RETURN_TO_HANDLER: Address = RETURN_TEXT;
const { a0, a1, ra, sp, zero } = REG;

/** Writes it. `func` is the kernel symbol that finds out where the call goes on. */
export function writeReturnToHandler(machine: Machine, func: Address): void {
  const text = new Assembler(RETURN_TO_HANDLER);
  text.emit('addi', { rd: sp, rs1: sp, imm: -FTRACE_REGS_BYTES });
  text.emit('sd', { rs1: sp, rs2: a0, imm: FTRACE_REGS.a0 });
  text.emit('sd', { rs1: sp, rs2: a1, imm: FTRACE_REGS.a0 + 8 });
  text.emit('addi', { rd: a0, rs1: sp, imm: 0 });
  text.call(func);
  text.emit('addi', { rd: ra, rs1: a0, imm: 0 });
  text.emit('ld', { rd: a0, rs1: sp, imm: FTRACE_REGS.a0 });
  text.emit('ld', { rd: a1, rs1: sp, imm: FTRACE_REGS.a0 + 8 });
  text.emit('addi', { rd: sp, rs1: sp, imm: FTRACE_REGS_BYTES });
  text.emit('jalr', { rd: zero, rs1: ra, imm: 0 });
  writeText(machine, text);
  machine.returnDetours.add(RETURN_TO_HANDLER);
}
