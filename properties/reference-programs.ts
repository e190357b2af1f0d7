// Random programs for the two cores: valid encodings of every instruction and compressed form, raw halfwords,
// registers that point into segments, at their edges and nowhere, and text that changes while it runs.
import fc from 'fast-check';
import { known } from '../src/assert.ts';
import { type Address, guestValue } from '../src/emu/address.ts';
import { type Bits, FORMS, type Form } from '../src/emu/riscv/instruction.ts';
import { type Action, DATA, HEAP, HEAP_BYTES, type Program } from './lockstep.ts';
import { RODATA, STACKS, TEXTS, TEXT_BYTES, USER_DATA } from './lockstep.ts';

const HALVES_MAX = TEXT_BYTES / 2;

const MIDDLES: readonly Address[] = [DATA + 0x100, RODATA + 0x20, USER_DATA + 0x20, HEAP + 0x20];
const BORDERS: readonly Address[] = [DATA, RODATA, RODATA + 0x40, USER_DATA, HEAP, HEAP + 0x40];

/** Where segments begin or end, and what lies in their middle. */
const PLACES: readonly Address[] = [
  ...STACKS.flatMap((stack) => [stack, stack + 0x2000, stack + 0x4000, stack - 0x1000]),
  ...TEXTS.flatMap((text) => [text, text + TEXT_BYTES]),
  ...MIDDLES,
  ...BORDERS,
  HEAP + HEAP_BYTES,
];

const EDGES: readonly bigint[] = [
  ...[0n, 1n, 2n ** 31n, 2n ** 32n, 2n ** 63n].flatMap((edge) => [edge - 1n, edge, -edge]),
  0xffffffff_7fffffffn,
  0x55555555_aaaaaaaan,
].map((edge) => BigInt.asUintN(64, edge));

/** Near a place: aligned, or a byte beside. */
function pointer(beside: number): fc.Arbitrary<bigint> {
  return fc
    .tuple(
      fc.constantFrom(...PLACES),
      fc.integer({ min: -2, max: 4 }),
      fc.integer({ min: -beside, max: beside }),
    )
    .map(([place, words, bytes]) =>
      BigInt.asUintN(64, guestValue(place) + BigInt(8 * words + bytes)),
    );
}

const value: fc.Arbitrary<bigint> = fc.oneof(
  { weight: 6, arbitrary: pointer(0) },
  { weight: 2, arbitrary: pointer(1) },
  { weight: 2, arbitrary: fc.constantFrom(...EDGES) },
  { weight: 1, arbitrary: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }) },
  { weight: 1, arbitrary: fc.bigInt({ min: 0n, max: 70n }) },
  { weight: 1, arbitrary: fc.constant(0n) },
);

const CSRS = [0x100, 0x140, 0x141, 0x142, 0xc00, 0xc01, 0xc02];

/** The form with random operands; a small immediate stays near, a known CSR is there. */
function halvesOf(form: Form, { bits, near, imm, csr }: Operands): number[] {
  let word = form.match | (bits & ~form.mask);
  if (near) {
    for (const piece of form.pieces) word = put(word, piece, imm >> piece.to);
    if (form.csr !== undefined) word = put(word, form.csr, csr);
  }
  return form.bytes === 2 ? [word & 0xffff] : [word & 0xffff, word >>> 16];
}

function put(word: number, { at, count }: Bits, bits: number): number {
  const mask = ((1 << count) - 1) << at;
  return (word & ~mask) | ((bits << at) & mask);
}

interface Operands {
  readonly bits: number;
  readonly near: boolean;
  readonly imm: number;
  readonly csr: number;
}

const operands: fc.Arbitrary<Operands> = fc.record({
  bits: fc.integer(),
  near: fc.boolean(),
  imm: fc.oneof(
    fc.integer({ min: -40, max: 40 }),
    fc.integer({ min: -2, max: 8 }).map((i) => 8 * i),
  ),
  csr: fc.constantFrom(...CSRS),
});

/** Those of which many fault come more often. */
const RISKY = FORMS.filter(({ base }) => /^(?:l[bhwd]u?|s[bhwd]|csr.*)$|\.[wd]$/u.test(base));

/** One of `forms` with random operands, as halfwords. */
export function encoded(forms: readonly Form[]): fc.Arbitrary<readonly number[]> {
  return fc.tuple(fc.constantFrom(...forms), operands).map(([form, one]) => halvesOf(form, one));
}

const valid = encoded([...FORMS, ...RISKY, ...RISKY]);

function formNamed(name: string): Form {
  return known(
    FORMS.find((form) => form.name === name),
    `${name} is an instruction`,
  );
}

/** LR, maybe a store beside or something else, and SC to the same address. */
const reserving = fc
  .record({
    lr: fc.constantFrom('lr.w', 'lr.d'),
    store: fc.constantFrom('sb', 'sw', 'sd', undefined),
    sc: fc.constantFrom('sc.w', 'sc.d'),
    base: fc.nat(31),
    one: operands,
    between: fc.option(valid),
  })
  .map(({ lr, store, sc, base, one, between }) => {
    const bits = (one.bits & ~(31 << 15)) | (base << 15);
    const near = { ...one, bits, near: true, imm: one.imm & 7 };
    const other = store === undefined ? between : halvesOf(formNamed(store), near);
    const first = halvesOf(formNamed(lr), { ...one, bits: bits & ~(31 << 7) });
    return first.concat(other ?? [], halvesOf(formNamed(sc), { ...one, bits }));
  });

const half = fc.nat(0xffff);
const piece = fc.oneof(
  { weight: 16, arbitrary: valid },
  { weight: 2, arbitrary: reserving },
  { weight: 1, arbitrary: fc.tuple(half) },
  { weight: 1, arbitrary: fc.tuple(half, half).map(([low, high]) => [low | 3, high]) },
);

const hart = fc.nat(STACKS.length - 1);

/** What happens to a program of `length` halfwords at `entry`. */
function actionsAt(entry: Address, length: number): fc.Arbitrary<readonly Action[]> {
  const address = fc.nat(Math.max(0, length - 1)).map((index) => entry + 2 * index);
  const steps = fc.integer({ min: 1, max: 6 });
  const action: fc.Arbitrary<Action> = fc.oneof(
    { weight: 30, arbitrary: hart.map((one) => run(one, 1, true)) },
    { weight: 4, arbitrary: fc.tuple(hart, steps, fc.boolean()).map((parts) => run(...parts)) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('write'), address, half }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('flag'), address, flags: fc.nat(7) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('switch'), hart }) },
  );
  return fc.array(action, { minLength: 40, maxLength: 80 });
}

function run(one: number, steps: number, every: boolean): Action {
  return { kind: 'run', hart: one, steps, every };
}

/** x1..x31. */
export const registerValues: fc.Arbitrary<readonly bigint[]> = fc.array(value, {
  minLength: 31,
  maxLength: 31,
});

const registers = fc.array(registerValues, {
  minLength: STACKS.length,
  maxLength: STACKS.length,
});

export const programs: fc.Arbitrary<Program> = fc
  .record({
    text: fc.constantFrom(...TEXTS),
    atEnd: fc.boolean(),
    pieces: fc.array(piece, { minLength: 1, maxLength: 32 }),
    registers,
  })
  .chain((parts) => {
    const halves = parts.pieces.flat().slice(0, HALVES_MAX);
    const entry = parts.text + (parts.atEnd ? TEXT_BYTES - 2 * halves.length : 0);
    return actionsAt(entry, halves.length).map((actions) => ({
      entry,
      halves,
      registers: parts.registers,
      actions,
    }));
  });
