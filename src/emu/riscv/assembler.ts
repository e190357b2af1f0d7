// Layer emu. A small assembler: emits halfwords for a known address, with labels. Text never moves after
// it is emitted, so every address is final the moment it is asked for.
import { assert } from '../../assert.ts';
import { type Address, addressHi, addressLo, hexAddress } from '../address.ts';
import { type BranchMnemonic, type Mnemonic, type Operands, PLAIN, encode } from './encode.ts';

/** A place in the text, maybe one that is not emitted yet. Made by `Assembler.label`. */
export interface Label {
  readonly name: string;
  address: Address | undefined;
  /** Forward jumps that wait for the address. */
  readonly uses: Use[];
}

interface Use {
  readonly at: Address;
  /** Encodes the instruction at `at` for a target `imm` bytes on. */
  readonly encode: (imm: number) => number;
}

export class Assembler {
  readonly base: Address;
  readonly #halves: number[] = [];
  readonly #labels: Label[] = [];

  constructor(base: Address) {
    assert((base & 1) === 0, 'text is made of halfwords');
    this.base = base;
  }

  /** The address of the next instruction. */
  get here(): Address {
    return this.base + 2 * this.#halves.length;
  }

  /** What was emitted. Every label must have been bound. */
  halves(): Uint16Array {
    for (const { name, address } of this.#labels) {
      assert(address !== undefined, `label ${name} is bound`);
    }
    return new Uint16Array(this.#halves);
  }

  /** Emits a 16-bit instruction, or data. */
  half(value: number): void {
    assert(value >= 0 && value <= 0xffff, 'a halfword has 16 bits');
    this.#halves.push(value);
  }

  /** Emits a 32-bit instruction, or data. */
  word(value: number): void {
    this.#halves.push(value & 0xffff, value >>> 16);
  }

  /** Emits text that was assembled elsewhere and does not care where it lies. */
  append(halves: Uint16Array): void {
    for (const half of halves) this.#halves.push(half);
  }

  /** Emits an instruction by its mnemonic. */
  emit<M extends Mnemonic>(mnemonic: M, operands: Operands[M]): void {
    this.word(encode(mnemonic, operands));
  }

  /** Emits an instruction without operands. */
  plain(mnemonic: keyof typeof PLAIN): void {
    this.word(PLAIN[mnemonic]);
  }

  /** Pins the position: nops up to `address`, a multiple of 4 bytes away. */
  padTo(address: Address): void {
    assert(address >= this.here, `${hexAddress(address)} is not behind us`);
    assert(((address - this.here) & 3) === 0, 'nops have 4 bytes');
    while (this.here < address) this.plain('nop');
  }

  label(name: string): Label {
    const label: Label = { name, address: undefined, uses: [] };
    this.#labels.push(label);
    return label;
  }

  /** `label` is here. */
  bind(label: Label): void {
    assert(label.address === undefined, `label ${label.name} is bound once`);
    label.address = this.here;
    for (const { at, encode: encodeUse } of label.uses.splice(0)) {
      const value = encodeUse(this.here - at);
      const index = (at - this.base) >> 1;
      this.#halves[index] = value & 0xffff;
      this.#halves[index + 1] = value >>> 16;
    }
  }

  branch(mnemonic: BranchMnemonic, operands: BranchOperands): void {
    const { rs1, rs2, to } = operands;
    this.#use(to, (imm) => encode(mnemonic, { rs1, rs2, imm }));
  }

  /** `jal rd, label`; with rd 0 a plain jump. */
  jal(rd: number, to: Label): void {
    this.#use(to, (imm) => encode('jal', { rd, imm }));
  }

  #use(label: Label, encodeUse: (imm: number) => number): void {
    const at = this.here;
    if (label.address === undefined) label.uses.push({ at, encode: encodeUse });
    this.word(encodeUse((label.address ?? at) - at));
  }

  /** `jal ra, target`. */
  call(target: Address): void {
    this.jump(1, target);
  }

  /** `jal rd, target` for an absolute address within 1 MiB either way. */
  jump(rd: number, target: Address): void {
    this.emit('jal', { rd, imm: target - this.here });
  }

  /** rd = `address`, whatever its distance within 2 GiB: auipc, addi. */
  la(rd: number, address: Address): void {
    const distance = (addressLo(address) - addressLo(this.here)) | 0;
    assert(addressHi(address) === addressHi(this.here), 'text and target are on the same side');
    const low = lowBits(distance);
    assert(distance - low < 0x80000000, 'auipc reaches just below 2 GiB');
    this.emit('auipc', { rd, imm: (distance - low) >> 12 });
    this.emit('addi', { rd, rs1: rd, imm: low });
  }

  /** rd = `address` but for the 12 bits that it returns, for an addi, load or store. Always one instruction. */
  upper(rd: number, address: Address): number {
    const value = addressLo(address);
    const low = lowBits(value);
    this.emit('lui', { rd, imm: ((value - low) >> 12) & 0xfffff });
    return low;
  }

  /** rd = `value`, taken modulo 2^64: at most 8 instructions. */
  li(rd: number, value: number | bigint): void {
    if (typeof value === 'number' && (value | 0) === value) this.#liWord(rd, value, lowBits(value));
    else this.#li(rd, BigInt.asIntN(64, BigInt(value)));
  }

  #li(rd: number, value: bigint): void {
    const low = Number(BigInt.asIntN(12, value));
    if (value === BigInt.asIntN(32, value)) return this.#liWord(rd, Number(value), low);
    // The bits above the low 12, without trailing zeros, then shifted into place.
    let upper = BigInt.asIntN(64, value - BigInt(low)) >> 12n;
    let shift = 12;
    while ((upper & 1n) === 0n) {
      upper >>= 1n;
      shift++;
    }
    this.#li(rd, upper);
    this.emit('slli', { rd, rs1: rd, imm: shift });
    if (low !== 0) this.emit('addi', { rd, rs1: rd, imm: low });
  }

  /** lui wraps at 2^31 by its sign extension, so that addiw gives the low word back. */
  #liWord(rd: number, value: number, low: number): void {
    const upper = ((value - low) >> 12) & 0xfffff;
    if (upper === 0) return this.emit('addi', { rd, rs1: 0, imm: low });
    this.emit('lui', { rd, imm: upper });
    if (low !== 0) this.emit('addiw', { rd, rs1: rd, imm: low });
  }
}

/** The signed 12 bits that an addi, load or store adds. */
function lowBits(value: number): number {
  return (value << 20) >> 20;
}

interface BranchOperands {
  readonly rs1: number;
  readonly rs2: number;
  readonly to: Label;
}
