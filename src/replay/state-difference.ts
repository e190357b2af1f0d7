// Layer replay. What differs when a replay stands elsewhere than the recorded run although all events are equal.
// Of the recorded state only digests are known, so the parts that differ are named, and shown as they are replayed:
// registers as they are, memory by the pages that were written since boot.
import { type Address, addressHi, hexAddress } from '../emu/address.ts';
import type { Machine } from '../emu/machine.ts';
import { PAGE_BYTES, type Segment } from '../emu/memory.ts';
import { FRAME_HI, FRAME_PC, REG } from '../emu/regs.ts';
import {
  differingParts,
  stackIndex,
  type StateDigest,
  type StateOwner,
  stateOwners,
  WHOLE_DIGITS,
} from './state-digest.ts';

/** Pages that are shown of one part. */
const PAGES_SHOWN = 8;

/** One sentence about two states that differ. */
export function stateNote(recorded: StateDigest, replayed: StateDigest): string {
  const [before, now] = [recorded, replayed].map((state) => state.slice(0, WHOLE_DIGITS));
  return `state digest ${before} was recorded, ${now} is replayed`;
}

/** The parts of `machine`, which stands where `recorded` was taken, that are not as they were then. */
export function stateDifference(
  machine: Machine,
  recorded: StateDigest,
  replayed: StateDigest,
): readonly string[] {
  const parts = differingParts(recorded, replayed);
  if (parts === undefined)
    return ['the recorded state is not of the same parts: nothing tells what differs'];
  const owners = stateOwners(machine);
  return parts.flatMap((number) => {
    const owner = owners[number];
    return owner === undefined ? [] : partLines(machine, owner);
  });
}

function partLines(machine: Machine, owner: StateOwner): readonly string[] {
  switch (owner.kind) {
    case 'machine':
      return [`differs: the machine: step ${machine.step}, ${machine.cells.count} cells`];
    case 'cpu': {
      const { cpu } = owner;
      const { hart } = cpu;
      const own = `preempt_count ${cpu.preemptCount.value}, irqs ${hart.irqsOn ? 'on' : 'off'}`;
      const words = { lo: hart.lo, hi: hart.hi, pc: hart.pc };
      return [
        `differs: CPU ${cpu.id}: ${own}, ${registers(machine, words)}`,
        ...stackLines(machine, cpu.id),
      ];
    }
    case 'task': {
      const { task } = owner;
      const { frame } = task.context;
      const words = { lo: frame, hi: frame.subarray(FRAME_HI), pc: frame[FRAME_PC] as Address };
      const shown =
        task.state === 'running' ? 'its CPU has its registers' : registers(machine, words);
      return [
        `differs: task ${task.pid} (${task.name}): ${task.state}, ${shown}`,
        ...stackLines(machine, task.index),
      ];
    }
    case 'segment':
      return [`differs: ${pagesText(machine, owner.segment)}`];
  }
}

/** pc and all registers that are not 0. */
function registers(
  machine: Machine,
  { lo, hi, pc }: { readonly lo: Int32Array; readonly hi: Int32Array; readonly pc: Address },
): string {
  const named = Object.entries(REG).flatMap(([name, index]) => {
    const [low, high] = [lo[index] as number, hi[index] as number];
    if (low === 0 && high === 0) return [];
    const value = (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
    return [`${name} 0x${value.toString(16)}`];
  });
  return [`pc ${machine.nameOf(pc)}`, ...named].join(', ');
}

function stackLines(machine: Machine, index: number): readonly string[] {
  const stack = machine.memory.segments.find((segment) => stackIndex(segment) === index);
  return stack === undefined ? [] : [`  ${pagesText(machine, stack)}`];
}

/** `data: written since boot: 0xffffffff80002000 <count>, 0xffffffff80002100`. */
function pagesText(machine: Machine, { name, base, dirty }: Segment): string {
  const pages: Address[] = [];
  for (const [page, isDirty] of dirty.entries()) if (isDirty) pages.push(base + page * PAGE_BYTES);
  if (pages.length === 0) return `${name}: nothing was written since boot`;
  const shown = pages.slice(0, PAGES_SHOWN).map((at) => placeText(machine, at));
  const more = pages.length > shown.length ? `, and ${pages.length - shown.length} more` : '';
  return `${name}: pages of ${PAGE_BYTES} bytes written since boot: ${shown.join(', ')}${more}`;
}

function placeText(machine: Machine, at: Address): string {
  const [address, name] = [hexAddress(at), machine.nameOf(at)];
  return name === address || addressHi(at) === 0 ? address : `${address} <${name}>`;
}
