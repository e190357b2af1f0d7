// Every instruction, each with a case of its own on both cores: words as the GNU assembler emits them, values from
// the instruction set manual. What a case does not mention stays as it was. More of the arithmetic is in
// `arithmetic.test.ts`, of loads and stores in `memory-access.test.ts`.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { NO_ADDRESS, guestValue } from '../address.ts';
import { REG } from '../regs.ts';
import { decodeCompressed } from './decode-compressed.ts';
import { decode } from './decode.ts';
import { FORMS, identify } from './instruction.ts';
import { OP } from './ops.ts';
import { ReferenceCore, ReferenceHart, runReference } from './reference.ts';
import { DATA as DATA_ADDRESS, type Rig, STACK, TEXT, join, makeRig } from './rig.ts';
import { setValue, valueOf } from './rig.ts';
import { run } from './run.ts';
import { STOP_BREAK, STOP_ECALL, STOP_STEPS, STOP_WFI } from './stop.ts';

const AT = TEXT + 0x100;
const HERE = guestValue(AT);
const DATA = guestValue(DATA_ADDRESS);
/** Bytes 88, 97, a6 and so on up to f1. */
const BYTES = 0xf1e2d3c4b5a69788n;
const MIN = 0x8000000000000000n;
const ONES = 0xffffffffffffffffn;
const [STEPS, ECALL, BREAK, WFI] = [STOP_STEPS, STOP_ECALL, STOP_BREAK, STOP_WFI].map(BigInt);

/**
 * Registers by name, and beside them: `data`, 8 bytes at DATA; `pc`, from HERE; `reserved`, whether these bytes are;
 * `sscratch`; `stop`, why the run ended.
 */
type State = Readonly<Record<string, bigint | undefined>>;

type Case = readonly [text: string, word: number, before: State, after: State];

// prettier-ignore
const CASES: readonly Case[] = [
  ['lui a0,0x80000', 0x80000537, {}, { a0: 0xffffffff80000000n }],
  ['auipc a0,0x1', 0x00001517, {}, { a0: HERE + 0x1000n }],
  ['jal ra,.+64', 0x040000ef, {}, { ra: HERE + 4n, pc: 64n }],
  ['jalr ra,-3(a0)', 0xffd500e7, { a0: HERE + 0x84n }, { ra: HERE + 4n, pc: 0x80n }],
  ['beq a0,a1,.+64', 0x04b50063, { a0: 5n, a1: 5n }, { pc: 64n }],
  ['beq a0,a1,.+64', 0x04b50063, { a0: 5n, a1: 0x100000005n }, {}],
  ['bne a0,a1,.+64', 0x04b51063, { a0: 5n, a1: 0x100000005n }, { pc: 64n }],
  ['bne a0,a1,.+64', 0x04b51063, { a0: 5n, a1: 5n }, {}],
  ['blt a0,a1,.+64', 0x04b54063, { a0: ONES, a1: 0n }, { pc: 64n }],
  ['blt a0,a1,.+64', 0x04b54063, { a0: 0n, a1: ONES }, {}],
  ['bge a0,a1,.-64', 0xfcb550e3, { a0: 0n, a1: ONES }, { pc: -64n }],
  ['bge a0,a1,.-64', 0xfcb550e3, { a0: ONES, a1: 0n }, {}],
  ['bltu a0,a1,.+64', 0x04b56063, { a0: 0n, a1: ONES }, { pc: 64n }],
  ['bltu a0,a1,.+64', 0x04b56063, { a0: ONES, a1: 0n }, {}],
  ['bgeu a0,a1,.+64', 0x04b57063, { a0: ONES, a1: 0n }, { pc: 64n }],
  ['bgeu a0,a1,.+64', 0x04b57063, { a0: 0n, a1: ONES }, {}],
  ['lb a0,1(a1)', 0x00158503, { a1: DATA, data: BYTES }, { a0: 0xffffffffffffff97n }],
  ['lh a0,2(a1)', 0x00259503, { a1: DATA, data: BYTES }, { a0: 0xffffffffffffb5a6n }],
  ['lw a0,4(a1)', 0x0045a503, { a1: DATA, data: BYTES }, { a0: 0xfffffffff1e2d3c4n }],
  ['ld a0,-8(a1)', 0xff85b503, { a1: DATA + 8n, data: BYTES }, { a0: 0xf1e2d3c4b5a69788n }],
  ['lbu a0,7(a1)', 0x0075c503, { a1: DATA, data: BYTES }, { a0: 0xf1n }],
  ['lhu a0,6(a1)', 0x0065d503, { a1: DATA, data: BYTES }, { a0: 0xf1e2n }],
  ['lwu a0,0(a1)', 0x0005e503, { a1: DATA, data: BYTES }, { a0: 0xb5a69788n }],
  ['sb a0,3(a1)', 0x00a581a3, { a1: DATA, data: BYTES, a0: 0x1234n }, { data: 0xf1e2d3c434a69788n }],
  ['sh a0,6(a1)', 0x00a59323, { a1: DATA, data: BYTES, a0: 0xabcd1234n }, { data: 0x1234d3c4b5a69788n }],
  ['sw a0,4(a1)', 0x00a5a223, { a1: DATA, data: BYTES, a0: 0x100000002n }, { data: 0x00000002b5a69788n }],
  ['sd a0,-8(a1)', 0xfea5bc23, { a1: DATA + 8n, a0: 0x0123456789abcdefn }, { data: 0x0123456789abcdefn }],
  ['addi a0,a1,-1', 0xfff58513, { a1: 0n }, { a0: ONES }],
  ['slti a0,a1,-1', 0xfff5a513, { a1: MIN }, { a0: 1n }],
  ['sltiu a0,a1,-1', 0xfff5b513, { a1: 5n }, { a0: 1n }],
  ['xori a0,a1,-1', 0xfff5c513, { a1: 0xfn }, { a0: 0xfffffffffffffff0n }],
  ['ori a0,a1,-2048', 0x8005e513, { a1: 1n }, { a0: 0xfffffffffffff801n }],
  ['andi a0,a1,-16', 0xff05f513, { a1: 0x1ffn }, { a0: 0x1f0n }],
  ['slli a0,a1,63', 0x03f59513, { a1: 3n }, { a0: MIN }],
  ['srli a0,a1,63', 0x03f5d513, { a1: ONES }, { a0: 1n }],
  ['srai a0,a1,63', 0x43f5d513, { a1: MIN }, { a0: ONES }],
  ['add a0,a1,a2', 0x00c58533, { a1: ONES, a2: 2n }, { a0: 1n }],
  ['sub a0,a1,a2', 0x40c58533, { a1: 0n, a2: 1n }, { a0: ONES }],
  ['sll a0,a1,a2', 0x00c59533, { a1: 1n, a2: 65n }, { a0: 2n }],
  ['slt a0,a1,a2', 0x00c5a533, { a1: ONES, a2: 0n }, { a0: 1n }],
  ['sltu a0,a1,a2', 0x00c5b533, { a1: 0n, a2: ONES }, { a0: 1n }],
  ['xor a0,a1,a2', 0x00c5c533, { a1: 0xff00n, a2: 0x0ff0n }, { a0: 0xf0f0n }],
  ['srl a0,a1,a2', 0x00c5d533, { a1: ONES, a2: 60n }, { a0: 0xfn }],
  ['sra a0,a1,a2', 0x40c5d533, { a1: MIN, a2: 60n }, { a0: 0xfffffffffffffff8n }],
  ['or a0,a1,a2', 0x00c5e533, { a1: 0xf0n, a2: 0x0fn }, { a0: 0xffn }],
  ['and a0,a1,a2', 0x00c5f533, { a1: 0xff00n, a2: 0x0ff0n }, { a0: 0x0f00n }],
  ['addiw a0,a1,1', 0x0015851b, { a1: 0x7fffffffn }, { a0: 0xffffffff80000000n }],
  ['slliw a0,a1,31', 0x01f5951b, { a1: 1n }, { a0: 0xffffffff80000000n }],
  ['srliw a0,a1,4', 0x0045d51b, { a1: 0xffffffff80000000n }, { a0: 0x08000000n }],
  ['sraiw a0,a1,4', 0x4045d51b, { a1: 0x80000000n }, { a0: 0xfffffffff8000000n }],
  ['addw a0,a1,a2', 0x00c5853b, { a1: 0xffffffffn, a2: 1n }, { a0: 0n }],
  ['subw a0,a1,a2', 0x40c5853b, { a1: 0n, a2: 1n }, { a0: ONES }],
  ['sllw a0,a1,a2', 0x00c5953b, { a1: 1n, a2: 63n }, { a0: 0xffffffff80000000n }],
  ['srlw a0,a1,a2', 0x00c5d53b, { a1: 0x80000000n, a2: 31n }, { a0: 1n }],
  ['sraw a0,a1,a2', 0x40c5d53b, { a1: 0x80000000n, a2: 31n }, { a0: ONES }],
  ['fence', 0x0ff0000f, {}, {}],
  ['fence.i', 0x0000100f, {}, {}],
  ['ecall', 0x00000073, {}, { stop: ECALL, pc: 0n }],
  ['ebreak', 0x00100073, {}, { stop: BREAK, pc: 0n }],
  ['wfi', 0x10500073, {}, { stop: WFI }],
  ['csrrw a0,sscratch,a1', 0x14059573, { sscratch: 5n, a1: 9n }, { a0: 5n, sscratch: 9n }],
  ['csrrs a0,sscratch,a1', 0x1405a573, { sscratch: 5n, a1: 3n }, { a0: 5n, sscratch: 7n }],
  ['csrrc a0,sscratch,a1', 0x1405b573, { sscratch: 5n, a1: 3n }, { a0: 5n, sscratch: 4n }],
  ['csrrwi a0,sscratch,31', 0x140fd573, { sscratch: 5n }, { a0: 5n, sscratch: 31n }],
  ['csrrsi a0,sscratch,3', 0x1401e573, { sscratch: 5n }, { a0: 5n, sscratch: 7n }],
  ['csrrci a0,sscratch,3', 0x1401f573, { sscratch: 5n }, { a0: 5n, sscratch: 4n }],
  ['mul a0,a1,a2', 0x02c58533, { a1: 0x100000001n, a2: 0x100000001n }, { a0: 0x200000001n }],
  ['mulh a0,a1,a2', 0x02c59533, { a1: MIN, a2: MIN }, { a0: 0x4000000000000000n }],
  ['mulhsu a0,a1,a2', 0x02c5a533, { a1: ONES, a2: 2n }, { a0: ONES }],
  ['mulhu a0,a1,a2', 0x02c5b533, { a1: ONES, a2: ONES }, { a0: 0xfffffffffffffffen }],
  ['div a0,a1,a2', 0x02c5c533, { a1: 0xfffffffffffffff9n, a2: 2n }, { a0: 0xfffffffffffffffdn }],
  ['divu a0,a1,a2', 0x02c5d533, { a1: ONES, a2: 2n }, { a0: 0x7fffffffffffffffn }],
  ['rem a0,a1,a2', 0x02c5e533, { a1: 0xfffffffffffffff9n, a2: 2n }, { a0: ONES }],
  ['remu a0,a1,a2', 0x02c5f533, { a1: ONES, a2: 16n }, { a0: 15n }],
  ['mulw a0,a1,a2', 0x02c5853b, { a1: 0x10000n, a2: 0x8000n }, { a0: 0xffffffff80000000n }],
  ['divw a0,a1,a2', 0x02c5c53b, { a1: 0xfffffff9n, a2: 2n }, { a0: 0xfffffffffffffffdn }],
  ['divuw a0,a1,a2', 0x02c5d53b, { a1: 0xfffffff9n, a2: 2n }, { a0: 0x7ffffffcn }],
  ['remw a0,a1,a2', 0x02c5e53b, { a1: 0xfffffff9n, a2: 2n }, { a0: ONES }],
  ['remuw a0,a1,a2', 0x02c5f53b, { a1: 0xfffffff9n, a2: 16n }, { a0: 9n }],
  ['lr.w a0,(a1)', 0x1005a52f, { a1: DATA, data: 0x8000000180000001n }, { a0: 0xffffffff80000001n, reserved: 1n }],
  ['sc.w a0,a2,(a1)', 0x18c5a52f, { a1: DATA, data: 0xffffffff00000001n, a2: 77n, reserved: 1n }, { a0: 0n, data: 0xffffffff0000004dn, reserved: 0n }],
  ['sc.w a0,a2,(a1)', 0x18c5a52f, { a1: DATA, data: 0xffffffff00000001n, a2: 77n }, { a0: 1n }],
  ['amoswap.w a0,a2,(a1)', 0x08c5a52f, { a1: DATA, data: 0xffffffff80000001n, a2: 5n }, { a0: 0xffffffff80000001n, data: 0xffffffff00000005n }],
  ['amoadd.w a0,a2,(a1)', 0x00c5a52f, { a1: DATA, data: 0x1ffffffffn, a2: 2n }, { a0: ONES, data: 0x100000001n }],
  ['amoxor.w a0,a2,(a1)', 0x20c5a52f, { a1: DATA, data: 0xffn, a2: 0x0fn }, { a0: 0xffn, data: 0xf0n }],
  ['amoand.w a0,a2,(a1)', 0x60c5a52f, { a1: DATA, data: 0xffn, a2: 0x0fn }, { a0: 0xffn, data: 0x0fn }],
  ['amoor.w a0,a2,(a1)', 0x40c5a52f, { a1: DATA, data: 0xf0n, a2: 0x0fn }, { a0: 0xf0n, data: 0xffn }],
  ['amomin.w a0,a2,(a1)', 0x80c5a52f, { a1: DATA, data: 1n, a2: ONES }, { a0: 1n, data: 0xffffffffn }],
  ['amomax.w a0,a2,(a1)', 0xa0c5a52f, { a1: DATA, data: 0xfffffffen, a2: 3n }, { a0: 0xfffffffffffffffen, data: 3n }],
  ['amominu.w a0,a2,(a1)', 0xc0c5a52f, { a1: DATA, data: 0xfffffffen, a2: 3n }, { a0: 0xfffffffffffffffen, data: 3n }],
  ['amomaxu.w a0,a2,(a1)', 0xe0c5a52f, { a1: DATA, data: 1n, a2: ONES }, { a0: 1n, data: 0xffffffffn }],
  ['lr.d a0,(a1)', 0x1005b52f, { a1: DATA, data: 0x8000000180000001n }, { a0: 0x8000000180000001n, reserved: 1n }],
  ['sc.d a0,a2,(a1)', 0x18c5b52f, { a1: DATA, data: 0xffffffff00000001n, a2: 77n, reserved: 1n }, { a0: 0n, data: 77n, reserved: 0n }],
  ['sc.d a0,a2,(a1)', 0x18c5b52f, { a1: DATA, data: 0xffffffff00000001n, a2: 77n }, { a0: 1n }],
  ['amoswap.d a0,a2,(a1)', 0x08c5b52f, { a1: DATA, data: 1n, a2: 2n }, { a0: 1n, data: 2n }],
  ['amoadd.d a0,a2,(a1)', 0x00c5b52f, { a1: DATA, data: 0xffffffffn, a2: 1n }, { a0: 0xffffffffn, data: 0x100000000n }],
  ['amoxor.d a0,a2,(a1)', 0x20c5b52f, { a1: DATA, data: 0xf0000000fn, a2: 0x800000001n }, { a0: 0xf0000000fn, data: 0x70000000en }],
  ['amoand.d a0,a2,(a1)', 0x60c5b52f, { a1: DATA, data: 0xf0000000fn, a2: 0x800000001n }, { a0: 0xf0000000fn, data: 0x800000001n }],
  ['amoor.d a0,a2,(a1)', 0x40c5b52f, { a1: DATA, data: 0x700000008n, a2: 0x800000001n }, { a0: 0x700000008n, data: 0xf00000009n }],
  ['amomin.d a0,a2,(a1)', 0x80c5b52f, { a1: DATA, data: 1n, a2: ONES }, { a0: 1n, data: ONES }],
  ['amomax.d a0,a2,(a1)', 0xa0c5b52f, { a1: DATA, data: 0xfffffffffffffffen, a2: 3n }, { a0: 0xfffffffffffffffen, data: 3n }],
  ['amominu.d a0,a2,(a1)', 0xc0c5b52f, { a1: DATA, data: 0xfffffffffffffffen, a2: 3n }, { a0: 0xfffffffffffffffen, data: 3n }],
  ['amomaxu.d a0,a2,(a1)', 0xe0c5b52f, { a1: DATA, data: 1n, a2: ONES }, { a0: 1n, data: ONES }],
  ['c.addi4spn a0,sp,4', 0x0048, { sp: 0x100n }, { a0: 0x104n }],
  ['c.lw a0,4(a1)', 0x41c8, { a1: DATA, data: BYTES }, { a0: 0xfffffffff1e2d3c4n }],
  ['c.ld a0,0(a1)', 0x6188, { a1: DATA, data: BYTES }, { a0: 0xf1e2d3c4b5a69788n }],
  ['c.sw a2,4(a1)', 0xc1d0, { a1: DATA, data: BYTES, a2: 7n }, { data: 0x00000007b5a69788n }],
  ['c.sd a2,0(a1)', 0xe190, { a1: DATA, data: BYTES, a2: 9n }, { data: 9n }],
  ['c.nop', 0x0001, {}, {}],
  ['c.addi t0,-1', 0x12fd, { t0: 0n }, { t0: ONES }],
  ['c.addiw t0,-1', 0x32fd, { t0: 0xffffffff80000000n }, { t0: 0x7fffffffn }],
  ['c.li t0,-5', 0x52ed, { t0: 1n }, { t0: 0xfffffffffffffffbn }],
  ['c.addi16sp sp,-64', 0x7139, { sp: 0x100n }, { sp: 0xc0n }],
  ['c.lui t0,0xfffe0', 0x7281, {}, { t0: 0xfffffffffffe0000n }],
  ['c.srli a0,1', 0x8105, { a0: ONES }, { a0: 0x7fffffffffffffffn }],
  ['c.srai a0,1', 0x8505, { a0: MIN }, { a0: 0xc000000000000000n }],
  ['c.andi a0,-2', 0x9979, { a0: 3n }, { a0: 2n }],
  ['c.sub a0,a1', 0x8d0d, { a0: 1n, a1: 2n }, { a0: ONES }],
  ['c.xor a0,a1', 0x8d2d, { a0: 0xffn, a1: 0x0fn }, { a0: 0xf0n }],
  ['c.or a0,a1', 0x8d4d, { a0: 0xf0n, a1: 0x0fn }, { a0: 0xffn }],
  ['c.and a0,a1', 0x8d6d, { a0: 0xffn, a1: 0x0fn }, { a0: 0x0fn }],
  ['c.subw a0,a1', 0x9d0d, { a0: 0n, a1: 1n }, { a0: ONES }],
  ['c.addw a0,a1', 0x9d2d, { a0: 0x7fffffffn, a1: 1n }, { a0: 0xffffffff80000000n }],
  ['c.j .+100', 0xa095, {}, { pc: 100n }],
  ['c.beqz a0,.+64', 0xc121, { a0: 0n }, { pc: 64n }],
  ['c.beqz a0,.+64', 0xc121, { a0: 0x100000000n }, {}],
  ['c.bnez a0,.-64', 0xf161, { a0: 0x100000000n }, { pc: -64n }],
  ['c.bnez a0,.-64', 0xf161, { a0: 0n }, {}],
  ['c.slli t0,63', 0x12fe, { t0: 1n }, { t0: MIN }],
  ['c.lwsp t0,4(sp)', 0x4292, { sp: DATA, data: BYTES }, { t0: 0xfffffffff1e2d3c4n }],
  ['c.ldsp t0,0(sp)', 0x6282, { sp: DATA, data: BYTES }, { t0: 0xf1e2d3c4b5a69788n }],
  ['c.jr t0', 0x8282, { t0: HERE + 0x81n }, { pc: 0x80n }],
  ['c.mv t0,t1', 0x829a, { t1: 7n }, { t0: 7n }],
  ['c.ebreak', 0x9002, {}, { stop: BREAK, pc: 0n }],
  ['c.jalr t0', 0x9282, { t0: HERE + 0x80n }, { ra: HERE + 2n, pc: 0x80n }],
  ['c.add t0,t1', 0x929a, { t0: ONES, t1: 2n }, { t0: 1n }],
  ['c.swsp t0,4(sp)', 0xc216, { sp: DATA, data: BYTES, t0: 7n }, { data: 0x00000007b5a69788n }],
  ['c.sdsp t0,0(sp)', 0xe016, { sp: DATA, data: BYTES, t0: 9n }, { data: 9n }],
];

const REGISTERS = Object.entries(REG);

/** Everything that there is, before the case says what is else. */
const NOTHING: State = {
  ...Object.fromEntries(REGISTERS.map(([name]) => [name, 0n])),
  data: 0n,
  reserved: 0n,
  sscratch: 0n,
};

function rigWith(word: number, { data = 0n }: State): Rig {
  const rig = makeRig();
  rig.core.writeText(AT, Uint16Array.of(word & 0xffff, word >>> 16));
  const [lo, hi] = [data, data >> 32n].map((half) => Number(BigInt.asIntN(32, half)));
  rig.memory.store64(DATA_ADDRESS, lo ?? 0, hi ?? 0);
  return rig;
}

function dataOf({ memory }: Rig): bigint {
  return join(memory.loadLo(DATA_ADDRESS), memory.loadHi(DATA_ADDRESS));
}

function onFastCore(word: number, before: State): State {
  const rig = rigWith(word, before);
  const { core, hart, memory } = rig;
  for (const [name, index] of REGISTERS) {
    if (index > 0) setValue(hart, index, before[name] ?? 0n);
  }
  hart.csrs[0] = Number(before['sscratch'] ?? 0n);
  if (before['reserved'] === 1n) memory.reserve(hart, DATA_ADDRESS);
  hart.pc = AT;
  const stop = BigInt(run(core, hart, 1, true));
  return {
    ...Object.fromEntries(REGISTERS.map(([name, index]) => [name, valueOf(hart, index)])),
    data: dataOf(rig),
    pc: BigInt(hart.pc - AT),
    reserved: hart.reservation === NO_ADDRESS ? 0n : 1n,
    sscratch: join(hart.csrs[0], hart.csrs[1] as number),
    stop,
  };
}

function onReferenceCore(word: number, before: State): State {
  const rig = rigWith(word, before);
  const hart = new ReferenceHart();
  const core = new ReferenceCore(rig.memory, [hart], () => 0);
  for (const [name, index] of REGISTERS) hart.x[index] = before[name] ?? 0n;
  hart.csrs[0] = before['sscratch'] ?? 0n;
  hart.reservation = before['reserved'] === 1n ? DATA : undefined;
  hart.pc = HERE;
  hart.stackBase = guestValue(STACK);
  const stop = BigInt(runReference(core, hart, 1, true));
  return {
    ...Object.fromEntries(REGISTERS.map(([name, index]) => [name, hart.x[index]])),
    data: dataOf(rig),
    pc: hart.pc - HERE,
    reserved: hart.reservation === undefined ? 0n : 1n,
    sscratch: hart.csrs[0],
    stop,
  };
}

test.each(CASES)('%s', (_, word, before, after) => {
  const length = (word & 3) === 3 ? 4n : 2n;
  const expected = { ...NOTHING, pc: length, stop: STEPS, ...before, ...after };
  expect(onFastCore(word, before)).toEqual(expected);
  expect(onReferenceCore(word, before)).toEqual(expected);
});

test('the two decoders refuse the same words', () => {
  const differing: number[] = [];
  for (let half = 0; half < 0x10000; half++) {
    if ((half & 3) === 3) continue;
    const refused = decodeCompressed(half).op === OP.illegal;
    if (refused !== (identify(half, 0) === undefined)) differing.push(half);
  }
  expect(differing).toEqual([]);
  fc.assert(
    fc.property(fc.integer(), fc.constantFrom(...FORMS), (bits, form) => {
      for (const word of [bits | 3, (bits & ~0x707f) | (form.match & 0x707f) | 3]) {
        const refused = decode(word, 0).op === OP.illegal;
        expect([word, refused]).toEqual([word, identify(word & 0xffff, word >>> 16) === undefined]);
      }
    }),
    { numRuns: 5000 },
  );
});

test('no instruction is without a case', () => {
  const cases = new Set(CASES.map(([text]) => text.split(' ')[0]));
  expect(FORMS.map(({ name }) => name).filter((name) => !cases.has(name))).toEqual([]);
});
