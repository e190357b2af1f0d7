// Layer emu. How GNU objdump (binutils 2.40) spells instructions: its aliases and the order of operands. Words in a
// spelling stand for operands: `rd`, `rs1`, `rs2`, `csr`; `imm` in decimal, `hex` in hexadecimal, `upper` without its
// 12 low zeros; `target`, where a jump goes. Left out: what the core does not execute, but for a few words.
import type { FormName } from './encodings.ts';
import type { Instruction } from './instruction.ts';

type Condition = Readonly<Partial<Pick<Instruction, 'rd' | 'rs1' | 'rs2' | 'csr' | 'imm'>>>;

/** `spelling` is for a form, or whatever stands for that instruction, with these operands. */
type Row = readonly [of: FormName, when: Condition, spelling: string];

const RA = 1;

/** The first row that fits counts. */
// prettier-ignore
const ALIASES: readonly Row[] = [
  ['c.nop', { imm: 0 }, 'nop'], ['c.nop', {}, 'c.nop imm'],
  ['c.li', { rd: 0 }, 'c.li rd,imm'], ['c.lui', { rd: 0 }, 'c.lui rd,upper'],
  ['c.slli', { imm: 0 }, 'c.slli64 rd'], ['c.slli', { rd: 0 }, 'c.slli rd,hex'],
  ['c.srli', { imm: 0 }, 'c.srli64 rd'], ['c.srai', { imm: 0 }, 'c.srai64 rd'],
  ['c.addi', {}, 'add rd,rs1,imm'],
  ['c.mv', { rd: 0 }, 'c.mv rd,rs2'], ['c.mv', {}, 'mv rd,rs2'],
  ['c.add', { rd: 0 }, 'c.add rd,rs2'],

  ['addi', { rd: 0, rs1: 0, imm: 0 }, 'nop'], ['addi', { rs1: 0 }, 'li rd,imm'],
  ['addi', { imm: 0 }, 'mv rd,rs1'], ['addi', {}, 'add rd,rs1,imm'],
  ['addiw', { imm: 0 }, 'sext.w rd,rs1'], ['addiw', {}, 'addw rd,rs1,imm'],
  ['andi', { imm: 255 }, 'zext.b rd,rs1'], ['andi', {}, 'and rd,rs1,imm'],
  ['xori', { imm: -1 }, 'not rd,rs1'], ['xori', {}, 'xor rd,rs1,imm'],
  ['ori', {}, 'or rd,rs1,imm'],
  ['sltiu', { imm: 1 }, 'seqz rd,rs1'],
  ['slli', {}, 'sll rd,rs1,hex'], ['srli', {}, 'srl rd,rs1,hex'], ['srai', {}, 'sra rd,rs1,hex'],
  ['slliw', {}, 'sllw rd,rs1,hex'], ['srliw', {}, 'srlw rd,rs1,hex'],
  ['sraiw', {}, 'sraw rd,rs1,hex'],
  ['sub', { rs1: 0 }, 'neg rd,rs2'], ['subw', { rs1: 0 }, 'negw rd,rs2'],
  ['sltu', { rs1: 0 }, 'snez rd,rs2'],
  ['slt', { rs2: 0 }, 'sltz rd,rs1'], ['slt', { rs1: 0 }, 'sgtz rd,rs2'],

  ['beq', { rs2: 0 }, 'beqz rs1,target'], ['bne', { rs2: 0 }, 'bnez rs1,target'],
  ['bge', { rs1: 0 }, 'blez rs2,target'], ['bge', { rs2: 0 }, 'bgez rs1,target'],
  ['blt', { rs2: 0 }, 'bltz rs1,target'], ['blt', { rs1: 0 }, 'bgtz rs2,target'],
  ['jal', { rd: 0 }, 'j target'], ['jal', { rd: RA }, 'jal target'],
  ['jalr', { rd: 0, rs1: RA, imm: 0 }, 'ret'], ['jalr', { rd: 0, imm: 0 }, 'jr rs1'],
  ['jalr', { rd: 0 }, 'jr imm(rs1)'], ['jalr', { rd: RA, imm: 0 }, 'jalr rs1'],
  ['jalr', { rd: RA }, 'jalr imm(rs1)'], ['jalr', { imm: 0 }, 'jalr rd,rs1'],

  ['csrrw', { rd: 0, rs1: 0, csr: 0xc00 }, 'unimp'],
  ['csrrs', { rs1: 0, csr: 0xc00 }, 'rdcycle rd'], ['csrrs', { rs1: 0, csr: 0xc01 }, 'rdtime rd'],
  ['csrrs', { rs1: 0, csr: 0xc02 }, 'rdinstret rd'],
  ['csrrs', { rs1: 0 }, 'csrr rd,csr'],
  ['csrrw', { rd: 0 }, 'csrw csr,rs1'], ['csrrs', { rd: 0 }, 'csrs csr,rs1'],
  ['csrrc', { rd: 0 }, 'csrc csr,rs1'],
  ['csrrwi', { rd: 0 }, 'csrw csr,imm'], ['csrrsi', { rd: 0 }, 'csrs csr,imm'],
  ['csrrci', { rd: 0 }, 'csrc csr,imm'],
  ['csrrwi', {}, 'csrrw rd,csr,imm'], ['csrrsi', {}, 'csrrs rd,csr,imm'],
  ['csrrci', {}, 'csrrc rd,csr,imm'],
];

/** Without an alias: by the mnemonic. */
const OPERANDS: readonly (readonly [mnemonics: RegExp, operands: string])[] = [
  [/^(?:lui|auipc)$/u, 'rd,upper'],
  [/^jal$/u, 'rd,target'],
  [/^(?:jalr|l[bhwd]u?)$/u, 'rd,imm(rs1)'],
  [/^s[bhwd]$/u, 'rs2,imm(rs1)'],
  [/^b(?:eq|ne|lt|ge)u?$/u, 'rs1,rs2,target'],
  [/^csr/u, 'rd,csr,rs1'],
  [/^lr\./u, 'rd,(rs1)'],
  [/^(?:sc|amo\w+)\./u, 'rd,rs2,(rs1)'],
  [/^(?:ecall|ebreak|wfi|fence|fence\.i)$/u, ''],
  [/^sltiu?$/u, 'rd,rs1,imm'],
  [/^/u, 'rd,rs1,rs2'],
];

/** The spelling of an instruction: a mnemonic, then a space and operands if it has any. */
export function spellingOf(instruction: Instruction): string {
  const { form, mnemonic } = instruction;
  const alias = ALIASES.find(
    ([of, when]) => (of === form.name || of === mnemonic) && holds(instruction, when),
  );
  if (alias !== undefined) return alias[2];
  const [, operands = ''] = OPERANDS.find(([mnemonics]) => mnemonics.test(mnemonic)) ?? [];
  return `${mnemonic} ${operands}`.trimEnd();
}

function holds(instruction: Instruction, when: Condition): boolean {
  const wanted = Object.entries(when) as [keyof Condition, number][];
  return wanted.every(([name, value]) => instruction[name] === value);
}

/** What the core refuses and objdump names: instructions of a kernel, and one reserved encoding. */
export const REFUSED: ReadonlyMap<number, string> = new Map([
  [0, 'unimp'],
  [0x6101, 'add\tsp,sp,0'],
  [0x10200073, 'sret'],
  [0x30200073, 'mret'],
  [0x12000073, 'sfence.vma'],
]);

/** CSRs of the base, supervisor and machine levels; objdump shows others by number, too, or knows more. */
// prettier-ignore
export const CSR_NAMES: ReadonlyMap<number, string> = new Map([
  [0x100, 'sstatus'], [0x104, 'sie'], [0x105, 'stvec'], [0x106, 'scounteren'],
  [0x140, 'sscratch'], [0x141, 'sepc'], [0x142, 'scause'], [0x143, 'stval'], [0x144, 'sip'],
  [0x180, 'satp'],
  [0x300, 'mstatus'], [0x301, 'misa'], [0x302, 'medeleg'], [0x303, 'mideleg'], [0x304, 'mie'],
  [0x305, 'mtvec'], [0x306, 'mcounteren'],
  [0x340, 'mscratch'], [0x341, 'mepc'], [0x342, 'mcause'], [0x343, 'mtval'], [0x344, 'mip'],
  [0xb00, 'mcycle'], [0xb02, 'minstret'],
  [0xc00, 'cycle'], [0xc01, 'time'], [0xc02, 'instret'],
  [0xf11, 'mvendorid'], [0xf12, 'marchid'], [0xf13, 'mimpid'], [0xf14, 'mhartid'],
]);
