// Layer trace. Which instructions one jump can stand for (KP-60), after `can_optimize` and `copy_optimized_instructions`
// of arch/x86/kernel/kprobes/opt.c of Linux v6.12. The jump is a `jal x0` of four bytes, so the region has four or six.
// Pure: text is read through `ProbedText`. What changes while a probe is there is asked elsewhere (`kprobe-opt.ts`).
import type { Address } from '../emu/address.ts';
import { REG } from '../emu/regs.ts';
import { decodeCompressed } from '../emu/riscv/decode-compressed.ts';
import { decode } from '../emu/riscv/decode.ts';
import { type Decoded, OP, type Op } from '../emu/riscv/ops.ts';
import type { Kernel } from './kernel.ts';
import { insnBytes, type ProbedText } from './kprobe-insn.ts';

/** Bytes of the jump. */
export const JUMP_BYTES = 4;
const HALF_BYTES = 2;

/** Those whose target is in their immediate. */
const RELATIVE: ReadonlySet<Op> = new Set<Op>([
  OP.beq,
  OP.bne,
  OP.blt,
  OP.bge,
  OP.bltu,
  OP.bgeu,
  OP.j,
  OP.jal,
]);

/**
 * The halfwords of the fewest whole instructions from `addr` on that cover the jump; undefined: they cannot be executed
 * elsewhere, or somebody may jump between them.
 */
export function optimizedRegion(
  k: Kernel,
  text: ProbedText,
  addr: Address,
): readonly number[] | undefined {
  const end = text.func.address + text.func.size;
  let at = addr;
  while (at < addr + JUMP_BYTES) {
    if (at >= end || at === text.func.site) return undefined;
    if (k.fn.kprobeInsnAt(text, at).kind !== 'step') return undefined;
    at += insnBytes(text.read(at));
  }
  if (at > end || mayBeEntered(text, addr, at)) return undefined;
  return Array.from({ length: (at - addr) / HALF_BYTES }, (_, i) =>
    text.read(addr + HALF_BYTES * i),
  );
}

/** Does the function jump behind `addr` and before `end`, as far as its text says? A jump table does not say. */
function mayBeEntered(text: ProbedText, addr: Address, end: Address): boolean {
  const { func, siteBytes } = text;
  let at = func.address;
  while (at < func.address + func.size) {
    const insn = insnAt(text, at);
    if (insn.op === OP.jr && insn.rs1 !== REG.ra) return true;
    const target = at + insn.imm;
    if (RELATIVE.has(insn.op) && target > addr && target < end) return true;
    at += at === func.site ? siteBytes : insnBytes(text.read(at));
  }
  return false;
}

function insnAt({ read, func }: ProbedText, at: Address): Decoded {
  const low = read(at);
  if (insnBytes(low) === HALF_BYTES) return decodeCompressed(low);
  const isWhole = at + JUMP_BYTES <= func.address + func.size;
  return decode(low | ((isWhole ? read(at + HALF_BYTES) : 0) << 16), at);
}
