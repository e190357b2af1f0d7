// Layer emu: imports nothing above it, no package and no node: module.
// Scripted functions to RV64 text. What comes out is what a compiler would write without
// optimising: a real prologue, a call site for ftrace, calls by `jal`, and a real `ret`. Only
// 32-bit instructions are used, so that every function and every site is 4-byte aligned. Sizes do
// not depend on addresses.
import { assert, InputError, known } from '../assert.ts';
import { type Address, addressLo } from './address.ts';
import { REG } from './regs.ts';
import { CSRS, encode, type Mnemonic, type Operands, PLAIN } from './riscv/encode.ts';
import {
  argumentOffset,
  CALLBACK_ARGUMENTS,
  type Frame,
  frameOf,
  raOffset,
  slotOffset,
} from './script-frame.ts';
import type { ScriptFunction, ScriptOp } from './script.ts';

export const INSTRUCTION_BYTES = 4;

/** Where names are. All throw InputError for a name that is not there. */
export interface Linker {
  /** A function that a script calls by name. */
  callTarget(name: string): Address;
  /** A kernel symbol that an operation stands for, whatever else has that name. */
  kernelSymbol(name: string): Address;
  /** The address of the 8 bytes at `offset` of `symbol`. */
  dataAddress(symbol: string, offset: number): Address;
}

export interface Placement {
  readonly at: Address;
  readonly landingPad: boolean;
  readonly linker: Linker;
}

/** Repetitions and microseconds. */
const COUNT_MAX = 0x7fffffff;
/** So much `work` is written out; more is a loop. */
const WORK_WRITTEN_MAX = 8;

/** Where a callback keeps what it was called with. */
const ARGUMENT = { ip: 0, parentIp: 1, ops: 2, regs: 3 } as const;

const SSTATUS_SIE = 2;

/** Operations that are a call of one kernel symbol without arguments. */
const KERNEL_CALLS = {
  preempt_off: 'preempt_disable',
  preempt_on: 'preempt_enable',
  rcu_read_lock: 'rcu_read_lock',
  rcu_read_unlock: 'rcu_read_unlock',
} as const;

type Of<K extends ScriptOp['op']> = Extract<ScriptOp, { op: K }>;

/** A function being assembled. */
interface Code {
  readonly words: number[];
  readonly fn: ScriptFunction;
  readonly frame: Frame;
  readonly at: Address;
  readonly linker: Linker;
  /** Where `jal x0, epilogue` belongs. */
  readonly returns: number[];
}

/** Where the call site of a function is, if it has one (FT-4). */
export function siteOffset(fn: ScriptFunction, landingPad: boolean): number | undefined {
  if (fn.notrace) return undefined;
  return landingPad ? INSTRUCTION_BYTES : 0;
}

/** The instructions of `fn`, one word each. */
export function assembleFunction(fn: ScriptFunction, placement: Placement): readonly number[] {
  const { at, linker, landingPad } = placement;
  assert(at % INSTRUCTION_BYTES === 0, 'functions are aligned');
  const code: Code = { words: [], fn, frame: frameOf(fn), at, linker, returns: [] };
  const site = siteOffset(fn, landingPad);
  if (site !== undefined) {
    if (landingPad) code.words.push(PLAIN.lpad);
    assert(code.words.length * INSTRUCTION_BYTES === site, 'the site is where it is said to be');
    code.words.push(PLAIN.nop);
  }
  prologue(code);
  body(code, fn.body, 0);
  if (fn.body.at(-1)?.op === 'return') {
    // It falls into the epilogue.
    code.words.pop();
    code.returns.pop();
  } else if (fn.body.at(-1)?.op !== 'delegate') {
    loadImmediate(code, REG.a0, 0n);
  }
  for (const index of code.returns) patchJump(code, index);
  epilogue(code);
  return code.words;
}

function emit<M extends Mnemonic>({ words }: Code, mnemonic: M, operands: Operands[M]): void {
  words.push(encode(mnemonic, operands));
}

function wrong({ fn }: Code, what: string): InputError {
  return new InputError(`function ${fn.name}: ${what}`);
}

// ---- Frame ----

function prologue(code: Code): void {
  const { frame } = code;
  if (frame.bytes > 0) emit(code, 'addi', { rd: REG.sp, rs1: REG.sp, imm: -frame.bytes });
  if (frame.keepsRa) emit(code, 'sd', { rs2: REG.ra, rs1: REG.sp, imm: raOffset(frame) });
  if (!frame.keepsArguments) return;
  for (let index = 0; index < CALLBACK_ARGUMENTS; index++) {
    emit(code, 'sd', { rs2: REG.a0 + index, rs1: REG.sp, imm: argumentOffset(frame, index) });
  }
}

function epilogue(code: Code): void {
  const { frame } = code;
  if (frame.keepsRa) emit(code, 'ld', { rd: REG.ra, rs1: REG.sp, imm: raOffset(frame) });
  if (frame.bytes > 0) emit(code, 'addi', { rd: REG.sp, rs1: REG.sp, imm: frame.bytes });
  code.words.push(PLAIN.ret);
}

// ---- Operations ----

function body(code: Code, ops: readonly ScriptOp[], depth: number): void {
  for (const op of ops) operation(code, op, depth);
}

function operation(code: Code, op: ScriptOp, depth: number): void {
  switch (op.op) {
    case 'work':
      return work(code, counted(code, op.count));
    case 'call':
      return call(code, code.linker.callTarget(op.target));
    case 'loop':
      return loop(code, op, depth);
    case 'load':
    case 'store':
    case 'add':
      return access(code, op);
    case 'amoadd':
      return amoadd(code, op);
    case 'irq_off':
      return interrupts(code, 'csrrci');
    case 'irq_on':
      return interrupts(code, 'csrrsi');
    case 'preempt_off':
    case 'preempt_on':
    case 'rcu_read_lock':
    case 'rcu_read_unlock':
      return callKernel(code, KERNEL_CALLS[op.op]);
    case 'sleep':
      return sleep(code, op);
    case 'return':
      return returnValue(code, op);
    case 'delegate':
      return delegate(code, op);
    case 'trylock':
      return trylock(code, op, depth);
    case 'regs':
      return recordRegs(code);
  }
}

function interrupts(code: Code, change: 'csrrci' | 'csrrsi'): void {
  emit(code, change, { rd: REG.zero, rs1: SSTATUS_SIE, csr: CSRS.sstatus });
}

/** Exactly `count` instructions that touch nothing but temporaries. */
function work(code: Code, count: number): void {
  const { t0, t1, t2, zero } = REG;
  const filler = encode('addi', { rd: t1, rs1: t1, imm: 1 });
  if (count <= WORK_WRITTEN_MAX) {
    for (let i = 0; i < count; i++) code.words.push(filler);
    return;
  }
  const rounds = Math.floor((count - 2) / 4); // Setting t0 takes one or two instructions.
  const start = code.words.length;
  loadImmediate(code, t0, BigInt(rounds));
  const rest = count - 4 * rounds - (code.words.length - start);
  for (let i = 0; i < rest; i++) code.words.push(filler);
  code.words.push(filler);
  emit(code, 'xor', { rd: t2, rs1: t2, rs2: t1 });
  emit(code, 'addi', { rd: t0, rs1: t0, imm: -1 });
  emit(code, 'bne', { rs1: t0, rs2: zero, imm: -3 * INSTRUCTION_BYTES });
}

function call(code: Code, target: Address): void {
  emit(code, 'jal', { rd: REG.ra, imm: target - here(code) });
}

function callKernel(code: Code, name: string): void {
  call(code, code.linker.kernelSymbol(name));
}

function loop(code: Code, { times, body: ops }: Of<'loop'>, depth: number): void {
  const { t0, sp, zero } = REG;
  if (counted(code, times) === 0) return;
  const slot = slotOffset(depth);
  loadImmediate(code, t0, BigInt(times));
  emit(code, 'sd', { rs2: t0, rs1: sp, imm: slot });
  const head = here(code);
  body(code, ops, depth + 1);
  emit(code, 'ld', { rd: t0, rs1: sp, imm: slot });
  emit(code, 'addi', { rd: t0, rs1: t0, imm: -1 });
  emit(code, 'sd', { rs2: t0, rs1: sp, imm: slot });
  // The way back may be too far for a branch.
  emit(code, 'beq', { rs1: t0, rs2: zero, imm: 2 * INSTRUCTION_BYTES });
  emit(code, 'jal', { rd: zero, imm: head - here(code) });
}

/** `load`, `store`, and `add`, whose load and store others can come between. */
function access(code: Code, op: Of<'load'> | Of<'store'> | Of<'add'>): void {
  const { t0, t1, t2 } = REG;
  const low = loadUpper(code, t0, code.linker.dataAddress(op.symbol, op.offset));
  if (op.op !== 'load') loadImmediate(code, op.op === 'add' ? t2 : t1, integer(code, op.value));
  if (op.op !== 'store') emit(code, 'ld', { rd: t1, rs1: t0, imm: low });
  if (op.op === 'add') emit(code, 'add', { rd: t1, rs1: t1, rs2: t2 });
  if (op.op !== 'load') emit(code, 'sd', { rs2: t1, rs1: t0, imm: low });
}

function amoadd(code: Code, op: Of<'amoadd'>): void {
  const { t0, t1, zero } = REG;
  const low = loadUpper(code, t0, code.linker.dataAddress(op.symbol, op.offset));
  emit(code, 'addi', { rd: t0, rs1: t0, imm: low });
  loadImmediate(code, t1, integer(code, op.value));
  emit(code, 'amoadd.d', { rd: zero, rs1: t0, rs2: t1 });
}

function sleep(code: Code, { us }: Of<'sleep'>): void {
  loadImmediate(code, REG.a0, BigInt(counted(code, us)));
  emit(code, 'addi', { rd: REG.a1, rs1: REG.a0, imm: 0 });
  callKernel(code, 'usleep_range');
}

function returnValue(code: Code, { value }: Of<'return'>): void {
  loadImmediate(code, REG.a0, integer(code, value));
  code.returns.push(reserve(code));
}

/**
 * No tail call: what the symbol's path calls needs another sp than this function was entered with, or its return would
 * pass for this one's.
 */
function delegate(code: Code, { target }: Of<'delegate'>): void {
  assert(code.fn.body.length === 1 && !code.frame.keepsArguments, 'to delegate is the whole body');
  callKernel(code, target);
}

/** A `return` in the body leaves without unlocking, as it would in C. */
function trylock(code: Code, { body: ops }: Of<'trylock'>, depth: number): void {
  const { a0, a1, sp, zero } = REG;
  const slot = slotOffset(depth);
  loadArgument(code, a0, ARGUMENT.ip);
  loadArgument(code, a1, ARGUMENT.parentIp);
  callKernel(code, 'ftrace_test_recursion_trylock');
  emit(code, 'sd', { rs2: a0, rs1: sp, imm: slot });
  emit(code, 'bge', { rs1: a0, rs2: zero, imm: 2 * INSTRUCTION_BYTES });
  const skip = reserve(code);
  body(code, ops, depth + 1);
  emit(code, 'ld', { rd: a0, rs1: sp, imm: slot });
  callKernel(code, 'ftrace_test_recursion_unlock');
  patchJump(code, skip);
}

function recordRegs(code: Code): void {
  loadArgument(code, REG.a0, ARGUMENT.ops);
  loadArgument(code, REG.a1, ARGUMENT.regs);
  callKernel(code, 'reprobe_record_regs');
}

// ---- Pieces ----

function here({ at, words }: Code): Address {
  return at + words.length * INSTRUCTION_BYTES;
}

/** Leaves room for a jump forward; see `patchJump`. */
function reserve(code: Code): number {
  return code.words.push(0) - 1;
}

/** The jump at `index` goes to where the next instruction will be. */
function patchJump(code: Code, index: number): void {
  assert(known(code.words[index], 'the room is there') === 0, 'a jump is patched once');
  const imm = (code.words.length - index) * INSTRUCTION_BYTES;
  code.words[index] = encode('jal', { rd: REG.zero, imm });
}

function loadArgument(code: Code, register: number, index: number): void {
  if (!code.frame.keepsArguments) throw wrong(code, 'trylock and regs belong into callbacks');
  emit(code, 'ld', { rd: register, rs1: REG.sp, imm: argumentOffset(code.frame, index) });
}

function counted(code: Code, count: number): number {
  if (!Number.isInteger(count) || count < 0 || count > COUNT_MAX) {
    throw wrong(code, `${count} is no count from 0 to ${COUNT_MAX}`);
  }
  return count;
}

function integer(code: Code, value: number): bigint {
  if (!Number.isSafeInteger(value)) throw wrong(code, `${value} is no integer of 53 bits`);
  return BigInt(value);
}

/** `rd` := `value`, by as few instructions as the usual scheme needs. */
function loadImmediate(code: Code, rd: number, value: bigint): void {
  const low = BigInt.asIntN(12, value);
  if (low === value) {
    emit(code, 'addi', { rd, rs1: REG.zero, imm: Number(low) });
    return;
  }
  const rest = (value - low) >> 12n;
  const fitsWord = BigInt.asIntN(32, value) === value;
  if (fitsWord) emit(code, 'lui', { rd, imm: Number(BigInt.asUintN(20, rest)) });
  else {
    loadImmediate(code, rd, rest);
    emit(code, 'slli', { rd, rs1: rd, imm: 12 });
  }
  if (low === 0n) return;
  emit(code, fitsWord ? 'addiw' : 'addi', { rd, rs1: rd, imm: Number(low) });
}

/** `rd` := the upper part of `address`; returns the 12 bits to add. Always one instruction. */
function loadUpper(code: Code, rd: number, address: Address): number {
  const value = addressLo(address);
  const upper = (value + 0x800) >> 12;
  emit(code, 'lui', { rd, imm: upper & 0xfffff });
  return value - (upper << 12);
}
