// Layer emu. Everything that `run` does not execute inline: what is seldom, what leaves the own stack, what
// ends a run.
import { assert } from '../../assert.ts';
import { type Address, addressHi, addressLo } from '../address.ts';
import type { Hart } from '../regs.ts';
import { effectiveAddress, fault, load, store } from './access.ts';
import { atomic } from './atomic.ts';
import type { Core } from './core.ts';
import { accessCsr } from './csr.ts';
import { divide, divideWord, multiply, multiplyHigh, setWord } from './muldiv.ts';
import { OP, OP_MASK, RD_MASK, RD_SHIFT, RS1_SHIFT, RS2_SHIFT, RS_MASK } from './ops.ts';
import {
  type Outcome,
  RUNS_ON,
  STOP_BREAK,
  STOP_ECALL,
  STOP_FAULT,
  STOP_IRQ,
  STOP_WFI,
} from './stop.ts';

const LAST_LOAD = OP.lwu;
const LAST_STORE = OP.sd;

/** Executes the load, store or atomic `word` at data address `address`. */
export function executeMemory(core: Core, hart: Hart, word: number, address: Address): Outcome {
  const op = word & OP_MASK;
  let done: boolean;
  if (op <= LAST_LOAD) done = load(core.memory, hart, word, address);
  else if (op <= LAST_STORE) done = store(core.memory, hart, word, address);
  else done = atomic(core.memory, hart, word, address);
  return done ? RUNS_ON : STOP_FAULT;
}

/**
 * Executes `word` at `hart.pc`, of any other kind. `hart.steps` and `hart.instret` are those at this
 * instruction, for the counters.
 */
export function executeSeldom(core: Core, hart: Hart, word: number, imm: number): Outcome {
  const op = word & OP_MASK;
  switch (op) {
    case OP.ecall:
      return STOP_ECALL;
    case OP.ebreak:
      return STOP_BREAK;
    case OP.wfi:
      return STOP_WFI;
    case OP.csr:
    case OP.csrStatus: {
      const outcome = accessCsr(hart, word, imm, core.time + hart.steps);
      if (outcome === 'illegal') break;
      return outcome === 'written' && op === OP.csrStatus ? STOP_IRQ : RUNS_ON;
    }
    case OP.missing:
      fault(hart, 'fetch', hart.pc);
      return STOP_FAULT;
    case OP.illegal:
      break;
    default:
      assert(op >= OP.sll && op < OP.csr, 'every operation is executed somewhere');
      executeArithmetic(hart, word);
      return RUNS_ON;
  }
  fault(hart, 'illegal', hart.pc);
  return STOP_FAULT;
}

/**
 * Executes the `jr` or `jalr` of `word` to a target outside its region: returns the new pc, which is
 * NO_ADDRESS when no text can lie there. `link` is the address of the instruction after it.
 */
export function jumpFar(hart: Hart, word: number, imm: number, link: Address): Address {
  const base = (word >>> RS1_SHIFT) & RS_MASK;
  const odd = ((hart.lo[base] as number) + imm) & 1; // Bit 0 of a target is cleared.
  const target = effectiveAddress(hart, base, imm - odd);
  if ((word & OP_MASK) === OP.jalr) {
    const rd = (word >>> RD_SHIFT) & RD_MASK;
    hart.lo[rd] = addressLo(link);
    hart.hi[rd] = addressHi(link);
  }
  return target;
}

function executeArithmetic(hart: Hart, word: number): void {
  const op = word & OP_MASK;
  const rd = (word >>> RD_SHIFT) & RD_MASK;
  const a = (word >>> RS1_SHIFT) & RS_MASK;
  const b = (word >>> RS2_SHIFT) & RS_MASK;
  if (op <= OP.sraw) shift(hart, word);
  else if (op === OP.mul) multiply(hart, rd, a, b);
  else if (op <= OP.mulhu) multiplyHigh(hart, op, rd, a, b);
  else if (op <= OP.remu) divide(hart, op, rd, a, b);
  else if (op === OP.mulw) setWord(hart, rd, Math.imul(hart.lo[a] as number, hart.lo[b] as number));
  else divideWord(hart, op, rd, a, b);
}

/** Shifts by a register: only its low 6 (or 5) bits count. */
function shift(hart: Hart, word: number): void {
  const rd = (word >>> RD_SHIFT) & RD_MASK;
  const a = (word >>> RS1_SHIFT) & RS_MASK;
  const lo = hart.lo[a] as number;
  const hi = hart.hi[a] as number;
  const count = (hart.lo[(word >>> RS2_SHIFT) & RS_MASK] as number) & 63;
  switch (word & OP_MASK) {
    case OP.sll:
      hart.hi[rd] = count < 32 ? (hi << count) | ((lo >>> 1) >>> (31 - count)) : lo << count;
      hart.lo[rd] = count < 32 ? lo << count : 0;
      return;
    case OP.srl:
      hart.lo[rd] = count < 32 ? (lo >>> count) | ((hi << 1) << (31 - count)) : hi >>> count;
      hart.hi[rd] = count < 32 ? hi >>> count : 0;
      return;
    case OP.sra:
      hart.lo[rd] = count < 32 ? (lo >>> count) | ((hi << 1) << (31 - count)) : hi >> count;
      hart.hi[rd] = count < 32 ? hi >> count : hi >> 31;
      return;
    case OP.sllw:
      return setWord(hart, rd, lo << count);
    case OP.srlw:
      return setWord(hart, rd, (lo >>> count) | 0);
    default:
      return setWord(hart, rd, lo >> count);
  }
}
