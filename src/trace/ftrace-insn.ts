// Layer trace. What a patchable site can hold: nops, or a call that leaves its return address in a register of its
// own (`t0` for function entries, so that ra keeps the parent; ARCHITECTURE.md). How long it is depends on how the
// machine patches text: one instruction that breakpoints protect, or an AUIPC and JALR (FT-12).
import { type Address, NO_ADDRESS } from '../emu/address.ts';
import { HALF_BYTES, type Pair } from '../emu/pair.ts';
import { encode, PLAIN } from '../emu/riscv/encode.ts';

/** Machine option `patching`. */
export type Patching = 'breakpoint' | 'stopMachine';

/** `MCOUNT_INSN_SIZE` of each: bytes of a site. */
export const MCOUNT_INSN_SIZE: Readonly<Record<Patching, number>> = {
  breakpoint: 4,
  stopMachine: 2 * HALF_BYTES,
};

const CALL_OPCODE: Readonly<Record<Patching, number>> = { breakpoint: 0x6f, stopMachine: 0x17 };
/** Opcode and register. */
const CALL_MASK = 0xfff;

/** `ftrace_call_replace` and `ftrace_nop_replace`: the word at `ip` that calls `target`, or nothing. */
export function callWord(ip: Address, target: Address, link: number): number {
  if (target === NO_ADDRESS) return PLAIN.nop;
  return encode('jal', { rd: link, imm: target - ip });
}

/** What a site at `ip` holds that calls `target`, or nothing. */
export function callWords(
  patching: Patching,
  { ip, target, link }: { readonly ip: Address; readonly target: Address; readonly link: number },
): readonly number[] {
  return patching === 'breakpoint' ? [callWord(ip, target, link)] : callPair(ip, target, link);
}

/** Is `word` how a call begins, of whomever, that leaves its return address in `link`: JAL, or AUIPC? */
export function beginsCall(patching: Patching, word: number, link: number): boolean {
  return (word & CALL_MASK) === ((link << 7) | CALL_OPCODE[patching]);
}

/** As `callWord`, for a site of two instructions: `make_call_t0`, `make_call_ra`. */
export function callPair(ip: Address, target: Address, link: number): Pair {
  if (target === NO_ADDRESS) return [PLAIN.nop, PLAIN.nop];
  const low = ((target - ip) << 20) >> 20;
  return [
    encode('auipc', { rd: link, imm: (target - ip - low) >> 12 }),
    encode('jalr', { rd: link, rs1: link, imm: low }),
  ];
}
