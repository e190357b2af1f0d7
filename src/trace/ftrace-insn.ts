// Layer trace. The two instructions that a patchable site can hold: a nop, or a call that leaves its return
// address in a register of its own (`t0` for function entries, so that ra keeps the parent; ARCHITECTURE.md).
import { type Address, NO_ADDRESS } from '../emu/address.ts';
import { encode, PLAIN } from '../emu/riscv/encode.ts';

/** Bytes of a call site. */
export const MCOUNT_INSN_SIZE = 4;

/** `ftrace_call_replace` and `ftrace_nop_replace`: the word at `ip` that calls `target`, or nothing. */
export function callWord(ip: Address, target: Address, link: number): number {
  if (target === NO_ADDRESS) return PLAIN.nop;
  return encode('jal', { rd: link, imm: target - ip });
}
