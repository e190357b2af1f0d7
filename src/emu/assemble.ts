// Layer emu: imports nothing above it, no package and no node: module.
// Scripted functions to RV64 text. What comes out is what a compiler would write without
// optimising: a real prologue, a call site for ftrace, calls by `jal`, and a real `ret`. Only
// 32-bit instructions are used, so that every function and every site is 4-byte aligned. Sizes do
// not depend on addresses.
import { assert, InputError } from '../assert.ts';
import type { Address } from './address.ts';
import { REG } from './regs.ts';
import { Assembler, type Label } from './riscv/assembler.ts';
import { CSRS, type Mnemonic, type Operands } from './riscv/encode.ts';
import {
  argumentOffset,
  ARGUMENTS,
  type Frame,
  frameOf,
  raOffset,
  slotOffset,
} from './script-frame.ts';
import type { ScriptFunction, ScriptOp } from './script.ts';

const INSTRUCTION_BYTES = 4;

/** Where names are. All throw InputError for a name that is not there. */
export interface Linker {
  /** A function that a script calls by name. */
  callTarget(name: string): Address;
  /** A kernel symbol that an operation stands for, whatever else has that name. */
  kernelSymbol(name: string): Address;
  /** The address of the 8 bytes at `offset` of `symbol`. */
  dataAddress(symbol: string, offset: number): Address;
}

/** How a scripted function begins. */
export interface SiteShape {
  /** With `lpad 0`, so that its call site is at +4. */
  readonly landingPad: boolean;
  /** Bytes of the call site; default one instruction. */
  readonly siteBytes?: number | undefined;
}

export interface Placement extends SiteShape {
  readonly at: Address;
  readonly linker: Linker;
}

/** Repetitions and microseconds. */
const COUNT_MAX = 0x7fffffff;
/** So much `work` is written out; more is a loop. */
const WORK_WRITTEN_MAX = 8;

/** Stands for the place where the traced function goes on. */
const IP = 0;

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
  readonly text: Assembler;
  readonly fn: ScriptFunction;
  readonly frame: Frame;
  readonly linker: Linker;
  /** Where a `return` goes. */
  readonly epilogue: Label;
}

/** Where the call site of a function is, if it has one (FT-4). */
export function siteOffset(fn: ScriptFunction, landingPad: boolean): number | undefined {
  if (fn.notrace) return undefined;
  return landingPad ? INSTRUCTION_BYTES : 0;
}

/** The text of `fn`. */
export function assembleFunction(fn: ScriptFunction, placement: Placement): Uint16Array {
  const { at, linker, landingPad, siteBytes = INSTRUCTION_BYTES } = placement;
  assert(at % INSTRUCTION_BYTES === 0, 'functions are aligned');
  const text = new Assembler(at);
  const code: Code = { text, fn, frame: frameOf(fn), linker, epilogue: text.label('epilogue') };
  const site = siteOffset(fn, landingPad);
  if (site !== undefined) {
    if (landingPad) text.plain('lpad');
    assert(text.here === at + site, 'the site is where it is said to be');
    text.padTo(at + site + siteBytes);
  }
  prologue(code);
  const last = fn.body.at(-1);
  body(code, last?.op === 'return' ? fn.body.slice(0, -1) : fn.body, 0);
  // A `return` at the end falls into the epilogue; whom the function delegates to leaves a result.
  if (last?.op === 'return') text.li(REG.a0, integer(code, last.value));
  else if (last?.op !== 'delegate' && last?.op !== 'tail') text.li(REG.a0, 0);
  text.bind(code.epilogue);
  epilogue(code);
  return text.halves();
}

function emit<M extends Mnemonic>({ text }: Code, mnemonic: M, operands: Operands[M]): void {
  text.emit(mnemonic, operands);
}

function wrong({ fn }: Code, what: string): InputError {
  return new InputError(`function ${fn.name}: ${what}`);
}

// ---- Frame ----

function prologue(code: Code): void {
  const { frame } = code;
  if (frame.bytes > 0) emit(code, 'addi', { rd: REG.sp, rs1: REG.sp, imm: -frame.bytes });
  if (frame.keepsRa) emit(code, 'sd', { rs2: REG.ra, rs1: REG.sp, imm: raOffset(frame) });
  for (let index = 0; index < frame.kept; index++) {
    emit(code, 'sd', { rs2: REG.a0 + index, rs1: REG.sp, imm: argumentOffset(frame, index) });
  }
}

function epilogue(code: Code): void {
  unwind(code);
  code.text.plain('ret');
}

/** Registers and stack are as they were at the entry. */
function unwind(code: Code): void {
  const { frame } = code;
  if (frame.keepsRa) emit(code, 'ld', { rd: REG.ra, rs1: REG.sp, imm: raOffset(frame) });
  if (frame.bytes > 0) emit(code, 'addi', { rd: REG.sp, rs1: REG.sp, imm: frame.bytes });
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
      return code.text.call(code.linker.callTarget(op.target));
    case 'tail':
      return tail(code, op);
    case 'loop':
      return loop(code, op, depth);
    case 'if':
      return ifNotZero(code, op, depth);
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
    case 'set_reg':
      code.text.li(REG.a3, integer(code, op.value));
      return writeReg(code, op.register);
    case 'redirect':
      loadAddress(code, REG.a3, code.linker.callTarget(op.target));
      return writeReg(code, IP);
    case 'store_data':
      return storeData(code, op);
    case 'show_data':
      loadData(code, REG.a1);
      loadArgument(code, REG.a0, 'probe');
      return callKernel(code, 'reprobe_record_data');
  }
}

function interrupts(code: Code, change: 'csrrci' | 'csrrsi'): void {
  emit(code, change, { rd: REG.zero, rs1: SSTATUS_SIE, csr: CSRS.sstatus });
}

/** Exactly `count` instructions that touch nothing but temporaries. */
function work(code: Code, count: number): void {
  const { t0, t1, t2, zero } = REG;
  const { text } = code;
  if (count <= WORK_WRITTEN_MAX) {
    fill(code, count);
    return;
  }
  const rounds = Math.floor((count - 2) / 4); // Setting t0 takes one or two instructions.
  const start = text.here;
  text.li(t0, rounds);
  fill(code, count - 4 * rounds - (text.here - start) / INSTRUCTION_BYTES);
  const round = text.label('round');
  text.bind(round);
  fill(code, 1);
  emit(code, 'xor', { rd: t2, rs1: t2, rs2: t1 });
  emit(code, 'addi', { rd: t0, rs1: t0, imm: -1 });
  text.branch('bne', { rs1: t0, rs2: zero, to: round });
}

function fill(code: Code, count: number): void {
  for (let i = 0; i < count; i++) emit(code, 'addi', { rd: REG.t1, rs1: REG.t1, imm: 1 });
}

function callKernel({ text, linker }: Code, name: string): void {
  text.call(linker.kernelSymbol(name));
}

function loop(code: Code, { times, body: ops }: Of<'loop'>, depth: number): void {
  const { t0, sp, zero } = REG;
  const { text } = code;
  if (counted(code, times) === 0) return;
  const slot = slotOffset(depth);
  const [head, end] = [text.label('head'), text.label('end')];
  text.li(t0, times);
  emit(code, 'sd', { rs2: t0, rs1: sp, imm: slot });
  text.bind(head);
  body(code, ops, depth + 1);
  emit(code, 'ld', { rd: t0, rs1: sp, imm: slot });
  emit(code, 'addi', { rd: t0, rs1: t0, imm: -1 });
  emit(code, 'sd', { rs2: t0, rs1: sp, imm: slot });
  // The way back may be too far for a branch.
  text.branch('beq', { rs1: t0, rs2: zero, to: end });
  text.jal(zero, head);
  text.bind(end);
}

function ifNotZero(code: Code, { symbol, offset, body: ops }: Of<'if'>, depth: number): void {
  const { t0, t1, zero } = REG;
  const { text } = code;
  const [inside, end] = [text.label('inside'), text.label('end')];
  const low = text.upper(t0, code.linker.dataAddress(symbol, offset));
  emit(code, 'ld', { rd: t1, rs1: t0, imm: low });
  text.branch('bne', { rs1: t1, rs2: zero, to: inside });
  text.jal(zero, end);
  text.bind(inside);
  body(code, ops, depth);
  text.bind(end);
}

/** `load`, `store`, and `add`, whose load and store others can come between. */
function access(code: Code, op: Of<'load'> | Of<'store'> | Of<'add'>): void {
  const { t0, t1, t2 } = REG;
  const low = code.text.upper(t0, code.linker.dataAddress(op.symbol, op.offset));
  if (op.op !== 'load') code.text.li(op.op === 'add' ? t2 : t1, integer(code, op.value));
  if (op.op !== 'store') emit(code, 'ld', { rd: t1, rs1: t0, imm: low });
  if (op.op === 'add') emit(code, 'add', { rd: t1, rs1: t1, rs2: t2 });
  if (op.op !== 'load') emit(code, 'sd', { rs2: t1, rs1: t0, imm: low });
}

function amoadd(code: Code, op: Of<'amoadd'>): void {
  const { t0, t1, zero } = REG;
  const low = code.text.upper(t0, code.linker.dataAddress(op.symbol, op.offset));
  emit(code, 'addi', { rd: t0, rs1: t0, imm: low });
  code.text.li(t1, integer(code, op.value));
  emit(code, 'amoadd.d', { rd: zero, rs1: t0, rs2: t1 });
}

function sleep(code: Code, { us }: Of<'sleep'>): void {
  code.text.li(REG.a0, counted(code, us));
  emit(code, 'addi', { rd: REG.a1, rs1: REG.a0, imm: 0 });
  callKernel(code, 'usleep_range');
}

function returnValue(code: Code, { value }: Of<'return'>): void {
  code.text.li(REG.a0, integer(code, value));
  code.text.jal(REG.zero, code.epilogue);
}

function tail(code: Code, { target }: Of<'tail'>): void {
  unwind(code);
  code.text.jump(REG.zero, code.linker.callTarget(target));
}

/**
 * No tail call: what the symbol's path calls needs another sp than this function was entered with, or its return would
 * pass for this one's.
 */
function delegate(code: Code, { target }: Of<'delegate'>): void {
  assert(code.fn.body.length === 1 && code.frame.kept === 0, 'to delegate is the whole body');
  callKernel(code, target);
}

/** A `return` in the body leaves without unlocking, as it would in C. */
function trylock(code: Code, { body: ops }: Of<'trylock'>, depth: number): void {
  const { a0, a1, sp, zero } = REG;
  const slot = slotOffset(depth);
  loadArgument(code, a0, 'ip');
  loadArgument(code, a1, 'parentIp');
  callKernel(code, 'ftrace_test_recursion_trylock');
  emit(code, 'sd', { rs2: a0, rs1: sp, imm: slot });
  const [taken, skip] = [code.text.label('taken'), code.text.label('skip')];
  code.text.branch('bge', { rs1: a0, rs2: zero, to: taken });
  code.text.jal(zero, skip);
  code.text.bind(taken);
  body(code, ops, depth + 1);
  emit(code, 'ld', { rd: a0, rs1: sp, imm: slot });
  callKernel(code, 'ftrace_test_recursion_unlock');
  code.text.bind(skip);
}

function recordRegs(code: Code): void {
  loadArgument(code, REG.a0, 'probe');
  loadArgument(code, REG.a1, 'regs');
  callKernel(code, 'reprobe_record_regs');
}

/** a3 holds the value. */
function writeReg(code: Code, register: number): void {
  loadArgument(code, REG.a0, 'probe');
  loadArgument(code, REG.a1, 'regs');
  code.text.li(REG.a2, BigInt(register));
  callKernel(code, 'reprobe_write_reg');
}

/** A store of the handler's own, which others can see; nothing where there is no entry_data. */
function storeData(code: Code, { register }: Of<'store_data'>): void {
  const { t0, t1, zero } = REG;
  const skip = code.text.label('skip');
  loadData(code, t0);
  code.text.branch('beq', { rs1: t0, rs2: zero, to: skip });
  loadArgument(code, t1, 'regs');
  emit(code, 'ld', { rd: t1, rs1: t1, imm: argumentPlace(code, register) });
  emit(code, 'sd', { rs2: t1, rs1: t0, imm: 0 });
  code.text.bind(skip);
}

/** Where `struct ftrace_regs` has an argument register. */
function argumentPlace(code: Code, register: number): number {
  if (register < REG.a0 || register > REG.a7) throw wrong(code, 'store_data takes a0 to a7');
  return 8 * (register - REG.a0);
}

function loadAddress(code: Code, register: number, address: Address): void {
  const low = code.text.upper(register, address);
  emit(code, 'addi', { rd: register, rs1: register, imm: low });
}

// ---- Pieces ----

type Argument = keyof (typeof ARGUMENTS)['ftrace'];

function loadArgument(code: Code, register: number, which: Argument): void {
  if (!code.fn.callback)
    throw wrong(code, 'trylock, regs, set_reg and redirect belong into callbacks');
  const index = ARGUMENTS[code.fn.convention ?? 'ftrace'][which];
  emit(code, 'ld', { rd: register, rs1: REG.sp, imm: argumentOffset(code.frame, index) });
}

/** The address of the first word of entry_data; NULL where there is none (FP-2). */
function loadData(code: Code, register: number): void {
  const { callback, convention = 'ftrace' } = code.fn;
  if (!callback || convention === 'ftrace')
    throw wrong(code, 'store_data and show_data belong into handlers of an fprobe or kretprobe');
  const imm = argumentOffset(code.frame, ARGUMENTS[convention].data);
  emit(code, 'ld', { rd: register, rs1: REG.sp, imm });
}

function counted(code: Code, count: number): number {
  if (!Number.isInteger(count) || count < 0 || count > COUNT_MAX) {
    throw wrong(code, `${count} is no count from 0 to ${COUNT_MAX}`);
  }
  return count;
}

function integer(code: Code, value: number): number {
  if (!Number.isSafeInteger(value)) throw wrong(code, `${value} is no integer of 53 bits`);
  return value;
}
