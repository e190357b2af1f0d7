// Layer emu. The instructions of RV64IMAC + Zicsr + Zifencei, as the tables of the instruction set manual
// print them. The reference core and the disassembler read them; the fast core's decoder (decode.ts) knows
// nothing of them, which is why the two can be compared.
//
// A row lists its bits from the highest down: `0` and `1` stand for themselves, `-` for a bit that does not
// matter. `rd`, `rs1` and `rs2` are registers (5 bits), with an apostrophe one of x8..x15 (3 bits);
// `rd/rs1` names both. `imm[12|10:5]` holds these bits of a signed immediate, `uimm[..]` of an unsigned one.
// `aq` and `rl` are one bit each. `!=0` refuses the zero. Of two rows that fit the first one is meant.

/** The 32-bit instructions. */
export const ENCODINGS = {
  lui: 'imm[31:12] rd 0110111',
  auipc: 'imm[31:12] rd 0010111',
  jal: 'imm[20|10:1|11|19:12] rd 1101111',
  jalr: 'imm[11:0] rs1 000 rd 1100111',
  beq: 'imm[12|10:5] rs2 rs1 000 imm[4:1|11] 1100011',
  bne: 'imm[12|10:5] rs2 rs1 001 imm[4:1|11] 1100011',
  blt: 'imm[12|10:5] rs2 rs1 100 imm[4:1|11] 1100011',
  bge: 'imm[12|10:5] rs2 rs1 101 imm[4:1|11] 1100011',
  bltu: 'imm[12|10:5] rs2 rs1 110 imm[4:1|11] 1100011',
  bgeu: 'imm[12|10:5] rs2 rs1 111 imm[4:1|11] 1100011',
  lb: 'imm[11:0] rs1 000 rd 0000011',
  lh: 'imm[11:0] rs1 001 rd 0000011',
  lw: 'imm[11:0] rs1 010 rd 0000011',
  ld: 'imm[11:0] rs1 011 rd 0000011',
  lbu: 'imm[11:0] rs1 100 rd 0000011',
  lhu: 'imm[11:0] rs1 101 rd 0000011',
  lwu: 'imm[11:0] rs1 110 rd 0000011',
  sb: 'imm[11:5] rs2 rs1 000 imm[4:0] 0100011',
  sh: 'imm[11:5] rs2 rs1 001 imm[4:0] 0100011',
  sw: 'imm[11:5] rs2 rs1 010 imm[4:0] 0100011',
  sd: 'imm[11:5] rs2 rs1 011 imm[4:0] 0100011',
  addi: 'imm[11:0] rs1 000 rd 0010011',
  slti: 'imm[11:0] rs1 010 rd 0010011',
  sltiu: 'imm[11:0] rs1 011 rd 0010011',
  xori: 'imm[11:0] rs1 100 rd 0010011',
  ori: 'imm[11:0] rs1 110 rd 0010011',
  andi: 'imm[11:0] rs1 111 rd 0010011',
  slli: '000000 uimm[5:0] rs1 001 rd 0010011',
  srli: '000000 uimm[5:0] rs1 101 rd 0010011',
  srai: '010000 uimm[5:0] rs1 101 rd 0010011',
  add: '0000000 rs2 rs1 000 rd 0110011',
  sub: '0100000 rs2 rs1 000 rd 0110011',
  sll: '0000000 rs2 rs1 001 rd 0110011',
  slt: '0000000 rs2 rs1 010 rd 0110011',
  sltu: '0000000 rs2 rs1 011 rd 0110011',
  xor: '0000000 rs2 rs1 100 rd 0110011',
  srl: '0000000 rs2 rs1 101 rd 0110011',
  sra: '0100000 rs2 rs1 101 rd 0110011',
  or: '0000000 rs2 rs1 110 rd 0110011',
  and: '0000000 rs2 rs1 111 rd 0110011',
  addiw: 'imm[11:0] rs1 000 rd 0011011',
  slliw: '0000000 uimm[4:0] rs1 001 rd 0011011',
  srliw: '0000000 uimm[4:0] rs1 101 rd 0011011',
  sraiw: '0100000 uimm[4:0] rs1 101 rd 0011011',
  addw: '0000000 rs2 rs1 000 rd 0111011',
  subw: '0100000 rs2 rs1 000 rd 0111011',
  sllw: '0000000 rs2 rs1 001 rd 0111011',
  srlw: '0000000 rs2 rs1 101 rd 0111011',
  sraw: '0100000 rs2 rs1 101 rd 0111011',
  fence: '------------ ----- 000 ----- 0001111',
  'fence.i': '------------ ----- 001 ----- 0001111',
  ecall: '000000000000 00000 000 00000 1110011',
  ebreak: '000000000001 00000 000 00000 1110011',
  wfi: '000100000101 00000 000 00000 1110011',
  csrrw: 'csr rs1 001 rd 1110011',
  csrrs: 'csr rs1 010 rd 1110011',
  csrrc: 'csr rs1 011 rd 1110011',
  csrrwi: 'csr uimm[4:0] 101 rd 1110011',
  csrrsi: 'csr uimm[4:0] 110 rd 1110011',
  csrrci: 'csr uimm[4:0] 111 rd 1110011',
  mul: '0000001 rs2 rs1 000 rd 0110011',
  mulh: '0000001 rs2 rs1 001 rd 0110011',
  mulhsu: '0000001 rs2 rs1 010 rd 0110011',
  mulhu: '0000001 rs2 rs1 011 rd 0110011',
  div: '0000001 rs2 rs1 100 rd 0110011',
  divu: '0000001 rs2 rs1 101 rd 0110011',
  rem: '0000001 rs2 rs1 110 rd 0110011',
  remu: '0000001 rs2 rs1 111 rd 0110011',
  mulw: '0000001 rs2 rs1 000 rd 0111011',
  divw: '0000001 rs2 rs1 100 rd 0111011',
  divuw: '0000001 rs2 rs1 101 rd 0111011',
  remw: '0000001 rs2 rs1 110 rd 0111011',
  remuw: '0000001 rs2 rs1 111 rd 0111011',
  'lr.w': '00010 aq rl 00000 rs1 010 rd 0101111',
  'sc.w': '00011 aq rl rs2 rs1 010 rd 0101111',
  'amoswap.w': '00001 aq rl rs2 rs1 010 rd 0101111',
  'amoadd.w': '00000 aq rl rs2 rs1 010 rd 0101111',
  'amoxor.w': '00100 aq rl rs2 rs1 010 rd 0101111',
  'amoand.w': '01100 aq rl rs2 rs1 010 rd 0101111',
  'amoor.w': '01000 aq rl rs2 rs1 010 rd 0101111',
  'amomin.w': '10000 aq rl rs2 rs1 010 rd 0101111',
  'amomax.w': '10100 aq rl rs2 rs1 010 rd 0101111',
  'amominu.w': '11000 aq rl rs2 rs1 010 rd 0101111',
  'amomaxu.w': '11100 aq rl rs2 rs1 010 rd 0101111',
  'lr.d': '00010 aq rl 00000 rs1 011 rd 0101111',
  'sc.d': '00011 aq rl rs2 rs1 011 rd 0101111',
  'amoswap.d': '00001 aq rl rs2 rs1 011 rd 0101111',
  'amoadd.d': '00000 aq rl rs2 rs1 011 rd 0101111',
  'amoxor.d': '00100 aq rl rs2 rs1 011 rd 0101111',
  'amoand.d': '01100 aq rl rs2 rs1 011 rd 0101111',
  'amoor.d': '01000 aq rl rs2 rs1 011 rd 0101111',
  'amomin.d': '10000 aq rl rs2 rs1 011 rd 0101111',
  'amomax.d': '10100 aq rl rs2 rs1 011 rd 0101111',
  'amominu.d': '11000 aq rl rs2 rs1 011 rd 0101111',
  'amomaxu.d': '11100 aq rl rs2 rs1 011 rd 0101111',
} as const;

/** A 32-bit instruction by its name in the manual. */
export type BaseMnemonic = keyof typeof ENCODINGS;

/** A compressed form: its bits, the instruction that it stands for, and the registers that it implies. */
export interface Compressed {
  readonly bits: string;
  readonly base: BaseMnemonic;
  readonly implied?: Readonly<Partial<Record<'rd' | 'rs1' | 'rs2', number>>>;
}

const RA = 1;
const SP = 2;

/** The 16-bit instructions, without those of floating point. */
export const COMPRESSED = {
  'c.addi4spn': { bits: "000 uimm[5:4|9:6|2|3]!=0 rd' 00", base: 'addi', implied: { rs1: SP } },
  'c.lw': { bits: "010 uimm[5:3] rs1' uimm[2|6] rd' 00", base: 'lw' },
  'c.ld': { bits: "011 uimm[5:3] rs1' uimm[7:6] rd' 00", base: 'ld' },
  'c.sw': { bits: "110 uimm[5:3] rs1' uimm[2|6] rs2' 00", base: 'sw' },
  'c.sd': { bits: "111 uimm[5:3] rs1' uimm[7:6] rs2' 00", base: 'sd' },
  'c.nop': { bits: '000 imm[5] 00000 imm[4:0] 01', base: 'addi' },
  'c.addi': { bits: '000 imm[5] rd/rs1 imm[4:0] 01', base: 'addi' },
  'c.addiw': { bits: '001 imm[5] rd/rs1!=0 imm[4:0] 01', base: 'addiw' },
  'c.li': { bits: '010 imm[5] rd imm[4:0] 01', base: 'addi' },
  'c.addi16sp': {
    bits: '011 imm[9]!=0 00010 imm[4|6|8:7|5]!=0 01',
    base: 'addi',
    implied: { rd: SP, rs1: SP },
  },
  'c.lui': { bits: '011 imm[17]!=0 rd imm[16:12]!=0 01', base: 'lui' },
  'c.srli': { bits: "100 uimm[5] 00 rd/rs1' uimm[4:0] 01", base: 'srli' },
  'c.srai': { bits: "100 uimm[5] 01 rd/rs1' uimm[4:0] 01", base: 'srai' },
  'c.andi': { bits: "100 imm[5] 10 rd/rs1' imm[4:0] 01", base: 'andi' },
  'c.sub': { bits: "100011 rd/rs1' 00 rs2' 01", base: 'sub' },
  'c.xor': { bits: "100011 rd/rs1' 01 rs2' 01", base: 'xor' },
  'c.or': { bits: "100011 rd/rs1' 10 rs2' 01", base: 'or' },
  'c.and': { bits: "100011 rd/rs1' 11 rs2' 01", base: 'and' },
  'c.subw': { bits: "100111 rd/rs1' 00 rs2' 01", base: 'subw' },
  'c.addw': { bits: "100111 rd/rs1' 01 rs2' 01", base: 'addw' },
  'c.j': { bits: '101 imm[11|4|9:8|10|6|7|3:1|5] 01', base: 'jal' },
  'c.beqz': { bits: "110 imm[8|4:3] rs1' imm[7:6|2:1|5] 01", base: 'beq' },
  'c.bnez': { bits: "111 imm[8|4:3] rs1' imm[7:6|2:1|5] 01", base: 'bne' },
  'c.slli': { bits: '000 uimm[5] rd/rs1 uimm[4:0] 10', base: 'slli' },
  'c.lwsp': { bits: '010 uimm[5] rd!=0 uimm[4:2|7:6] 10', base: 'lw', implied: { rs1: SP } },
  'c.ldsp': { bits: '011 uimm[5] rd!=0 uimm[4:3|8:6] 10', base: 'ld', implied: { rs1: SP } },
  'c.jr': { bits: '1000 rs1!=0 00000 10', base: 'jalr' },
  'c.mv': { bits: '1000 rd rs2!=0 10', base: 'add' },
  'c.ebreak': { bits: '1001 00000 00000 10', base: 'ebreak' },
  'c.jalr': { bits: '1001 rs1!=0 00000 10', base: 'jalr', implied: { rd: RA } },
  'c.add': { bits: '1001 rd/rs1 rs2!=0 10', base: 'add' },
  'c.swsp': { bits: '110 uimm[5:2|7:6] rs2 10', base: 'sw', implied: { rs1: SP } },
  'c.sdsp': { bits: '111 uimm[5:3|8:6] rs2 10', base: 'sd', implied: { rs1: SP } },
} as const satisfies Readonly<Record<string, Compressed>>;

/** Any instruction by its name in the manual, compressed forms included. */
export type FormName = BaseMnemonic | keyof typeof COMPRESSED;
