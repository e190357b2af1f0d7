// Layer trace. `arch_rethook_trampoline`: the text that a function returns to whose return is taken (FP-31). It saves all
// registers, lets `rethook_trampoline_handler` find where to go on, and restores what handlers made of them. A task can
// be preempted at each of its instructions; it is never freed.
import type { Address } from '../emu/address.ts';
import type { Machine } from '../emu/machine.ts';
import { Assembler } from '../emu/riscv/assembler.ts';
import { SAVES_RETURN } from './ftrace-regs.ts';
import { RETURN_TEXT, writeText } from './ftrace-trampoline.ts';

/** Behind the text that fgraph takes returns to: an era may have both. */
const FGRAPH_TEXT_BYTES = 128;
const RETHOOK_TEXT_BYTES = 512;
export const RETHOOK_TRAMPOLINE: Address = RETURN_TEXT + FGRAPH_TEXT_BYTES;

/** Is `address` in the text behind returns that are taken, of either machine? */
export function isReturnText(address: Address): boolean {
  return address >= RETURN_TEXT && address < RETHOOK_TRAMPOLINE + RETHOOK_TEXT_BYTES;
}

/** Writes the trampoline, which calls `handler`. For boot. */
export function writeRethookTrampoline(machine: Machine, handler: Address): void {
  const text = new Assembler(RETHOOK_TRAMPOLINE);
  text.append(SAVES_RETURN.enter);
  text.call(handler);
  text.append(SAVES_RETURN.leave);
  writeText(machine, text);
  machine.returnDetours.add(RETHOOK_TRAMPOLINE);
}
