// Random functions whose result does not depend on what happens between their instructions, for the property that probes
// change nothing: every RV64IMAC instruction but those of the machine itself, compressed ones included, loads and stores of
// a data area and of the own frame, branches of every kind, loops, calls, LR/SC loops. Whatever they do, they end. Three of
// them call each other; `main` loads every register before, and stores every register behind the call.
import fc from 'fast-check';
import { assert, known } from '../src/assert.ts';
import type { Address } from '../src/emu/address.ts';
import { REG } from '../src/emu/regs.ts';
import { Assembler } from '../src/emu/riscv/assembler.ts';
import { type Bits, FORMS, type Form, identify } from '../src/emu/riscv/instruction.ts';

/** Of what stays outside: `fence` and CSRs say nothing of the program, the rest is the machine's. */
const SYSTEM = /^(?:ecall|ebreak|wfi|csr.*|fence.*)$/u;
const FLOW = /^(?:jalr?|b(?:eq|ne|ltu?|geu?))$/u;
const MEMORY = /^(?:l[bhwd]u?|s[bhwd])$/u;
const ATOMIC = /^(?:amo.*)$/u;
const RESERVE = /^(?:lr|sc)\./u;

const USABLE = FORMS.filter(({ base }) => !SYSTEM.test(base) && !RESERVE.test(base));
const PLAIN = USABLE.filter(({ base }) => ![FLOW, MEMORY, ATOMIC].some((one) => one.test(base)));
const ACCESSES = USABLE.filter(({ base }) => MEMORY.test(base));
const ATOMICS = USABLE.filter(({ base }) => ATOMIC.test(base));
/** Each of them can be probed. */
export const PROBED_FORMS: readonly string[] = USABLE.map(({ name }) => name);

/** `s0` points into the data, `s11` counts; `sp`, `gp` and `tp` are the machine's. */
const [BASE, COUNTER] = [8, 27];
const KEPT: ReadonlySet<number> = new Set([2, 3, 4, BASE, COUNTER]);
const FREE = Array.from({ length: 32 }, (_, i) => i).filter((i) => i > 4 && !KEPT.has(i));

export const DATA_BYTES = 512;
/** What `s0` points to, of `area`; `regs` and `init` lie behind it. */
const BASE_OFFSET = 128;
const FRAME_BYTES = 288;
const FRAME_RA = 256;
const FRAME_COUNTER = 264;
const FRAME_WORDS = 8;

interface Draw {
  readonly bits: number;
  readonly rd: number;
  readonly rs2: number;
  readonly word: number;
  readonly byte: number;
}

type Piece =
  | { readonly kind: 'plain'; readonly halves: readonly number[] }
  | { readonly kind: 'skip'; readonly how: number; readonly draw: Draw; readonly body: Body }
  | { readonly kind: 'loop'; readonly times: number; readonly short: boolean; readonly body: Body }
  | { readonly kind: 'call'; readonly how: number }
  | { readonly kind: 'retry'; readonly wide: boolean; readonly draw: Draw };
type Body = readonly Piece[];

/** Of three functions, the caller first. */
export type Programs = readonly Body[];

const register = fc.nat(FREE.length - 1).map((i) => known(FREE[i], 'there is one'));
const draws: fc.Arbitrary<Draw> = fc.record({
  bits: fc.integer(),
  rd: register,
  rs2: register,
  word: fc.nat(FRAME_WORDS - 1),
  byte: fc.constantFrom(0, 0, 0, 1, 2, 3, 4, 7),
});

const retry = fc.record({
  kind: fc.constant('retry' as const),
  wide: fc.boolean(),
  draw: draws,
});
const plain: fc.Arbitrary<Piece> = fc.oneof(
  { arbitrary: fc.tuple(fc.constantFrom(...PLAIN), draws).map(plainPiece), weight: 6 },
  { arbitrary: fc.tuple(fc.constantFrom(...ACCESSES), draws).map(accessPiece), weight: 5 },
  { arbitrary: fc.tuple(fc.constantFrom(...ATOMICS), draws).map(atomicPiece), weight: 2 },
  { arbitrary: retry, weight: 1 },
);
const call = fc.record({ kind: fc.constant('call' as const), how: fc.nat(2) });
const inner: fc.Arbitrary<Body> = fc.array(plain, { minLength: 1, maxLength: 3 });
const skip = fc.record({
  kind: fc.constant('skip' as const),
  how: fc.nat(13),
  draw: draws,
  body: inner,
});
const inLoop = fc.oneof(
  { arbitrary: plain, weight: 5 },
  { arbitrary: skip, weight: 1 },
  { arbitrary: call, weight: 1 },
);
const loop = fc.record({
  kind: fc.constant('loop' as const),
  times: fc.integer({ min: 1, max: 3 }),
  short: fc.boolean(),
  body: fc.array(inLoop, { minLength: 1, maxLength: 3 }),
});
const bodies = fc.array(
  fc.oneof(
    { arbitrary: plain, weight: 5 },
    { arbitrary: skip, weight: 4 },
    { arbitrary: loop, weight: 1 },
    { arbitrary: call, weight: 1 },
  ),
  { minLength: 2, maxLength: 6 },
);

export const programs: fc.Arbitrary<Programs> = fc.array(bodies, { minLength: 3, maxLength: 3 });

function put(word: number, { at, count }: Bits, bits: number): number {
  const mask = ((1 << count) - 1) << at;
  return (word & ~mask) | ((bits << at) & mask);
}

function halvesOf({ bytes }: Form, word: number): readonly number[] {
  return bytes === 2 ? [word & 0xffff] : [word & 0xffff, word >>> 16];
}

interface Given {
  readonly rd?: number;
  readonly rs1?: number;
  readonly rs2?: number;
  readonly imm?: number;
}

/** The form with these operands; what is not given is what `bits` has there. */
function encoded({ match, mask, registers, pieces }: Form, given: Given, bits = 0): number {
  let word = match | (bits & ~mask);
  for (const field of registers) {
    const [name] = field.names;
    const value = field.names.map((one) => given[one]).find((one) => one !== undefined);
    if (name !== undefined && value !== undefined) word = put(word, field, value - field.first);
  }
  const { imm } = given;
  if (imm === undefined) return word;
  for (const piece of pieces) word = put(word, piece, imm >> piece.to);
  return word;
}

function formOf(name: string): Form {
  return known(
    FORMS.find((form) => form.name === name),
    `${name} is a form`,
  );
}

/** Registers of three bits are x8 to x15, of which x8 is kept. */
function fits({ registers }: Form, role: 'rd' | 'rs2', number: number): number {
  const field = registers.find(({ names }) => names.includes(role));
  return field?.count === 3 ? 9 + (number % 7) : number;
}

const NOTHING: Piece = { kind: 'plain', halves: [0x0001] };

function pieceOf(form: Form, word: number): Piece {
  const [low = 0, high = 0] = halvesOf(form, word);
  const found = identify(low, high);
  if (found?.form !== form || KEPT.has(found.rd)) return NOTHING;
  return { kind: 'plain', halves: halvesOf(form, word) };
}

function plainPiece([form, { bits, rd }]: [Form, Draw]): Piece {
  if (form.name === 'c.addi16sp') return stackPiece(bits);
  return pieceOf(form, encoded(form, { rd: fits(form, 'rd', rd) }, bits));
}

/** The stack pointer moves, and comes back. */
function stackPiece(bits: number): Piece {
  const form = formOf('c.addi16sp');
  const imm = 16 * (1 + (bits & 7));
  const [down, up] = [encoded(form, { imm: -imm }), encoded(form, { imm })];
  return { kind: 'plain', halves: [...halvesOf(form, down), ...halvesOf(form, up)] };
}

function accessPiece([form, { bits, rd, rs2, word, byte }]: [Form, Draw]): Piece {
  const isStack = form.implied.rs1 === REG.sp;
  const wide = form.bytes === 4 ? 8 * word * ((bits & 1) === 0 ? 1 : -1) + byte : 8 * word;
  const given = { rd: fits(form, 'rd', rd), rs2: fits(form, 'rs2', rs2), imm: wide };
  return pieceOf(form, encoded(form, isStack ? given : { ...given, rs1: BASE }));
}

function atomicPiece([form, { bits, rd, rs2, word }]: [Form, Draw]): Piece {
  const base = encoded(formOf('addi'), { rd: REG.t1, rs1: BASE, imm: 8 * word });
  const access = encoded(form, { rd, rs1: REG.t1, rs2 }, bits);
  return { kind: 'plain', halves: [...halvesOf(formOf('addi'), base), ...halvesOf(form, access)] };
}

/** Emits `form`. */
function emit(a: Assembler, name: string, given: Given): void {
  const form = formOf(name);
  for (const half of halvesOf(form, encoded(form, given))) a.half(half & 0xffff);
}

interface Text {
  readonly a: Assembler;
  /** The next function that may be called. */
  readonly callee: Address | undefined;
}

function emitBody(text: Text, body: Body): void {
  for (const piece of body) emitPiece(text, piece);
}

function emitPiece(text: Text, piece: Piece): void {
  const { a } = text;
  switch (piece.kind) {
    case 'plain':
      for (const half of piece.halves) a.half(half);
      return;
    case 'retry':
      emitRetry(a, piece);
      return;
    case 'call':
      if (text.callee !== undefined) emitCall(a, piece, text.callee);
      return;
    case 'skip':
      emitSkip(text, piece);
      return;
    case 'loop':
      emitLoop(text, piece);
  }
}

/** Whatever interrupts, the loop ends when nothing does. */
function emitRetry(a: Assembler, { wide, draw }: Piece & { readonly kind: 'retry' }): void {
  const suffix = wide ? 'd' : 'w';
  emit(a, 'addi', { rd: REG.t1, rs1: BASE, imm: 8 * draw.word });
  emit(a, `lr.${suffix}`, { rd: REG.t0, rs1: REG.t1, rs2: 0 });
  emit(a, 'add', { rd: REG.t0, rs1: REG.t0, rs2: REG.a0 });
  emit(a, `sc.${suffix}`, { rd: REG.t0, rs1: REG.t1, rs2: REG.t0 });
  emit(a, 'bne', { rs1: REG.t0, rs2: 0, imm: -12 });
}

function emitCall(a: Assembler, { how }: { readonly how: number }, to: Address): void {
  if (how === 0) {
    a.call(to);
  } else if (how === 1) {
    const distance = to - a.here;
    emit(a, 'auipc', { rd: REG.ra, imm: (distance + 0x800) & ~0xfff });
    emit(a, 'jalr', { rd: REG.ra, rs1: REG.ra, imm: (distance << 20) >> 20 });
  } else {
    a.la(7, to);
    emit(a, 'c.jalr', { rs1: 7 });
  }
  forgetT0(a);
}

/** Call sites and returns that are taken use t0, in which no compiler keeps anything then. */
function forgetT0(a: Assembler): void {
  emit(a, 'addi', { rd: REG.t0, rs1: 0, imm: 5 });
}

const BRANCHES = ['beq', 'bne', 'blt', 'bge', 'bltu', 'bgeu'] as const;

/** Over the body, always or now and then. */
function emitSkip(text: Text, { how, draw, body }: Piece & { readonly kind: 'skip' }): void {
  const { a } = text;
  const scratch = new Assembler(0);
  emitBody({ ...text, a: scratch }, body);
  const bytes = scratch.here;
  const short = { rs1: fits(formOf('c.beqz'), 'rd', 9 + (draw.rd % 7)), imm: 2 + bytes };
  const branch = BRANCHES[how];
  if (branch !== undefined) emit(a, branch, { rs1: draw.rd, rs2: draw.rs2, imm: 4 + bytes });
  else if (how <= 7) emit(a, how === 6 ? 'c.beqz' : 'c.bnez', short);
  else if (how === 8) emit(a, 'c.j', { imm: 2 + bytes });
  else if (how <= 10) emit(a, 'jal', { rd: how === 9 ? 0 : draw.rd, imm: 4 + bytes });
  else emitIndirect(a, { how, draw, bytes });
  emitBody(text, body);
}

/** By a register that points there; odd addresses are even (bit 0 does not count). */
function emitIndirect(
  a: Assembler,
  { how, draw, bytes }: { readonly how: number; readonly draw: Draw; readonly bytes: number },
): void {
  emit(a, 'auipc', { rd: draw.rs2, imm: 0 });
  if (how < 13) {
    const rd = how === 11 ? draw.rd : draw.rs2;
    emit(a, 'jalr', { rd, rs1: draw.rs2, imm: 8 + bytes + (draw.byte & 1) });
  } else {
    emit(a, 'addi', { rd: draw.rs2, rs1: draw.rs2, imm: 10 + bytes });
    emit(a, 'c.jr', { rs1: draw.rs2 });
  }
}

function emitLoop(text: Text, { times, short, body }: Piece & { readonly kind: 'loop' }): void {
  const { a } = text;
  if (short) emit(a, 'c.li', { rd: COUNTER, imm: times });
  else emit(a, 'addi', { rd: COUNTER, rs1: 0, imm: times });
  const start = a.here;
  emitBody(text, body);
  if (short) emit(a, 'c.addi', { rd: COUNTER, imm: -1 });
  else emit(a, 'addi', { rd: COUNTER, rs1: COUNTER, imm: -1 });
  emit(a, 'bne', { rs1: COUNTER, rs2: 0, imm: start - a.here });
}

/** The function at `at`, which may call the one at `callee`. */
export function functionText(
  body: Body,
  { at, callee }: { readonly at: Address; readonly callee: Address | undefined },
): Uint16Array {
  const a = new Assembler(at);
  forgetT0(a);
  emit(a, 'c.addi16sp', { imm: -FRAME_BYTES });
  emit(a, 'c.sdsp', { rs2: REG.ra, imm: FRAME_RA });
  emit(a, 'sd', { rs1: REG.sp, rs2: COUNTER, imm: FRAME_COUNTER });
  // A kretprobe shows in the return address (KR-4), which no compiler computes with.
  emit(a, 'c.li', { rd: REG.ra, imm: 6 });
  // Nothing reads what others have left on the stack.
  for (let i = 0; i < FRAME_WORDS; i++) emit(a, 'sd', { rs1: REG.sp, rs2: REG.a0 + i, imm: 8 * i });
  emitBody({ a, callee }, body);
  if (callee !== undefined) emitCall(a, { how: body.length % 3 }, callee);
  emit(a, 'ld', { rd: COUNTER, rs1: REG.sp, imm: FRAME_COUNTER });
  emit(a, 'c.ldsp', { rd: REG.ra, imm: FRAME_RA });
  emit(a, 'c.addi16sp', { imm: FRAME_BYTES });
  emit(a, 'c.jr', { rs1: REG.ra });
  if ((a.here & 2) !== 0) a.half(0x0001);
  return a.halves();
}

export interface Places {
  readonly at: Address;
  readonly callee: Address;
  readonly area: Address;
  readonly regs: Address;
  readonly init: Address;
}

/** Loads the registers from `init`, calls, and stores them to `regs`. */
export function mainText({ at, callee, area, regs, init }: Places): Uint16Array {
  const a = new Assembler(at);
  emit(a, 'addi', { rd: REG.sp, rs1: REG.sp, imm: -FRAME_BYTES });
  emit(a, 'sd', { rs1: REG.sp, rs2: REG.ra, imm: 0 });
  a.la(BASE, init);
  for (const rd of [...FREE, COUNTER]) emit(a, 'ld', { rd, rs1: BASE, imm: 8 * rd });
  a.la(BASE, area + BASE_OFFSET);
  a.call(callee);
  forgetT0(a);
  const distance = regs - area - BASE_OFFSET;
  assert(distance > 0 && distance < 0x400, 'the registers lie near the area');
  for (let rs2 = 1; rs2 < 32; rs2++) emit(a, 'sd', { rs1: BASE, rs2, imm: distance + 8 * rs2 });
  emit(a, 'ld', { rd: REG.ra, rs1: REG.sp, imm: 0 });
  emit(a, 'addi', { rd: REG.sp, rs1: REG.sp, imm: FRAME_BYTES });
  a.plain('ret');
  return a.halves();
}

/** Every register that a call may change, t0 and ra included, holds something else; then `last`, or 0 is returned. */
export function clobberText(at: Address, last?: { readonly call: Address }): Uint16Array {
  const a = new Assembler(at);
  // A jprobe's handler may spoil the arguments that its caller has on the stack (JP-6).
  if (last !== undefined)
    for (let i = 0; i < FRAME_WORDS; i++) emit(a, 'sd', { rs1: REG.sp, rs2: REG.sp, imm: 8 * i });
  emit(a, 'addi', { rd: REG.sp, rs1: REG.sp, imm: -32 });
  emit(a, 'sd', { rs1: REG.sp, rs2: REG.ra, imm: 0 });
  for (const rd of [1, 5, 6, 7, 10, 11, 12, 13, 14, 15, 16, 17, 28, 29, 30, 31])
    a.li(rd, 0x5a5a5000 + rd);
  emit(a, 'ld', { rd: REG.ra, rs1: REG.sp, imm: 0 });
  emit(a, 'addi', { rd: REG.sp, rs1: REG.sp, imm: 32 });
  emit(a, 'addi', { rd: REG.a0, rs1: 0, imm: 0 });
  if (last === undefined) a.plain('ret');
  else a.call(last.call);
  return a.halves();
}
