// Layer emu. What a halfword or two mean: the rows of encodings.ts, read. Slow and plain on purpose: it is
// the specification that the fast decoder is held against, and what the disassembler prints.
import { assert, known } from '../../assert.ts';
import { COMPRESSED, type Compressed, ENCODINGS } from './encodings.ts';
import type { BaseMnemonic, FormName } from './encodings.ts';

/** Some neighbouring bits: `count` of them from bit `at` on. */
export interface Bits {
  readonly at: number;
  readonly count: number;
}

type Register = 'rd' | 'rs1' | 'rs2';

/** A part of an immediate: its lowest bit is bit `to` of the value. */
interface Piece extends Bits {
  readonly to: number;
}

interface RegisterField extends Bits {
  readonly names: readonly Register[];
  /** What is added: 8 where 3 bits name x8..x15. */
  readonly first: number;
}

/** An instruction or a compressed form, as its row says. */
export interface Form {
  readonly name: FormName;
  readonly base: BaseMnemonic;
  readonly bytes: 2 | 4;
  /** Which bits are fixed, and what they are. */
  readonly mask: number;
  readonly match: number;
  readonly registers: readonly RegisterField[];
  readonly implied: NonNullable<Compressed['implied']>;
  readonly csr: Bits | undefined;
  readonly pieces: readonly Piece[];
  /** Whether the immediate is extended by its sign. */
  readonly signed: boolean;
  /** Bits of which some has to be set, for each `!=0`; an immediate counts as one. */
  readonly nonzero: readonly number[];
}

/** An instruction with its operands; what it does not have is 0. */
export interface Instruction {
  readonly form: Form;
  /** The instruction that a compressed form stands for. */
  readonly mnemonic: BaseMnemonic;
  readonly rd: number;
  readonly rs1: number;
  readonly rs2: number;
  readonly csr: number;
  /** In bytes for branches and jumps, shifted into its place for lui and auipc. */
  readonly imm: number;
}

/** A field of a row. */
const FIELD =
  /^(?:(?<literal>[01-]+)|(?<flag>aq|rl)|(?<csr>csr)|(?<imm>u?imm)\[(?<places>[\d:|]+)\]|(?<register>rd\/rs1|rd|rs1|rs2)(?<few>')?)(?<nonzero>!=0)?$/u;

/** Every instruction and compressed form, in the order of the manual. */
export const FORMS: readonly Form[] = [
  ...Object.entries(ENCODINGS).map(([name, bits]) =>
    formOf(name as BaseMnemonic, { bits, base: name as BaseMnemonic }),
  ),
  ...Object.entries(COMPRESSED).map(([name, row]) => formOf(name as FormName, row)),
];

/** The instruction that begins with `low`, or undefined for none; `high` is unused after a 16-bit one. */
export function identify(low: number, high: number): Instruction | undefined {
  const word = isWide(low) ? low | (high << 16) : low;
  const form = FORMS.find((one) => fits(one, word));
  return form === undefined ? undefined : operandsOf(form, word);
}

/** Whether `low` begins a 32-bit instruction. */
export function isWide(low: number): boolean {
  return (low & 3) === 3;
}

function fits({ bytes, mask, match, nonzero }: Form, word: number): boolean {
  if ((bytes === 4) !== isWide(word) || (word & mask) !== match) return false;
  return nonzero.every((bits) => (word & bits) !== 0);
}

function operandsOf(form: Form, word: number): Instruction {
  const registers = { rd: 0, rs1: 0, rs2: 0, ...form.implied };
  for (const { names, first, ...bits } of form.registers) {
    for (const name of names) registers[name] = first + cut(word, bits);
  }
  const csr = form.csr === undefined ? 0 : cut(word, form.csr);
  return { form, mnemonic: form.base, ...registers, csr, imm: immediate(form, word) };
}

function immediate({ pieces, signed }: Form, word: number): number {
  const value = pieces.reduce((sum, piece) => sum | (cut(word, piece) << piece.to), 0);
  const unused = 32 - Math.max(0, ...pieces.map(({ to, count }) => to + count));
  return signed && pieces.length > 0 ? (value << unused) >> unused : value;
}

function cut(word: number, { at, count }: Bits): number {
  return (word >>> at) & ((1 << count) - 1);
}

/** A row being read, from its last bit up. */
interface Reading {
  at: number;
  mask: number;
  match: number;
  csr: Bits | undefined;
  signed: boolean;
  immediateNonzero: number;
  readonly registers: RegisterField[];
  readonly pieces: Piece[];
  readonly nonzero: number[];
}

function formOf(name: FormName, { bits, base, implied = {} }: Compressed): Form {
  const reading = beginReading();
  for (const token of bits.split(' ').toReversed()) readToken(reading, token);
  const { at, mask, match, registers, csr, pieces, signed, nonzero, immediateNonzero } = reading;
  assert(at === 16 || at === 32, `the row of ${name} has 16 or 32 bits`);
  if (immediateNonzero !== 0) nonzero.push(immediateNonzero);
  const bytes = at === 16 ? 2 : 4;
  return { name, base, bytes, mask, match, registers, implied, csr, pieces, signed, nonzero };
}

function beginReading(): Reading {
  const lists = { registers: [], pieces: [], nonzero: [] };
  return { at: 0, mask: 0, match: 0, csr: undefined, signed: false, immediateNonzero: 0, ...lists };
}

function readToken(reading: Reading, token: string): void {
  const field = known(FIELD.exec(token)?.groups, `${token} is a field`);
  const { literal, imm, places, register, few, csr } = field;
  const from = reading.at;
  if (literal !== undefined) readLiteral(reading, literal);
  else if (places !== undefined) readPieces(reading, places, imm === 'imm');
  else if (csr !== undefined) reading.csr = take(reading, 12);
  else if (register === undefined) take(reading, 1); // aq, rl
  else {
    const names = register.split('/') as Register[];
    const first = few === undefined ? 0 : 8;
    reading.registers.push({ names, first, ...take(reading, few === undefined ? 5 : 3) });
  }
  if (field['nonzero'] === undefined) return;
  const bits = ((1 << (reading.at - from)) - 1) << from;
  if (places === undefined) reading.nonzero.push(bits);
  else reading.immediateNonzero |= bits;
}

function take(reading: Reading, count: number): Bits {
  const at = reading.at;
  reading.at += count;
  return { at, count };
}

function readLiteral(reading: Reading, literal: string): void {
  for (const letter of literal.split('').toReversed()) {
    const { at } = take(reading, 1);
    if (letter !== '-') reading.mask |= 1 << at;
    if (letter === '1') reading.match |= 1 << at;
  }
}

function readPieces(reading: Reading, places: string, signed: boolean): void {
  reading.signed = signed;
  for (const range of places.split('|').toReversed()) {
    const [top = 0, bottom = top] = range.split(':').map(Number);
    reading.pieces.push({ ...take(reading, top - bottom + 1), to: bottom });
  }
}
