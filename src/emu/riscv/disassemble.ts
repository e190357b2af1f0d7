// Layer emu. One instruction as text, as GNU objdump prints it. A disassembler remembers what lui and auipc put into
// registers, as objdump does, so that the next use of one can be followed by the address that it makes.
import { REG } from '../regs.ts';
import { type Form, type Instruction, identify, isWide } from './instruction.ts';
import { CSR_NAMES, REFUSED, spellingOf } from './spelling.ts';

const REGISTERS: readonly string[] = Object.keys(REG);

/** `<memcpy+0x4>`: where an address lies. */
export type NameOf = (address: bigint) => string;

/** What stands at an address. `high` is unused after a 16-bit `low`. */
export interface Standing {
  readonly pc: bigint;
  readonly low: number;
  readonly high: number;
}

export class Disassembler {
  /** What gp holds, if that is known. */
  readonly #globalPointer: bigint | undefined;
  /** By register: the upper part of an address that waits for its lower part. */
  readonly #upper = new Map<number, bigint>();

  constructor(globalPointer: bigint | undefined) {
    this.#globalPointer = globalPointer;
  }

  /** The text of an instruction: a mnemonic, then a tab and operands if it has any. */
  print({ pc, low, high }: Standing, nameOf: NameOf): string {
    const word = isWide(low) ? (low | (high << 16)) >>> 0 : low;
    const instruction = identify(low, high);
    if (instruction === undefined || isReserved(instruction, word)) return unknown(word);
    if (instruction.mnemonic === 'fence') return fence(word);
    const [mnemonic = '', operands] = spellingOf(instruction).split(' ');
    const name = `${mnemonic}${ordering(instruction, word)}`;
    if (operands === undefined) return name;
    const place = (address: bigint): string => `${address.toString(16)} ${nameOf(address)}`;
    const target = place(BigInt.asUintN(64, pc + BigInt(instruction.imm)));
    const text = operands.replace(/[a-z]\w*/gu, (part) =>
      part === 'target' ? target : operand(part, instruction),
    );
    const address = this.#addressMade(instruction, operands, pc);
    return `${name}\t${text}${address === undefined ? '' : ` # ${place(address)}`}`;
  }

  /** The address that the instruction completes, if its operands show both parts. */
  #addressMade(instruction: Instruction, operands: string, pc: bigint): bigint | undefined {
    const { mnemonic, rd, rs1, imm, form } = instruction;
    if (mnemonic === 'lui' && rd !== 0) this.#upper.set(rd, BigInt(imm));
    if (mnemonic === 'auipc' && rd !== 0) this.#upper.set(rd, pc + BigInt(imm));
    const adds = /^addiw?$/u.test(mnemonic) && operands.includes('rs1,imm') && !adjustsStack(form);
    const accesses = form.bytes === 4 && /^(?:l[bhwd]u?|s[bhwd])$/u.test(mnemonic);
    const jumps = mnemonic === 'jalr' && form.bytes === 4;
    if (!(adds && rs1 !== 0) && !accesses && !jumps) return undefined;
    const first = this.#base(rs1);
    // For its two operands jalr is asked twice: of gp and tp the second answer counts.
    const base = jumps && operands.includes('imm') ? (this.#base(rs1) ?? first) : first;
    if (base === undefined) return undefined;
    const address = base + BigInt(imm);
    return BigInt.asUintN(64, mnemonic === 'addiw' ? BigInt.asIntN(32, address) : address);
  }

  /** What register `rs1` holds as far as one can tell; an upper part is used once. */
  #base(rs1: number): bigint | undefined {
    const upper = this.#upper.get(rs1);
    this.#upper.delete(rs1);
    if (upper !== undefined) return upper;
    if (rs1 === REG.gp) return this.#globalPointer;
    return rs1 === REG.zero || rs1 === REG.tp ? 0n : undefined;
  }
}

function operand(part: string, { rd, rs1, rs2, csr, imm }: Instruction): string {
  switch (part) {
    case 'rd':
      return registerName(rd);
    case 'rs1':
      return registerName(rs1);
    case 'rs2':
      return registerName(rs2);
    case 'csr':
      return CSR_NAMES.get(csr) ?? `0x${csr.toString(16)}`;
    case 'hex':
      return `0x${imm.toString(16)}`;
    case 'upper':
      return `0x${(imm >>> 12).toString(16)}`;
    default:
      return String(imm);
  }
}

/** c.addi4spn and c.addi16sp: no address is made with sp. */
function adjustsStack({ name }: Form): boolean {
  return name === 'c.addi4spn' || name === 'c.addi16sp';
}

function registerName(index: number): string {
  return REGISTERS[index] ?? '';
}

/** Some encodings do something here, or nothing, and are not named by objdump. */
function isReserved({ mnemonic }: Instruction, word: number): boolean {
  if (mnemonic === 'fence.i') return word !== 0x100f;
  const mode = word >>> 28;
  const isPlain = mode === 0 || word >>> 20 === FENCE_TSO;
  return mnemonic === 'fence' && !(isPlain && (word & 0xfffff) === 0xf);
}

function unknown(word: number): string {
  return REFUSED.get(word) ?? `.${isWide(word) ? 4 : 2}byte\t0x${word.toString(16)}`;
}

/** `.aq`, `.rl` and `.aqrl` of an atomic. */
function ordering({ mnemonic }: Instruction, word: number): string {
  if (!/\.[wd]$/u.test(mnemonic)) return '';
  const [aq, rl] = [(word >>> 26) & 1, (word >>> 25) & 1];
  return aq + rl === 0 ? '' : `.${aq === 1 ? 'aq' : ''}${rl === 1 ? 'rl' : ''}`;
}

const FENCE_ALL = 0xff;
const FENCE_TSO = 0x833;

/** Predecessors and successors, each a set of i, o, r and w. */
function fence(word: number): string {
  const sets = word >>> 20;
  if (sets === FENCE_ALL) return 'fence';
  if (sets === FENCE_TSO) return 'fence.tso';
  return `fence\t${[sets >>> 4, sets].map(fenceSet).join(',')}`;
}

function fenceSet(bits: number): string {
  const letters = ['i', 'o', 'r', 'w'].filter((_, index) => ((bits >> (3 - index)) & 1) === 1);
  return letters.join('') || 'unknown';
}
