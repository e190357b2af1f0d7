// Layer emu. The hot loop. Registers are pairs of 32-bit words in a typed array, text is decoded once, one
// dense switch executes what is frequent; `execute.ts` has the rest. Nothing is called back, nothing that a
// guest does throws. What a boundary is: ARCHITECTURE.md, "The core".
import { assert } from '../../assert.ts';
import * as address from '../address.ts';
import * as memory from '../memory.ts';
import type { Hart } from '../regs.ts';
import { effectiveAddress, fault, inOwnStack } from './access.ts';
import type { Core } from './core.ts';
import { executeMemory, executeSeldom, jumpFar } from './execute.ts';
import * as ops from './ops.ts';
import { ATTENTION } from './region.ts';
import { type Outcome, RUNS_ON, STOP_ATTENTION, STOP_FAULT, STOP_IRQ } from './stop.ts';
import { STOP_BREAK, STOP_ECALL, STOP_STEPS, STOP_WFI, type Stop } from './stop.ts';

// V8 folds a constant of this module, but loads and checks an imported one each time.
const HI = ops.HI;
const OP_MASK = ops.OP_MASK;
const RD_SHIFT = ops.RD_SHIFT;
const RD_MASK = ops.RD_MASK;
const RS1_SHIFT = ops.RS1_SHIFT;
const RS2_SHIFT = ops.RS2_SHIFT;
const RS_MASK = ops.RS_MASK;
const LENGTH_SHIFT = ops.LENGTH_SHIFT;
const LENGTH_MASK = ops.LENGTH_MASK;
const PAGE_SHIFT = memory.PAGE_SHIFT;
const ATTENDED = ops.ATTENDED;
const FIRST_MEMORY_OP = ops.FIRST_MEMORY_OP;
const FIRST_ALWAYS_BOUNDARY = ops.FIRST_ALWAYS_BOUNDARY;
// Bits that are set in no offset of an aligned access within a stack.
const OUTSIDE_1 = -address.STACK_BYTES;
const OUTSIDE_4 = -address.STACK_BYTES | 3;
const OUTSIDE_8 = -address.STACK_BYTES | 7;

/**
 * A step has at most so many instructions: a loop that nobody else could see must not hang the host. Also how
 * many one call executes: the hot loop is left that often so that V8 enters it from its beginning again;
 * what it compiles for a jump into a running loop is slower.
 */
const SLICE = 0x1000;

/**
 * Runs `hart` for at most `steps` steps and says why it stopped. The instruction at `hart.pc` executes
 * whatever its flags. Every return ends a step, too.
 */
export const run: (core: Core, hart: Hart, steps: number, everyInstruction: boolean) => Stop =
  runSlices as typeof run; // Only its own inner calls see RUNS_ON.

// oxlint-disable-next-line max-lines-per-function -- one dense switch over locals: that is the speed
function runSlices(core: Core, hart: Hart, steps: number, everyInstruction: boolean): Outcome {
  assert(steps > 0 && steps <= 0x7fffffff, 'a run has a budget');
  const { x, instret, midway } = hart;
  const stack =
    hart.stack !== undefined && hart.stack.base === hart.stackBase
      ? hart.stack
      : (hart.stack = core.stackAt(hart.stackBase));
  const stackLo = address.addressLo(stack.base);
  const stackHi = address.addressHi(stack.base);
  let { pc } = hart;
  let { text } = hart;
  if (text === undefined || (pc - text.base) >>> 0 >= text.size || (pc & 1) !== 0)
    text = core.regionAt(pc);
  let left = midway ? steps - hart.steps : steps;
  // With a boundary before each instruction a step is an instruction: nothing needs counting but those.
  const room = left;
  let slice = everyInstruction && room < SLICE ? room : SLICE;
  // Boundaries that need no look are passed in the hot loop, but for the last ones.
  const slow = everyInstruction ? 0x7fffffff : 1;
  let count = 0; // Instructions executed.
  let paid = 0; // The boundary before this instruction is behind us.
  let stop: Outcome;

  // Once for each region that pc enters.
  region: for (;;) {
    if (text === undefined) {
      stop = everyInstruction && count === room ? STOP_STEPS : STOP_FAULT;
      if (stop === STOP_STEPS) break;
      left--;
      fault(hart, 'fetch', pc);
      break;
    }
    const { code, base, size } = text;
    const textLo = address.addressLo(base);
    const textHi = address.addressHi(base);
    let index = (pc - base) | 0;
    let next = index;
    let word = 0;
    for (;;) {
      for (; ; index = next, count = (count + 1) | 0) {
        if (index >>> 0 >= size || count >= slice) break;
        word = code[index] as number;
        if (word < 0 && paid !== count) {
          if ((word & ATTENDED) !== 0 || left <= slow) break;
          left--;
          paid = count;
          slice = count + SLICE;
        }
        const imm = code[index + 1] as number;
        const rd = (word >> RD_SHIFT) & RD_MASK;
        const a = (word >> RS1_SHIFT) & RS_MASK;
        const b = (word >> RS2_SHIFT) & RS_MASK;
        next = (index + ((word >> LENGTH_SHIFT) & LENGTH_MASK)) | 0;
        // The labels are literals of OP because V8 makes a jump table of nothing else. A `break` leaves
        // the instruction to what follows the hot loop.
        switch (word & OP_MASK) {
          case 1: // nop
            continue;
          case 2: // constant
            x[rd] = imm;
            x[rd + HI] = 0;
            continue;
          case 3: // constantNegative
            x[rd] = imm;
            x[rd + HI] = -1;
            continue;
          case 4: // mv
            x[rd] = x[a] as number;
            x[rd + HI] = x[a + HI] as number;
            continue;
          case 5: {
            // addi
            const p = x[a] as number;
            const sum = (p + imm) | 0;
            x[rd + HI] = (x[a + HI] as number) + (imm >> 31) + (sum >>> 0 < p >>> 0 ? 1 : 0);
            x[rd] = sum;
            continue;
          }
          case 6: {
            // addiw
            const sum = ((x[a] as number) + imm) | 0;
            x[rd] = sum;
            x[rd + HI] = sum >> 31;
            continue;
          }
          case 7: // andi
            x[rd] = (x[a] as number) & imm;
            x[rd + HI] = (x[a + HI] as number) & (imm >> 31);
            continue;
          case 8: // ori
            x[rd] = (x[a] as number) | imm;
            x[rd + HI] = (x[a + HI] as number) | (imm >> 31);
            continue;
          case 9: // xori
            x[rd] = (x[a] as number) ^ imm;
            x[rd + HI] = (x[a + HI] as number) ^ (imm >> 31);
            continue;
          case 10: {
            // slti
            const p = x[a + HI] as number;
            const q = imm >> 31;
            x[rd] = (p === q ? (x[a] as number) >>> 0 < imm >>> 0 : p < q) ? 1 : 0;
            x[rd + HI] = 0;
            continue;
          }
          case 11: {
            // sltiu
            const p = x[a + HI] as number;
            const q = imm >> 31;
            x[rd] = (p === q ? (x[a] as number) >>> 0 < imm >>> 0 : p >>> 0 < q >>> 0) ? 1 : 0;
            x[rd + HI] = 0;
            continue;
          }
          case 12: {
            // slli
            const p = x[a] as number;
            x[rd + HI] =
              imm < 32 ? ((x[a + HI] as number) << imm) | ((p >>> 1) >>> (31 - imm)) : p << imm;
            x[rd] = imm < 32 ? p << imm : 0;
            continue;
          }
          case 13: {
            // srli
            const p = x[a + HI] as number;
            x[rd] = imm < 32 ? ((x[a] as number) >>> imm) | ((p << 1) << (31 - imm)) : p >>> imm;
            x[rd + HI] = imm < 32 ? p >>> imm : 0;
            continue;
          }
          case 14: {
            // srai
            const p = x[a + HI] as number;
            x[rd] = imm < 32 ? ((x[a] as number) >>> imm) | ((p << 1) << (31 - imm)) : p >> imm;
            x[rd + HI] = imm < 32 ? p >> imm : p >> 31;
            continue;
          }
          case 15: {
            // slliw
            const value = (x[a] as number) << imm;
            x[rd] = value;
            x[rd + HI] = value >> 31;
            continue;
          }
          case 16: {
            // srliw
            const value = ((x[a] as number) >>> imm) | 0;
            x[rd] = value;
            x[rd + HI] = value >> 31;
            continue;
          }
          case 17: {
            // sraiw
            const value = (x[a] as number) >> imm;
            x[rd] = value;
            x[rd + HI] = value >> 31;
            continue;
          }
          case 18: {
            // add
            const p = x[a] as number;
            const sum = (p + (x[b] as number)) | 0;
            x[rd + HI] =
              (x[a + HI] as number) + (x[b + HI] as number) + (sum >>> 0 < p >>> 0 ? 1 : 0);
            x[rd] = sum;
            continue;
          }
          case 19: {
            // sub
            const p = x[a] as number;
            const q = x[b] as number;
            x[rd + HI] =
              (x[a + HI] as number) - (x[b + HI] as number) - (p >>> 0 < q >>> 0 ? 1 : 0);
            x[rd] = p - q;
            continue;
          }
          case 20: {
            // addw
            const value = ((x[a] as number) + (x[b] as number)) | 0;
            x[rd] = value;
            x[rd + HI] = value >> 31;
            continue;
          }
          case 21: {
            // subw
            const value = ((x[a] as number) - (x[b] as number)) | 0;
            x[rd] = value;
            x[rd + HI] = value >> 31;
            continue;
          }
          case 22: // and
            x[rd] = (x[a] as number) & (x[b] as number);
            x[rd + HI] = (x[a + HI] as number) & (x[b + HI] as number);
            continue;
          case 23: // or
            x[rd] = (x[a] as number) | (x[b] as number);
            x[rd + HI] = (x[a + HI] as number) | (x[b + HI] as number);
            continue;
          case 24: // xor
            x[rd] = (x[a] as number) ^ (x[b] as number);
            x[rd + HI] = (x[a + HI] as number) ^ (x[b + HI] as number);
            continue;
          case 25: {
            // slt
            const p = x[a + HI] as number;
            const q = x[b + HI] as number;
            x[rd] = (p === q ? (x[a] as number) >>> 0 < (x[b] as number) >>> 0 : p < q) ? 1 : 0;
            x[rd + HI] = 0;
            continue;
          }
          case 26: {
            // sltu
            const p = x[a + HI] as number;
            const q = x[b + HI] as number;
            x[rd] = (p === q ? (x[a] as number) >>> 0 < (x[b] as number) >>> 0 : p >>> 0 < q >>> 0)
              ? 1
              : 0;
            x[rd + HI] = 0;
            continue;
          }
          case 27: // beq
            if (x[a] === x[b] && x[a + HI] === x[b + HI]) next = index + imm;
            continue;
          case 28: // bne
            if (x[a] !== x[b] || x[a + HI] !== x[b + HI]) next = index + imm;
            continue;
          case 29: {
            // blt
            const p = x[a + HI] as number;
            const q = x[b + HI] as number;
            if (p === q ? (x[a] as number) >>> 0 < (x[b] as number) >>> 0 : p < q)
              next = index + imm;
            continue;
          }
          case 30: {
            // bge
            const p = x[a + HI] as number;
            const q = x[b + HI] as number;
            if (p === q ? !((x[a] as number) >>> 0 < (x[b] as number) >>> 0) : p > q)
              next = index + imm;
            continue;
          }
          case 31: {
            // bltu
            const p = x[a + HI] as number;
            const q = x[b + HI] as number;
            if (p === q ? (x[a] as number) >>> 0 < (x[b] as number) >>> 0 : p >>> 0 < q >>> 0)
              next = index + imm;
            continue;
          }
          case 32: {
            // bgeu
            const p = x[a + HI] as number;
            const q = x[b + HI] as number;
            if (p === q ? !((x[a] as number) >>> 0 < (x[b] as number) >>> 0) : p >>> 0 > q >>> 0)
              next = index + imm;
            continue;
          }
          case 33: // j
            next = index + imm;
            continue;
          case 34: // jal
            x[rd] = textLo + next;
            x[rd + HI] = textHi;
            next = index + imm;
            continue;
          case 35: {
            // jr
            const target = ((x[a] as number) + imm - textLo) & ~1;
            if (x[a + HI] !== textHi || target >>> 0 >= size) break;
            next = target;
            continue;
          }
          case 36: {
            // jalr
            const target = ((x[a] as number) + imm - textLo) & ~1;
            if (x[a + HI] !== textHi || target >>> 0 >= size) break;
            x[rd] = textLo + next;
            x[rd + HI] = textHi;
            next = target;
            continue;
          }
          case 62: {
            // lw
            const offset = ((x[a] as number) + imm - stackLo) | 0;
            if ((offset & OUTSIDE_4) !== 0 || x[a + HI] !== stackHi) break;
            const value = stack.words[offset >> 2] as number;
            x[rd] = value;
            x[rd + HI] = value >> 31;
            continue;
          }
          case 63: {
            // ld
            const offset = ((x[a] as number) + imm - stackLo) | 0;
            if ((offset & OUTSIDE_8) !== 0 || x[a + HI] !== stackHi) break;
            x[rd] = stack.words[offset >> 2] as number;
            x[rd + HI] = stack.words[(offset >> 2) + 1] as number;
            continue;
          }
          case 64: {
            // lbu
            const offset = ((x[a] as number) + imm - stackLo) | 0;
            if ((offset & OUTSIDE_1) !== 0 || x[a + HI] !== stackHi) break;
            x[rd] = stack.bytes[offset] as number;
            x[rd + HI] = 0;
            continue;
          }
          case 68: {
            // sb
            const offset = ((x[a] as number) + imm - stackLo) | 0;
            if (((offset & OUTSIDE_1) | core.memory.reservations) !== 0 || x[a + HI] !== stackHi)
              break;
            stack.bytes[offset] = x[b] as number;
            stack.dirty[offset >> PAGE_SHIFT] = 1;
            continue;
          }
          case 70: {
            // sw
            const offset = ((x[a] as number) + imm - stackLo) | 0;
            if (((offset & OUTSIDE_4) | core.memory.reservations) !== 0 || x[a + HI] !== stackHi)
              break;
            stack.words[offset >> 2] = x[b] as number;
            stack.dirty[offset >> PAGE_SHIFT] = 1;
            continue;
          }
          case 71: {
            // sd
            const offset = ((x[a] as number) + imm - stackLo) | 0;
            if (((offset & OUTSIDE_8) | core.memory.reservations) !== 0 || x[a + HI] !== stackHi)
              break;
            stack.words[offset >> 2] = x[b] as number;
            stack.words[(offset >> 2) + 1] = x[b + HI] as number;
            stack.dirty[offset >> PAGE_SHIFT] = 1;
            continue;
          }
          default:
            break;
        }
        break;
      }
      if (index >>> 0 >= size) {
        pc = address.addressFrom(base, index);
        text = core.regionAt(pc);
        continue region;
      }
      if (count >= slice || (word < 0 && paid !== count)) {
        left--;
        paid = count;
        const isOver = everyInstruction ? count === room : left === 0;
        const attention = (text.flagsAt(index) & ATTENTION) !== 0;
        stop = attention ? STOP_ATTENTION : isOver ? STOP_STEPS : RUNS_ON;
        if (stop !== RUNS_ON || count >= SLICE) break;
        if (!everyInstruction) slice = count + SLICE;
        continue;
      }
      const op = word & OP_MASK;
      if (op === 0 /* undecoded */) {
        text.decodeAt(index);
        continue;
      }
      const imm = code[index + 1] as number;
      const isMemory = op >= FIRST_MEMORY_OP && op < FIRST_ALWAYS_BOUNDARY;
      const target = isMemory ? effectiveAddress(hart, (word >> RS1_SHIFT) & RS_MASK, imm) : 0;
      if (op >= FIRST_MEMORY_OP && paid !== count && !(isMemory && inOwnStack(hart, target))) {
        left--;
        paid = count;
        stop = left === 0 ? STOP_STEPS : RUNS_ON;
        if (!everyInstruction && (left === 0 || count >= SLICE)) break;
        if (!everyInstruction) slice = count + SLICE;
      }
      if (isMemory) {
        stop = executeMemory(core, hart, word, target);
      } else if (op === ops.OP.jr || op === ops.OP.jalr) {
        pc = jumpFar(hart, word, imm, (base + next) | 0);
        text = core.regionAt(pc);
        count++;
        continue region;
      } else {
        hart.pc = (base + index) | 0;
        hart.steps = steps - (everyInstruction ? room - count : left);
        hart.instret = instret + count;
        stop = executeSeldom(core, hart, word, imm);
      }
      if (stop === RUNS_ON || stop === STOP_WFI || stop === STOP_IRQ) {
        index = next;
        count++;
      }
      if (stop === RUNS_ON) continue;
      left--;
      break;
    }
    pc = (base + index) | 0;
    break;
  }
  if (hart.text !== text) hart.text = text;
  hart.pc = pc;
  // Of what did not execute the step is over all the same.
  const refused = stop === STOP_ECALL || stop === STOP_BREAK || stop === STOP_FAULT ? 1 : 0;
  hart.steps = steps - (everyInstruction ? room - count - refused : left);
  hart.instret = instret + count;
  if (stop === RUNS_ON && !midway) {
    hart.midway = true;
    while (stop === RUNS_ON) stop = runSlices(core, hart, steps, everyInstruction);
    hart.midway = false;
  }
  return stop;
}
