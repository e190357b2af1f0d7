// Layer emu. For tests: the smallest machine that executes guest code.
import { type Address, GUARD_BYTES, STACK_BASE, STACK_BYTES } from '../address.ts';
import { addressHi, addressLo } from '../address.ts';
import { Memory } from '../memory.ts';
import { Hart, REG, setReg } from '../regs.ts';
import { Core } from './core.ts';
import { type Mnemonic, type Operands, encode } from './encode.ts';
import { run } from './run.ts';
import type { Stop } from './stop.ts';

export const TEXT: Address = 0;
export const TEXT_BYTES = 0x1000;
/** Writable data, outside every stack. */
export const DATA: Address = 0x10000;
export const DATA_BYTES = 0x1000;
/** Read-only data. */
export const RODATA: Address = 0x12000;
export const STACK: Address = STACK_BASE + GUARD_BYTES;

export interface Rig {
  readonly memory: Memory;
  readonly core: Core;
  readonly hart: Hart;
}

/** One hart at TEXT, its stack, data and read-only data. */
export function makeRig(): Rig {
  const memory = new Memory();
  const core = new Core(memory);
  core.addText(TEXT, TEXT_BYTES);
  memory.addSegment({ name: 'data', base: DATA, bytes: DATA_BYTES, writable: true });
  memory.addSegment({ name: 'rodata', base: RODATA, bytes: 64, writable: false });
  memory.addSegment({ name: 'stack', base: STACK, bytes: STACK_BYTES, writable: true });
  const hart = new Hart(0);
  hart.stackBase = STACK;
  hart.pc = TEXT;
  setAddress(hart, REG.sp, STACK + STACK_BYTES);
  return { memory, core, hart };
}

export function setAddress(hart: Hart, register: number, address: Address): void {
  setReg(hart, register, addressLo(address), addressHi(address));
}

export function setValue(hart: Hart, register: number, value: bigint): void {
  setReg(hart, register, Number(BigInt.asIntN(32, value)), Number(BigInt.asIntN(32, value >> 32n)));
}

/** As an unsigned 64-bit value. */
export function valueOf(hart: Hart, register: number): bigint {
  return join(hart.lo[register] as number, hart.hi[register] as number);
}

/** The unsigned 64-bit value of two words. */
export function join(lo: number, hi: number): bigint {
  return (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0);
}

/** Writes 32-bit instructions one after the other. */
export function putWords(core: Core, address: Address, words: readonly number[]): void {
  const halves = words.flatMap((word) => [word & 0xffff, word >>> 16]);
  core.writeText(address, Uint16Array.from(halves));
}

/** Executes one instruction at TEXT. */
export function execute<M extends Mnemonic>(rig: Rig, mnemonic: M, operands: Operands[M]): Stop {
  putWords(rig.core, TEXT, [encode(mnemonic, operands)]);
  rig.hart.pc = TEXT;
  return run(rig.core, rig.hart, 1, true);
}
