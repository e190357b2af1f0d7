// Layer emu. The reference core: the executable specification of what `run` does, one instruction after the
// other, in BigInt. It shares with the fast core the segments' data and the flags of text, and nothing else: its
// decoder is `instruction.ts`, the meaning of each instruction a line of `semantics.ts`, the faults of memory are
// `reference-memory.ts`. Tests hold the two cores against each other; no machine runs on this one.
import { assert } from '../../assert.ts';
import type { Address } from '../address.ts';
import type { Memory } from '../memory.ts';
import type { FaultReason } from '../regs.ts';
import { type Instruction, identify, isWide } from './instruction.ts';
import { hostAddress, isPrivate, refuse, segmentOf } from './reference-memory.ts';
import { ATTENTION, VISIBLE } from './region.ts';
import { type Operands, SEMANTICS, type Semantics, dataAddress } from './semantics.ts';
import { type Outcome, RUNS_ON, STOP_ATTENTION, STOP_BREAK, STOP_ECALL } from './stop.ts';
import { STOP_FAULT, STOP_STEPS, type Stop } from './stop.ts';

/** A step has at most so many instructions. */
const STEP_INSTRUCTIONS_MAX = 4096;

/** One hart. All values are unsigned; addresses are the guest's own. */
export class ReferenceHart {
  /** x0..x31; what is stored is taken modulo 2^64. */
  readonly x: BigUint64Array = new BigUint64Array(32);
  pc = 0n;
  /** Where the instruction that executes goes on. */
  next = 0n;
  stackBase = 0n;
  irqsOn = true;
  /** The first of 8 reserved bytes. */
  reservation: bigint | undefined = undefined;
  /** sscratch, sepc, scause. */
  readonly csrs: BigUint64Array = new BigUint64Array(3);
  instret = 0;
  /** Steps that the last run completed. */
  steps = 0;
  faultReason: FaultReason | undefined = undefined;
  faultAddress = 0n;
}

/** What harts execute. */
export class ReferenceCore {
  readonly memory: Memory;
  readonly harts: readonly ReferenceHart[];
  /** VISIBLE and ATTENTION of the instruction at an address. */
  readonly flagsAt: (address: Address) => number;
  time = 0n;
  /** By the bytes that they show. */
  readonly views: Map<Uint8Array, DataView> = new Map();
  /** What words mean: that never changes. */
  readonly operations: Map<number, Operation | 'illegal'> = new Map();

  constructor(
    memory: Memory,
    harts: readonly ReferenceHart[],
    flagsAt: (address: Address) => number,
  ) {
    this.memory = memory;
    this.harts = harts;
    this.flagsAt = flagsAt;
  }
}

/** As `run`: at most `steps` steps, with a boundary before each instruction or where one is visible. */
export function runReference(
  core: ReferenceCore,
  hart: ReferenceHart,
  steps: number,
  everyInstruction: boolean,
): Stop {
  assert(steps > 0, 'a run has a budget');
  hart.steps = 0;
  for (let count = 0; ; count++) {
    const at = hostAddress(hart.pc);
    const fetched = fetch(core, at);
    const ends = everyInstruction || count === STEP_INSTRUCTIONS_MAX;
    if (count > 0 && (ends || isBoundary(core, hart, at, fetched))) {
      hart.steps++;
      count = 0;
      if ((core.flagsAt(at) & ATTENTION) !== 0) return STOP_ATTENTION;
      if (hart.steps === steps) return STOP_STEPS;
    }
    const outcome = execute(core, hart, fetched);
    if (outcome === RUNS_ON) continue;
    hart.steps++;
    return outcome;
  }
}

/** An operation: an instruction as it is executed. */
export interface Operation extends Operands {
  readonly semantics: Semantics;
  /** Whether a boundary lies before it: always, or if it is a memory access outside the own stack. */
  readonly boundary: 'always' | 'shared' | 'never';
}

type Fetched = Operation | 'illegal' | 'nothing';

/** What stands at `pc`. */
function fetch(core: ReferenceCore, pc: Address): Fetched {
  const segment = segmentOf(core, pc, 2);
  if (segment === undefined || !segment.text || (pc & 1) !== 0) return 'nothing';
  const index = (pc - segment.base) >> 1;
  const low = segment.halves[index] as number;
  if (!isWide(low)) return operationOf(core, low, 0);
  const high = segment.halves[index + 1];
  return high === undefined ? 'nothing' : operationOf(core, low, high);
}

function operationOf(core: ReferenceCore, low: number, high: number): Operation | 'illegal' {
  const word = low | (high << 16);
  let operation = core.operations.get(word);
  if (operation === undefined) {
    const instruction = identify(low, high);
    operation = instruction === undefined ? 'illegal' : prepare(instruction);
    core.operations.set(word, operation);
  }
  return operation;
}

const MEMORY_ACCESS = /^(?:l[bhwd]u?|s[bhwd]|(?:lr|sc|amo[a-z]+)\.[wd])$/u;
const STOPS = /^(?:ecall|ebreak|wfi)$/u;
const SSTATUS = 0x100;

function prepare({ form, mnemonic, rd, rs1, rs2, csr, imm }: Instruction): Operation {
  const stops = STOPS.test(mnemonic) || csr === SSTATUS;
  const otherwise = MEMORY_ACCESS.test(mnemonic) ? 'shared' : 'never';
  return {
    mnemonic,
    rd,
    rs1,
    rs2,
    csr,
    imm: BigInt.asUintN(64, BigInt(imm)),
    bytes: BigInt(form.bytes),
    semantics: SEMANTICS[mnemonic],
    boundary: stops ? 'always' : otherwise,
  };
}

function isBoundary(
  core: ReferenceCore,
  hart: ReferenceHart,
  at: Address,
  fetched: Fetched,
): boolean {
  if ((core.flagsAt(at) & (VISIBLE | ATTENTION)) !== 0) return true;
  if (typeof fetched === 'string' || fetched.boundary === 'never') return false;
  return fetched.boundary === 'always' || !isPrivate(hart, dataAddress(hart, fetched));
}

/** Executes what was fetched. Of what faults nothing has happened. */
function execute(core: ReferenceCore, hart: ReferenceHart, fetched: Fetched): Outcome {
  if (typeof fetched === 'string') {
    refuse(hart, fetched === 'nothing' ? 'fetch' : 'illegal', hart.pc);
    return STOP_FAULT;
  }
  hart.next = BigInt.asUintN(64, hart.pc + fetched.bytes);
  const outcome = fetched.semantics(core, hart, fetched);
  hart.x[0] = 0n;
  if (outcome === STOP_FAULT || outcome === STOP_ECALL || outcome === STOP_BREAK) return outcome;
  hart.pc = hart.next;
  hart.instret++;
  return outcome;
}
