// The guest program of the processor benchmarks: what compiled code does all day, written by hand so that its mix
// is known. A round takes about 52 instructions: 7 loads and 5 stores, all on its own stack, 4 branches, 2 jumps,
// 2 calls and their returns, 3 multiplications; the rest adds, shifts and compares words of 32 and 64 bits.
import { type Address } from '../src/emu/address.ts';
import { REG } from '../src/emu/regs.ts';
import { Assembler, type Label } from '../src/emu/riscv/assembler.ts';

/** Bytes of the frame of `mixed`: four saved registers above eight words of state. */
const FRAME_BYTES = 96;
export const STATE_WORDS = 8;
const SAVED_AT = 64;
/** Knuth's multiplier of a linear congruential generator. */
export const MULTIPLIER = 6364136223846793005n;
export const INCREMENT = 1442695040888963407n;

export interface MixedProgram {
  readonly halves: Uint16Array;
  /** `mixed(rounds)`: a0 is a checksum of everything that it computed. */
  readonly mixed: Address;
  /** `leaf(a0)`: called twice a round. */
  readonly leaf: Address;
  readonly end: Address;
}

/** Assembles the program for `base`. */
export function mixedProgram(base: Address): MixedProgram {
  const text = new Assembler(base);
  const leafLabel = text.label('leaf');
  mixed(text, leafLabel);
  text.bind(leafLabel);
  const leafAddress = text.here;
  leaf(text);
  return { halves: text.halves(), mixed: base, leaf: leafAddress, end: text.here };
}

/** s0: rounds left, s1: random, s2: sum; t3: multiplier, t4: increment, which `leaf` leaves alone. */
function mixed(text: Assembler, leafLabel: Label): void {
  const { sp, s0, s1, s2, t3, t4, a0, zero } = REG;
  text.emit('addi', { rd: sp, rs1: sp, imm: -FRAME_BYTES });
  [REG.ra, s0, s1, s2].forEach((rs2, i) =>
    text.emit('sd', { rs2, rs1: sp, imm: SAVED_AT + 8 * i }),
  );
  for (let i = 0; i < STATE_WORDS; i++) {
    text.li(REG.t0, i);
    text.emit('sd', { rs2: REG.t0, rs1: sp, imm: 8 * i });
  }
  text.emit('addi', { rd: s0, rs1: a0, imm: 0 });
  text.li(s1, 1);
  text.li(s2, 0);
  text.li(t3, MULTIPLIER);
  text.li(t4, INCREMENT);
  const [head, done] = [text.label('head'), text.label('done')];
  text.bind(head);
  text.branch('beq', { rs1: s0, rs2: zero, to: done });
  round(text, leafLabel);
  text.emit('addi', { rd: s0, rs1: s0, imm: -1 });
  text.jal(zero, head);
  text.bind(done);
  text.emit('addi', { rd: a0, rs1: s2, imm: 0 });
  [REG.ra, s0, s1, s2].forEach((rd, i) => text.emit('ld', { rd, rs1: sp, imm: SAVED_AT + 8 * i }));
  text.emit('addi', { rd: sp, rs1: sp, imm: FRAME_BYTES });
  text.plain('ret');
}

function round(text: Assembler, leafLabel: Label): void {
  const { sp, s0, s1, s2, a0, t0, t1, t2, t3, t4, zero, ra } = REG;
  text.emit('mul', { rd: s1, rs1: s1, rs2: t3 });
  text.emit('add', { rd: s1, rs1: s1, rs2: t4 });
  text.emit('srli', { rd: t0, rs1: s1, imm: 61 });
  text.emit('slli', { rd: t0, rs1: t0, imm: 3 });
  text.emit('add', { rd: t0, rs1: t0, rs2: sp });
  text.emit('ld', { rd: t1, rs1: t0, imm: 0 });
  text.emit('srli', { rd: t2, rs1: s1, imm: 29 });
  text.emit('xor', { rd: a0, rs1: t1, rs2: t2 });
  text.emit('sd', { rs2: a0, rs1: t0, imm: 0 });
  text.emit('andi', { rd: t1, rs1: a0, imm: 3 });
  const skip = text.label('skip');
  text.branch('bne', { rs1: t1, rs2: zero, to: skip });
  text.emit('sub', { rd: s2, rs1: s2, rs2: s1 });
  text.bind(skip);
  text.jal(ra, leafLabel);
  text.emit('add', { rd: s2, rs1: s2, rs2: a0 });
  text.emit('addi', { rd: a0, rs1: s0, imm: 0 });
  text.jal(ra, leafLabel);
  text.emit('xor', { rd: s2, rs1: s2, rs2: a0 });
}

/** A small function as `gcc -O1` leaves it: it keeps its argument and a saved register in a frame. */
function leaf(text: Assembler): void {
  const { sp, s0, a0, t0, t1, t2, zero } = REG;
  text.emit('addi', { rd: sp, rs1: sp, imm: -32 });
  text.emit('sd', { rs2: s0, rs1: sp, imm: 24 });
  text.emit('sd', { rs2: a0, rs1: sp, imm: 8 });
  text.emit('addi', { rd: s0, rs1: a0, imm: 0 });
  text.emit('lw', { rd: t0, rs1: sp, imm: 8 });
  text.emit('addiw', { rd: t0, rs1: t0, imm: 77 });
  text.emit('mul', { rd: t0, rs1: t0, rs2: t0 });
  text.emit('srai', { rd: t1, rs1: s0, imm: 7 });
  text.emit('xor', { rd: a0, rs1: t0, rs2: t1 });
  text.emit('ld', { rd: t2, rs1: sp, imm: 8 });
  const [negative, done] = [text.label('negative'), text.label('done')];
  text.branch('blt', { rs1: t2, rs2: zero, to: negative });
  text.emit('addi', { rd: a0, rs1: a0, imm: 13 });
  text.jal(zero, done);
  text.bind(negative);
  text.emit('addi', { rd: a0, rs1: a0, imm: 1 });
  text.bind(done);
  text.emit('ld', { rd: s0, rs1: sp, imm: 24 });
  text.emit('addi', { rd: sp, rs1: sp, imm: 32 });
  text.plain('ret');
}
