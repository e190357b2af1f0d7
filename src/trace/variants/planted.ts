// Layer trace. Faults of our own making (docs/spec/mutants.md, "Planted"), for what no other fault of the hook
// subsystem breaks: true returns (CC-O10) and the order of locks (CC-O12).
import { type Address, addressLo } from '../../emu/address.ts';
import { mutexLock, mutexUnlock } from '../../emu/lock.ts';
import { REG } from '../../emu/regs.ts';
import { encode } from '../../emu/riscv/encode.ts';
import { allocate } from '../../emu/slab.ts';
import { beginsCall, callWords } from '../ftrace-insn.ts';
import { ftraceRunUpdateCode } from '../ftrace-modify.ts';
import { FTRACE_REGS } from '../ftrace-regs.ts';
import { ftraceUpdateTrampoline } from '../ftrace-trampoline.ts';
import { unregisterFtraceFunction } from '../ftrace.ts';
import type { Variant } from './variant.ts';

const SLOT_BYTES = 8;
const WORD_BYTES = 4;
const SAVES_RA = encode('sd', { rs1: REG.sp, rs2: REG.ra, imm: FTRACE_REGS.ra });
const RESTORES_RA = encode('ld', { rd: REG.ra, rs1: REG.sp, imm: FTRACE_REGS.ra });

/**
 * Breaks CC-O10: a hit that begins while another one is in the trampoline leaves its return address for both.
 * Needs a second CPU, an interrupt or preemption there, and functions that are called from different places.
 */
const M_97: Variant = {
  id: 'M-97',
  about: 'a trampoline keeps the return address in a place of its own, not on the stack',
  links: {
    *ftraceUpdateTrampoline(cx, k, ops) {
      yield* ftraceUpdateTrampoline(cx, k, ops);
      const memory = cx.read(ops.trampoline);
      if (memory === undefined) return;
      const func = k.fn.ftraceOpsGetFunc(cx, k, ops);
      const slot = yield* allocate(cx, { kind: 'heap', bytes: SLOT_BYTES });
      if (slot === undefined) return;
      cx.make(() => {
        const { text } = k.machine;
        const { address } = memory;
        const places = placesOf(address, memory.bytes);
        const words = withSlot(
          places.map((at) => text.word(at)),
          slot.address,
        );
        // It has moved, and calls the same.
        const call = words.findIndex((word) => beginsCall(k.patching, word, REG.ra));
        const ip = address + call * WORD_BYTES;
        const moved = call < 0 ? [] : callWords(k.patching, { ip, target: func, link: REG.ra });
        const halves = places.flatMap((_, i) => {
          const word = moved[i - call] ?? words[i] ?? 0;
          return [word & 0xffff, word >>> 16];
        });
        text.writeCode(address, halves);
      });
    },
  },
};

function placesOf(address: Address, bytes: number): readonly Address[] {
  return Array.from({ length: bytes / WORD_BYTES }, (_, i) => address + i * WORD_BYTES);
}

/** The words of a trampoline with `slot` in place of its stack slot for ra. */
function withSlot(words: readonly number[], slot: Address): readonly number[] {
  const { ra, t1 } = REG;
  const value = addressLo(slot);
  const low = (value << 20) >> 20;
  const upper = encode('lui', { rd: t1, imm: (value - low) >>> 12 });
  return words.flatMap((word, i) => {
    if (i === 0) return [upper, word];
    if (word === SAVES_RA) return [encode('sd', { rs1: t1, rs2: ra, imm: low })];
    return word === RESTORES_RA ? [upper, encode('ld', { rd: ra, rs1: t1, imm: low })] : [word];
  });
}

/** Breaks CC-O12: everybody else takes text_mutex inside ftrace_lock (H-41). Needs a second control thread to get stuck. */
const M_98: Variant = {
  id: 'M-98',
  about: 'unregister takes text_mutex before ftrace_lock',
  links: {
    *unregisterFtraceFunction(cx, k, ops) {
      yield* mutexLock(cx, k.textMutex);
      const result = yield* unregisterFtraceFunction(cx, k, ops);
      yield* mutexUnlock(cx, k.textMutex);
      return result;
    },
    *ftraceRunUpdateCode(cx, k) {
      const held = cx.make(() => k.textMutex.holder === cx);
      yield* held ? k.fn.archFtraceUpdateCode(cx, k) : ftraceRunUpdateCode(cx, k);
    },
  },
};

export const PLANTED_VARIANTS: readonly Variant[] = [M_97, M_98];
