// Runs one program on the fast core and on the reference core, side by side, and compares everything that a
// guest or the machine can see after each run: registers, memory, traps, counts. It makes no choice of its own.
import { known } from '../src/assert.ts';
import { type Address, STACK_BYTES, guestValue } from '../src/emu/address.ts';
import { GUARD_BYTES, NO_ADDRESS, STACK_BASE, STACK_STRIDE } from '../src/emu/address.ts';
import { Memory } from '../src/emu/memory.ts';
import { Hart } from '../src/emu/regs.ts';
import { Core } from '../src/emu/riscv/core.ts';
import { type Instruction, identify, isWide } from '../src/emu/riscv/instruction.ts';
import { hostAddress, killReservations } from '../src/emu/riscv/reference-memory.ts';
import { ReferenceCore, ReferenceHart, runReference } from '../src/emu/riscv/reference.ts';
import { run } from '../src/emu/riscv/run.ts';
import { STOP_ATTENTION, STOP_BREAK, STOP_ECALL, STOP_FAULT } from '../src/emu/riscv/stop.ts';
import { STOP_IRQ, STOP_STEPS, STOP_WFI, type Stop } from '../src/emu/riscv/stop.ts';

/**
 * Where text is: at the ends of both halves of the address space, where jumps leave a half or wrap around. The
 * first two border on each other.
 */
export const TEXTS: readonly Address[] = [0, 0x100, 0x7fffef00, -0x7ffff000, -0x1100];
export const TEXT_BYTES = 0x100;
export const STACKS: readonly Address[] = [
  STACK_BASE + GUARD_BYTES,
  STACK_BASE + STACK_STRIDE + GUARD_BYTES,
];
export const DATA: Address = 0x10000;
const DATA_BYTES = 0x200;
/** Borders on DATA. */
export const RODATA: Address = DATA + DATA_BYTES;
const RODATA_BYTES = 0x40;
export const USER_DATA: Address = -0x7fc00000;
/** Of each 64 bytes the first 16 are freed. */
export const HEAP: Address = 0x20000000;
export const HEAP_BYTES = 0x100;

/** What data holds at first: no two places look alike. */
const CONTENTS = Uint8Array.from({ length: STACK_BYTES }, (_, i) => (i * 0x9d) ^ (i >> 8));

/** What happens next. `hart` is 0 or 1. */
export type Action =
  | { readonly kind: 'run'; readonly hart: number; readonly steps: number; readonly every: boolean }
  | { readonly kind: 'write'; readonly address: Address; readonly half: number }
  | { readonly kind: 'flag'; readonly address: Address; readonly flags: number }
  | { readonly kind: 'switch'; readonly hart: number };

export interface Program {
  /** Where the program is, and the harts begin. */
  readonly entry: Address;
  readonly halves: readonly number[];
  /** x1..x31 of each hart. */
  readonly registers: readonly (readonly bigint[])[];
  readonly actions: readonly Action[];
}

/** How often what was seen: `executed add`, `trap freed`. */
export type Coverage = Map<string, number>;

/** A hart, and the same one in BigInt. */
interface Twins {
  readonly hart: Hart;
  readonly twin: ReferenceHart;
}

interface Pair {
  readonly core: Core;
  readonly reference: ReferenceCore;
  /** Holds the text of the reference core: it executes nothing. */
  readonly referenceText: Core;
  readonly twins: readonly Twins[];
  readonly entry: Address;
  /** Of the program, in halfwords. */
  readonly length: number;
  /** How often a hart went where no text is, times 3. */
  lost: number;
  readonly coverage: Coverage;
}

/** The first difference between the two cores, or undefined for none. */
export function firstDifference(program: Program, coverage: Coverage): string | undefined {
  const pair = makePair(program, coverage);
  for (const [index, action] of program.actions.entries()) {
    const difference = act(pair, action);
    if (difference !== undefined) return `action ${index}: ${difference}`;
  }
  return undefined;
}

function makePair({ entry, halves, registers }: Program, coverage: Coverage): Pair {
  const [core, referenceText] = [makeCore(), makeCore()];
  for (const one of [core, referenceText]) one.writeText(entry, Uint16Array.from(halves));
  const twins = STACKS.map((stackBase, id) =>
    makeTwins({ id, entry, stackBase }, known(registers[id], 'each hart has registers')),
  );
  const reference = new ReferenceCore(
    referenceText.memory,
    twins.map(({ twin }) => twin),
    (at) => referenceText.flagsAt(at),
  );
  core.time = 0xffff_fff0;
  reference.time = 0xffff_fff0n;
  const { length } = halves;
  return { core, reference, referenceText, twins, entry, length, lost: 0, coverage };
}

/** Every kind of segment; data with contents. */
export function makeCore(): Core {
  const memory = new Memory();
  const core = new Core(memory);
  const writable = true;
  for (const base of TEXTS) core.addText(base, TEXT_BYTES);
  memory.addSegment({ name: 'data', base: DATA, bytes: DATA_BYTES, writable });
  memory.addSegment({ name: 'rodata', base: RODATA, bytes: RODATA_BYTES, writable: false });
  memory.addSegment({ name: 'user', base: USER_DATA, bytes: 0x40, writable });
  memory.addSegment({ name: 'heap', base: HEAP, bytes: HEAP_BYTES, writable, liveness: true });
  for (let at = HEAP; at < HEAP + HEAP_BYTES; at += 0x40) memory.setLive(at + 0x10, 0x30, true);
  for (const base of STACKS) {
    memory.addSegment({ name: 'stack', base, bytes: STACK_BYTES, writable });
  }
  for (const { bytes, text } of memory.segments) {
    if (!text) bytes.set(CONTENTS.subarray(0, bytes.length));
  }
  return core;
}

interface Start {
  readonly id: number;
  readonly entry: Address;
  readonly stackBase: Address;
}

function makeTwins({ id, entry, stackBase }: Start, registers: readonly bigint[]): Twins {
  const hart = new Hart(id);
  const twin = new ReferenceHart();
  hart.pc = entry;
  hart.stackBase = stackBase;
  twin.pc = guestValue(entry);
  twin.stackBase = guestValue(stackBase);
  registers.forEach((value, index) => {
    hart.lo[index + 1] = Number(BigInt.asIntN(32, value));
    hart.hi[index + 1] = Number(BigInt.asIntN(32, value >> 32n));
    twin.x[index + 1] = value;
  });
  return { hart, twin };
}

function act(pair: Pair, action: Action): string | undefined {
  const { core, reference, referenceText, twins } = pair;
  switch (action.kind) {
    case 'write':
      for (const one of [core, referenceText]) one.writeHalf(action.address, action.half);
      killReservations(reference, guestValue(action.address), 2);
      return undefined;
    case 'flag':
      for (const one of [core, referenceText]) one.setFlags(action.address, action.flags);
      return undefined;
    case 'switch': {
      const { hart, twin } = known(twins[action.hart], 'there are two');
      core.memory.unreserve(hart);
      twin.reservation = undefined;
      return undefined;
    }
    case 'run':
      return runBoth(pair, action);
  }
}

function runBoth(pair: Pair, action: Action & { readonly kind: 'run' }): string | undefined {
  const { core, reference, twins } = pair;
  const { steps, every } = action;
  const { hart, twin } = known(twins[action.hart], 'there are two');
  const { pc } = hart;
  const reserved = twin.reservation !== undefined;
  const instruction = instructionAt(pair.referenceText, pc);
  const stop = runReference(reference, twin, steps, every);
  const found = run(core, hart, steps, every);
  const name = instruction?.form.name ?? 'nothing';
  if (found !== stop) return `${name}: stop ${found} in place of ${stop}`;
  const difference = differenceOf(pair);
  if (difference !== undefined) return `${name}: ${difference}`;
  const single = every && steps === 1 ? instruction : undefined;
  cover(pair.coverage, { hart, stop, instruction: single, pc, reserved });
  resume(pair, { hart, twin }, stop);
  return undefined;
}

function instructionAt(core: Core, pc: Address): Instruction | undefined {
  const region = core.regionAt(pc);
  const index = (pc - (region?.base ?? 0)) >> 1;
  const [low, high = 0] = region?.segment.halves.subarray(index, index + 2) ?? [];
  return low === undefined ? undefined : identify(low, high);
}

/** After a trap both go on behind the instruction; from where there is none, at another place of the program. */
function resume(pair: Pair, { hart, twin }: Twins, stop: Stop): void {
  if (stop !== STOP_ECALL && stop !== STOP_BREAK && stop !== STOP_FAULT) return;
  const region = pair.referenceText.regionAt(hart.pc);
  if (region === undefined || (stop === STOP_FAULT && hart.faultReason === 'fetch')) {
    pair.lost += 3;
    hart.pc = pair.entry + 2 * (pair.lost % pair.length);
  } else {
    hart.pc += isWide(region.segment.halves[(hart.pc - region.base) >> 1] ?? 0) ? 4 : 2;
  }
  twin.pc = guestValue(hart.pc);
}

function differenceOf(pair: Pair): string | undefined {
  for (const { hart, twin } of pair.twins) {
    const [seen, expected] = [stateOf(hart), referenceStateOf(twin)];
    for (const [index, [name, value]] of expected.entries()) {
      const got = seen[index]?.[1];
      if (got !== value) return `hart ${hart.id}: ${name} is ${got} in place of ${value}`;
    }
  }
  return memoryDifference(pair);
}

type State = readonly (readonly [name: string, value: bigint | number | boolean | string])[];

function wide(lo: number, hi: number): bigint {
  return (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0);
}

function stateOf(hart: Hart): State {
  const { lo, hi, csrs } = hart;
  return [
    ...Array.from({ length: 32 }, (_, i) => [`x${i}`, wide(lo[i] ?? 0, hi[i] ?? 0)] as const),
    ['pc', hart.pc],
    ['steps', hart.steps],
    ['instret', hart.instret],
    ['irqsOn', hart.irqsOn],
    ['reservation', hart.reservation],
    ...[0, 1, 2].map((i) => [`csr ${i}`, wide(csrs[2 * i] ?? 0, csrs[2 * i + 1] ?? 0)] as const),
    ['faultReason', hart.faultReason ?? ''],
    ['faultAddress', hart.faultAddress],
  ];
}

function referenceStateOf(twin: ReferenceHart): State {
  const { x, csrs, reservation, faultReason } = twin;
  return [
    ...Array.from(x, (value, i) => [`x${i}`, value] as const),
    ['pc', hostAddress(twin.pc)],
    ['steps', twin.steps],
    ['instret', twin.instret],
    ['irqsOn', twin.irqsOn],
    ['reservation', reservation === undefined ? NO_ADDRESS : hostAddress(reservation)],
    ...Array.from(csrs, (value, i) => [`csr ${i}`, value] as const),
    ['faultReason', faultReason ?? ''],
    ['faultAddress', faultReason === undefined ? NO_ADDRESS : hostAddress(twin.faultAddress)],
  ];
}

function memoryDifference({ core, reference }: Pair): string | undefined {
  for (const [index, { name, base, bytes, dirty }] of core.memory.segments.entries()) {
    const other = known(reference.memory.segments[index], 'both have the same segments');
    if (!Buffer.from(bytes.buffer).equals(Buffer.from(other.bytes.buffer))) {
      const at = bytes.findIndex((byte, offset) => byte !== other.bytes[offset]);
      return `byte ${at} of ${name} ${base} is ${bytes[at]} in place of ${other.bytes[at]}`;
    }
    if (!Buffer.from(dirty).equals(Buffer.from(other.dirty)))
      return `pages of ${name} ${base} are dirty: ${dirty.join('')} in place of ${other.dirty.join('')}`;
  }
  return undefined;
}

const TRAPS: Readonly<Record<Stop, string>> = {
  [STOP_STEPS]: 'steps',
  [STOP_ATTENTION]: 'attention',
  [STOP_ECALL]: 'ecall',
  [STOP_BREAK]: 'break',
  [STOP_WFI]: 'wfi',
  [STOP_IRQ]: 'irq',
  [STOP_FAULT]: 'fault',
};

interface Seen {
  readonly hart: Hart;
  readonly stop: Stop;
  /** What executed, if that was one instruction, and where it stood. */
  readonly instruction: Instruction | undefined;
  readonly pc: Address;
  /** Whether the hart held a reservation before. */
  readonly reserved: boolean;
}

function cover(coverage: Coverage, { hart, stop, instruction, pc, reserved }: Seen): void {
  const isFault = stop === STOP_FAULT;
  count(coverage, `trap ${isFault ? (hart.faultReason ?? '') : TRAPS[stop]}`);
  if (instruction === undefined || isFault) return;
  const { form, rd } = instruction;
  count(coverage, `executed ${form.name}`);
  if (hart.pc !== pc && hart.pc !== pc + form.bytes) count(coverage, `jumped ${form.name}`);
  if (reserved && form.name.startsWith('sc.') && rd !== 0 && hart.lo[rd] === 0)
    count(coverage, `stored ${form.name}`);
}

function count(coverage: Coverage, what: string): void {
  coverage.set(what, (coverage.get(what) ?? 0) + 1);
}
