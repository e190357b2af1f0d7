// Layer emu. Where a jump replaces several instructions, those behind the first one are no instructions while its second
// half is there: whoever was parked between them must have left (CC-G19). Such a second half has no versions of its own:
// every CPU sees it at once when it fetches from the middle, which is the strictest there is.
import type { Address } from './address.ts';
import { FLAG } from './flags.ts';
import type { Machine } from './machine.ts';

interface Tail {
  /** What is there without the jump. */
  readonly half: number;
  readonly flags: number;
}

export class Tails {
  private readonly machine: Machine;
  private readonly covered = new Map<Address, Tail>();

  constructor(machine: Machine) {
    this.machine = machine;
  }

  /** A jump is about to replace what is at `address` now. */
  cover(address: Address): void {
    if (this.covered.has(address)) return;
    const { core, memory } = this.machine;
    const flags = core.flagsAt(address);
    this.covered.set(address, { half: memory.load16(address), flags });
    core.setFlags(address, flags | FLAG.visible | FLAG.attention | FLAG.site);
  }

  /** The jump is gone. */
  uncover(address: Address): void {
    const tail = this.covered.get(address);
    if (tail === undefined) return;
    this.covered.delete(address);
    this.machine.core.setFlags(address, tail.flags);
  }

  /** What is at `address`: the instruction, or the second half of a jump; undefined: no jump covers it. */
  at(address: Address): 'whole' | 'replaced' | undefined {
    const tail = this.covered.get(address);
    if (tail === undefined) return undefined;
    return this.machine.memory.load16(address) === tail.half ? 'whole' : 'replaced';
  }

  /** The text from `base` on goes. */
  forget(base: Address, bytes: number): void {
    for (const address of this.covered.keys()) {
      if (address >= base && address < base + bytes) this.uncover(address);
    }
  }
}
