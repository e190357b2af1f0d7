import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Address, NO_ADDRESS, STACK_BYTES } from '../address.ts';
import { Hart, REG } from '../regs.ts';
import { DATA, DATA_BYTES, RODATA, STACK, TEXT } from './rig.ts';
import { type Rig, execute, join, makeRig, setAddress, setValue, valueOf } from './rig.ts';
import { STOP_FAULT, STOP_STEPS } from './stop.ts';

const PATTERN = 0xf1e2d3c4b5a69788n;

type Load = 'lb' | 'lh' | 'lw' | 'ld' | 'lbu' | 'lhu' | 'lwu';

const LOADS: readonly (readonly [mnemonic: Load, expected: bigint])[] = [
  ['lb', 0xffffffffffffff88n],
  ['lh', 0xffffffffffff9788n],
  ['lw', 0xffffffffb5a69788n],
  ['ld', PATTERN],
  ['lbu', 0x88n],
  ['lhu', 0x9788n],
  ['lwu', 0xb5a69788n],
];

/** Aligned and not, in the own stack and outside. */
const PLACES: readonly Address[] = [STACK, STACK + 0x804, STACK + 0x1fd1, DATA + 8, DATA + 0x123];

function put(rig: Rig, at: Address, value: bigint): void {
  const words = [value, value >> 32n].map((word) => Number(BigInt.asIntN(32, word)));
  rig.memory.store64(at, words[0] ?? 0, words[1] ?? 0);
}

function get(rig: Rig, at: Address): bigint {
  return join(rig.memory.loadLo(at), rig.memory.loadHi(at));
}

test.each(LOADS)('%s extends as it should, anywhere', (mnemonic, expected) => {
  const rig = makeRig();
  for (const at of PLACES) {
    put(rig, at, PATTERN);
    for (const imm of [0, 2047, -2048]) {
      setAddress(rig.hart, REG.a1, at - imm);
      expect(execute(rig, mnemonic, { rd: REG.a0, rs1: REG.a1, imm })).toBe(STOP_STEPS);
      expect(valueOf(rig.hart, REG.a0)).toBe(expected);
    }
    setAddress(rig.hart, REG.a1, at);
    execute(rig, mnemonic, { rd: REG.a1, rs1: REG.a1, imm: 0 });
    expect(valueOf(rig.hart, REG.a1)).toBe(expected);
    setAddress(rig.hart, REG.a1, at);
    execute(rig, mnemonic, { rd: 0, rs1: REG.a1, imm: 0 });
    expect(valueOf(rig.hart, REG.zero)).toBe(0n);
  }
});

test.each([
  ['sb', 1n],
  ['sh', 2n],
  ['sw', 4n],
  ['sd', 8n],
] as const)('%s writes its bytes and no other', (mnemonic, bytes) => {
  const rig = makeRig();
  const mask = (1n << (8n * bytes)) - 1n;
  for (const at of PLACES) {
    put(rig, at, 0n);
    put(rig, at + 8, 0n);
    setAddress(rig.hart, REG.a1, at - 5);
    setValue(rig.hart, REG.a2, PATTERN);
    expect(execute(rig, mnemonic, { rs1: REG.a1, rs2: REG.a2, imm: 5 })).toBe(STOP_STEPS);
    expect(get(rig, at)).toBe(PATTERN & mask);
    expect(get(rig, at + 8)).toBe(0n);
  }
});

test('guest stores mark their pages, in the own stack too', () => {
  const rig = makeRig();
  rig.memory.cleanPages();
  for (const at of [STACK + 0x108, DATA + 0x2fc]) {
    setAddress(rig.hart, REG.a1, at);
    execute(rig, 'sd', { rs1: REG.a1, rs2: REG.a2, imm: 0 });
  }
  const dirty: string[] = [];
  rig.memory.dirtyPages(({ name }, offset) => dirty.push(`${name}+${offset}`));
  expect(dirty.filter((page) => !page.startsWith('text'))).toEqual([
    'data+512',
    'data+768',
    'stack+256',
  ]);
});

interface Faulting {
  readonly at: Address;
  readonly reason: string;
  readonly stores?: 'only';
}

test.each<Faulting>([
  { at: STACK - 1, reason: 'stack' },
  { at: STACK - 8, reason: 'stack' },
  { at: STACK - 0x1000, reason: 'stack' },
  { at: STACK - 0x1008, reason: 'unmapped' },
  { at: STACK + STACK_BYTES, reason: 'unmapped' },
  { at: STACK + STACK_BYTES - 4, reason: 'unmapped' },
  { at: DATA - 8, reason: 'unmapped' },
  { at: DATA + DATA_BYTES - 7, reason: 'unmapped' },
  { at: RODATA, reason: 'readonly', stores: 'only' },
  { at: TEXT + 8, reason: 'readonly', stores: 'only' },
])('an access at $at is a fault: $reason', ({ at, reason, stores }) => {
  const rig = makeRig();
  const { hart } = rig;
  setValue(hart, REG.a0, PATTERN);
  setAddress(hart, REG.a1, at);
  const before = hart.x.slice();
  const outcomes = [execute(rig, 'sd', { rs1: REG.a1, rs2: REG.a0, imm: 0 })];
  expect([hart.faultReason, hart.faultAddress]).toEqual([reason, at]);
  if (stores === undefined) outcomes.push(execute(rig, 'ld', { rd: REG.a0, rs1: REG.a1, imm: 0 }));
  if (stores === undefined) outcomes.push(execute(rig, 'ld', { rd: 0, rs1: REG.a1, imm: 0 }));
  expect(new Set(outcomes)).toEqual(new Set([STOP_FAULT]));
  expect(hart.x).toEqual(before);
  expect([hart.pc, hart.instret]).toEqual([TEXT, 0]);
});

test('addresses outside the two halves are unmapped, whatever their low word', () => {
  const rig = makeRig();
  for (const hi of [1n, 0x7fffffffn, 0xfffffffen]) {
    setValue(rig.hart, REG.a1, (hi << 32n) | BigInt(DATA) | 0x80000000n);
    expect(execute(rig, 'lw', { rd: REG.a0, rs1: REG.a1, imm: 0 })).toBe(STOP_FAULT);
    expect(rig.hart.faultReason).toBe('unmapped');
    expect(rig.hart.faultAddress).toBe(NO_ADDRESS);
    setValue(rig.hart, REG.a1, (hi << 32n) | BigInt(STACK) | 0x80000000n);
    expect(execute(rig, 'lw', { rd: REG.a0, rs1: REG.a1, imm: 0 })).toBe(STOP_FAULT);
    expect(execute(rig, 'sd', { rs1: REG.a1, rs2: REG.a1, imm: 0 })).toBe(STOP_FAULT);
  }
  expect(get(rig, STACK)).toBe(0n);
});

test('what is not live is freed memory to a guest, and only to a guest', () => {
  const rig = makeRig();
  const heap = 0x20000000;
  const shape = { name: 'heap', base: heap, bytes: 64, writable: true, liveness: true };
  rig.memory.addSegment(shape);
  rig.memory.setLive(heap + 16, 16, true);
  rig.memory.store32(heap, 1);
  const at = (address: Address): number => {
    setAddress(rig.hart, REG.a1, address);
    return execute(rig, 'ld', { rd: REG.a0, rs1: REG.a1, imm: 0 });
  };
  expect(at(heap + 24)).toBe(STOP_STEPS);
  for (const address of [heap + 8, heap + 12, heap + 28, heap + 32]) {
    expect(at(address)).toBe(STOP_FAULT);
    expect([rig.hart.faultReason, rig.hart.faultAddress]).toEqual(['freed', address]);
  }
  execute(rig, 'amoadd.w', { rd: 0, rs1: REG.a1, rs2: 0 });
  expect(rig.hart.faultReason).toBe('freed');
});

// prettier-ignore
const AMOS = [
  ['amoswap', 5n, 9n, 9n, 9n], ['amoadd', 0xffffffffn, 1n, 0n, 0x100000000n],
  ['amoadd', 0x7fffffffffffffffn, 1n, 0n, 0x8000000000000000n],
  ['amoxor', 0xf0000000fn, 0x800000001n, 0xen, 0x70000000en], ['amoor', 0x100000001n, 0x200000002n, 3n, 0x300000003n],
  ['amoand', 0x300000003n, 0x200000002n, 2n, 0x200000002n],
  ['amomin', 1n, -1n, 0xffffffffn, 0xffffffffffffffffn], ['amomin', -2n, 3n, 0xfffffffen, 0xfffffffffffffffen],
  ['amomax', 1n, -1n, 1n, 1n], ['amomax', -2n, 3n, 3n, 3n], ['amomax', 0x100000000n, 5n, 5n, 0x100000000n],
  ['amominu', 1n, -1n, 1n, 1n], ['amominu', -2n, 3n, 3n, 3n],
  ['amomaxu', 1n, -1n, 0xffffffffn, 0xffffffffffffffffn], ['amomaxu', 0x100000000n, 5n, 5n, 0x100000000n],
] as const;

test.each(AMOS)('%s.w and .d of %s and %s', (name, old, operand, word, double) => {
  const rig = makeRig();
  for (const at of [DATA, STACK + 8]) {
    put(rig, at, old);
    setAddress(rig.hart, REG.a1, at);
    setValue(rig.hart, REG.a2, operand);
    expect(execute(rig, `${name}.d`, { rd: REG.a0, rs1: REG.a1, rs2: REG.a2 })).toBe(STOP_STEPS);
    expect(valueOf(rig.hart, REG.a0)).toBe(BigInt.asUintN(64, old));
    expect(get(rig, at)).toBe(double);
    put(rig, at, old);
    execute(rig, `${name}.w`, { rd: REG.a2, rs1: REG.a1, rs2: REG.a2 });
    expect(valueOf(rig.hart, REG.a2)).toBe(BigInt.asUintN(64, BigInt.asIntN(32, old)));
    expect(get(rig, at)).toBe((BigInt.asUintN(64, old) & 0xffffffff00000000n) | word);
  }
});

test('misaligned atomics fault before anything else', () => {
  const rig = makeRig();
  setAddress(rig.hart, REG.a1, DATA + 4);
  expect(execute(rig, 'lr.w', { rd: REG.a0, rs1: REG.a1, rs2: 0 })).toBe(STOP_STEPS);
  for (const mnemonic of ['lr.d', 'sc.d', 'amoadd.d'] as const) {
    expect(execute(rig, mnemonic, { rd: REG.a0, rs1: REG.a1, rs2: 0 })).toBe(STOP_FAULT);
    expect([rig.hart.faultReason, rig.hart.faultAddress]).toEqual(['misaligned', DATA + 4]);
  }
  setAddress(rig.hart, REG.a1, DATA - 2);
  execute(rig, 'amoswap.w', { rd: REG.a0, rs1: REG.a1, rs2: 0 });
  expect(rig.hart.faultReason).toBe('misaligned');
  setAddress(rig.hart, REG.a1, RODATA);
  execute(rig, 'sc.w', { rd: REG.a0, rs1: REG.a1, rs2: 0 });
  expect(rig.hart.faultReason).toBe('readonly');
});

test('what is aligned is not misaligned where no segment can lie', () => {
  const rig = makeRig();
  setValue(rig.hart, REG.a1, 0x1_0000_0008n);
  execute(rig, 'amoadd.d', { rd: REG.a0, rs1: REG.a1, rs2: 0 });
  expect([rig.hart.faultReason, rig.hart.faultAddress]).toEqual(['unmapped', NO_ADDRESS]);
  setValue(rig.hart, REG.a1, 0x1_0000_000cn);
  execute(rig, 'amoadd.d', { rd: REG.a0, rs1: REG.a1, rs2: 0 });
  expect(rig.hart.faultReason).toBe('misaligned');
});

function reserved(): Rig {
  const rig = makeRig();
  put(rig, DATA + 8, 0x8000000180000001n);
  setAddress(rig.hart, REG.a1, DATA + 8);
  setValue(rig.hart, REG.a2, 77n);
  execute(rig, 'lr.d', { rd: REG.a0, rs1: REG.a1, rs2: 0 });
  expect(valueOf(rig.hart, REG.a0)).toBe(0x8000000180000001n);
  return rig;
}

function storeConditional(rig: Rig): bigint {
  execute(rig, 'sc.d', { rd: REG.a0, rs1: REG.a1, rs2: REG.a2 });
  return valueOf(rig.hart, REG.a0);
}

test('SC succeeds once after LR', () => {
  const rig = reserved();
  expect([storeConditional(rig), get(rig, DATA + 8)]).toEqual([0n, 77n]);
  setValue(rig.hart, REG.a2, 78n);
  expect([storeConditional(rig), get(rig, DATA + 8)]).toEqual([1n, 77n]);
  execute(rig, 'lr.w', { rd: REG.a0, rs1: REG.a1, rs2: 0 });
  execute(rig, 'sc.w', { rd: REG.a0, rs1: REG.a1, rs2: REG.a2 });
  expect([valueOf(rig.hart, REG.a0), get(rig, DATA + 8)]).toEqual([0n, 78n]);
});

test('SC fails after any store to the reserved 8 bytes', () => {
  const host = reserved();
  host.memory.store8(DATA + 15, 1);
  expect(storeConditional(host)).toBe(1n);
  const own = reserved();
  execute(own, 'sb', { rs1: REG.a1, rs2: 0, imm: 3 });
  expect(storeConditional(own)).toBe(1n);
  const beside = reserved();
  execute(beside, 'sd', { rs1: REG.a1, rs2: 0, imm: 8 });
  expect(storeConditional(beside)).toBe(0n);
  const elsewhere = reserved();
  setAddress(elsewhere.hart, REG.a1, DATA + 16);
  expect(storeConditional(elsewhere)).toBe(1n);
});

test("a hart's private store kills another hart's reservation on its stack", () => {
  const rig = makeRig();
  const { core, hart, memory } = rig;
  const at = STACK + 0x100;
  for (const mnemonic of ['sb', 'sw', 'sd'] as const) {
    const other = new Hart(1);
    memory.reserve(other, at);
    setAddress(hart, REG.a1, at);
    execute(rig, mnemonic, { rs1: REG.a1, rs2: 0, imm: 8 });
    expect(other.reservation).toBe(at);
    execute(rig, mnemonic, { rs1: REG.a1, rs2: 0, imm: 0 });
    expect([other.reservation, core.memory.reservations]).toEqual([NO_ADDRESS, 0]);
  }
});

test('no guest address makes the host throw', () => {
  const rig = makeRig();
  const names = ['ld', 'lb', 'amoadd.d', 'lr.w', 'sc.d'] as const;
  const run = fc.property(
    fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    fc.nat(4),
    (value, which) => {
      setValue(rig.hart, REG.a1, value);
      const mnemonic = names[which] ?? 'ld';
      const operands = { rd: REG.a0, rs1: REG.a1, rs2: 0, imm: 0 };
      expect([STOP_STEPS, STOP_FAULT]).toContain(execute(rig, mnemonic, operands));
    },
  );
  fc.assert(run);
});
