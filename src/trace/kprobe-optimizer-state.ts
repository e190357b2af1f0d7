// Layer trace. The optimiser of kprobes (CC-S13): its three lists, its delayed work and where detours lie. Made at boot
// where the machine option `optprobes` asks for it (KP-63).
import { type Address, SLOT_BASE, SLOT_BYTES_MAX } from '../emu/address.ts';
import type { Cell } from '../emu/cell.ts';
import type { Mutex } from '../emu/lock.ts';
import type { Machine } from '../emu/machine.ts';
import { synchronize } from '../emu/rcu.ts';
import type { KObject } from '../emu/slab.ts';
import { type KprobeInsnCache, newKprobeInsnCache } from './kprobe-slot.ts';
import type { KprobeNode } from './kprobe.ts';

/** Machine options about jump-optimised kprobes. */
export interface OptprobeOptions {
  /** Eligible probes become jumps; default off (KP-63). */
  readonly optprobes: boolean;
  /** A detour that is given back waits for preempted tasks, too, which closes the hole that CC-N2 suspects; default off. */
  readonly detourTasksWait: boolean;
}

export const OPTPROBES_DEFAULT: OptprobeOptions = { optprobes: false, detourTasksWait: false };

/** Where a jump leads. */
export interface Detour {
  readonly memory: KObject;
  /** The copies of the region's instructions in it: where a trap goes on (KP-41.1). */
  readonly copy: Address;
}

/** `struct optimized_kprobe`: what an aggregate has beside, if one jump can stand for its instructions. */
export interface OptimizedKprobe {
  /** Undefined once the text that it leads back to is gone (KP-28). */
  readonly detour: Cell<Detour | undefined>;
  /** The halfwords of the region, as they are without a probe. */
  readonly region: readonly number[];
}

/** `optimizing_work`: it is queued, but not due; due, but not begun. */
type OptimizerWork = 'none' | 'delayed' | 'due';

export interface KprobeOptimizer {
  readonly optimizing: Cell<readonly KprobeNode[]>;
  readonly unoptimizing: Cell<readonly KprobeNode[]>;
  /** Their text is as it was; they leave their list, or for good, when the worker runs. */
  readonly freeing: Cell<readonly KprobeNode[]>;
  /** `kprobes_allow_optimization` (KP-63). */
  readonly allowed: Cell<boolean>;
  readonly work: Cell<OptimizerWork>;
  /** How often work was queued: a timer of work that was done early comes too late. */
  kicks: number;
  /** How often the worker is done. */
  readonly runs: Cell<number>;
  readonly optinsns: KprobeInsnCache;
  /** Whose detour lies, or lay last, at an address. */
  readonly byDetour: Map<Address, KprobeNode>;
}

/** Bytes of the place of a detour. */
export const OPTINSN_SLOT_BYTES = 512;
/** Copies to be stepped lie below, detours above. */
export const STEP_SLOT_BYTES: number = SLOT_BYTES_MAX / 2;

export function newKprobeOptimizer(
  machine: Machine,
  mutex: Mutex,
  { detourTasksWait }: OptprobeOptions,
): KprobeOptimizer {
  const { cells } = machine;
  const list = (name: string): Cell<readonly KprobeNode[]> => cells.cell(name, [], mutex);
  const kind = detourTasksWait ? 'synchronize_rcu_tasks' : 'synchronize_rcu';
  return {
    optimizing: list('optimizing_list'),
    unoptimizing: list('unoptimizing_list'),
    freeing: list('freeing_list'),
    allowed: cells.cell('kprobes_allow_optimization', true, mutex),
    work: cells.cell<OptimizerWork>('optimizing_work', 'none'),
    kicks: 0,
    runs: cells.cell('kprobe_optimizer', 0),
    optinsns: newKprobeInsnCache(machine, {
      name: 'kprobe_optinsn_slots',
      kind: 'kprobe_optinsn',
      slotBytes: OPTINSN_SLOT_BYTES,
      base: SLOT_BASE + STEP_SLOT_BYTES,
      bytes: SLOT_BYTES_MAX - STEP_SLOT_BYTES,
      synchronize: (cx) => synchronize(cx, kind), // CC-N2
    }),
    byDetour: new Map(),
  };
}
