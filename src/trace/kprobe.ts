// Layer trace. Probes at an instruction: `struct kprobe` in guest memory with its cells, and the table of those that are
// planted (KP-3): 64 buckets by address, read by hits without a lock and written under `kprobe_mutex`. What a table entry
// is, a probe alone or an aggregate with several (KP-30), is the same to who hits it.
import type { Address } from '../emu/address.ts';
import type { Cell } from '../emu/cell.ts';
import type { Mutex } from '../emu/lock.ts';
import type { KObject } from '../emu/slab.ts';
import type { SavedCall } from './jprobe.ts';
import type { KprobeHook, KprobeHooks } from './kprobe-ftrace.ts';
import type { KprobeOptimizer, OptimizedKprobe } from './kprobe-optimizer-state.ts';
import type { KprobeInsnCache } from './kprobe-slot.ts';
import type { Rethook } from './rethook.ts';

export type KprobeKind = 'kprobe' | 'kretprobe' | 'jprobe';

export interface Kprobe {
  /** Its number in events, among those of all objects. */
  readonly object: number;
  /** A kretprobe and a jprobe begin with their kprobe: one object, one name. */
  readonly kind: KprobeKind;
  readonly name: string;
  /** Its struct in guest memory: what handlers get. */
  readonly address: Address;
  /** What the struct of a guest's probe holds at its mark; a script's has none. */
  readonly mark: number;
  /** The heap object that the struct lies in; undefined elsewhere. */
  readonly memory: KObject | undefined;
  /** Identity of accesses to p->flags and p->nmissed; the value is in the struct. */
  readonly flags: Cell<number>;
  readonly nmissed: Cell<number>;
  /** Counts registrations, from 1; 0 before the first. For events only. */
  readonly generation: Cell<number>;
  /** p->list.next on the list of its node; stays as it is when the probe leaves (CC-S11.4). */
  readonly next: Cell<Kprobe | undefined>;
  /** Where it is planted; undefined: it is not registered. Written under `kprobe_mutex`. */
  readonly node: Cell<KprobeNode | undefined>;
  /** `rp->rh` of a kretprobe; undefined is NULL. */
  readonly rethook: Cell<Rethook | undefined>;
}

/** The instruction that a breakpoint stands for: its halfwords (the second is unused after a 16-bit one), and how it is passed. */
export interface ProbedInsn {
  readonly kind: 'step' | 'simulate';
  readonly bytes: 2 | 4;
  readonly low: number;
  readonly high: number;
}

/** Where a copy of the instruction is executed. */
export interface KprobeSlot {
  readonly memory: KObject;
  readonly address: Address;
  /** Behind the copy is a jump back, not a breakpoint (KP-41.2). */
  readonly isBoosted: boolean;
}

/** What the table has at an address: a probe alone, or an aggregate (CC-S19). */
export interface KprobeNode {
  readonly addr: Address;
  /** The instruction that was there, and how it is stepped. Of an ftrace site: undefined (KP-52). */
  readonly insn: ProbedInsn | undefined;
  /** Its copy out of line; undefined where it is simulated, or on an ftrace site. */
  readonly slot: Cell<KprobeSlot | undefined>;
  readonly isAggregate: boolean;
  /** Of an aggregate for whose instructions one jump can stand (KP-60). */
  readonly optimized?: OptimizedKprobe | undefined;
  /** An aggregate's own memory. */
  readonly memory: KObject | undefined;
  /** KPROBE_FLAG_*: an aggregate's own; of a probe alone, the cell of its struct. */
  readonly flags: Cell<number>;
  /** Of an ftrace site that is armed: in which of the two ftrace_ops (KP-50). */
  readonly armedIn: Cell<KprobeHook | undefined>;
  /** Does somebody here have a post_handler (KP-34)? */
  readonly hasPost: Cell<boolean>;
  /** Its probes, the newest first (KP-31). Of a probe alone: that one. */
  readonly first: Cell<Kprobe | undefined>;
}

/** KP-5. */
export const KPROBE_HIT = { active: 1, ss: 2, reenter: 4, ssdone: 8 } as const;
type KprobeStatus = (typeof KPROBE_HIT)[keyof typeof KPROBE_HIT];

/** `current_kprobe` of a CPU with its `kprobe_ctlblk` (KP-4): one value, as one step writes both (CC-H6.5). */
export interface CurrentKprobe {
  /** What `kprobe_running` answers: the address of the struct that runs, or of the dummy. */
  readonly address: Address;
  /** Undefined: the dummy (KP-46). */
  readonly node: KprobeNode | undefined;
  /** `kprobe_instance`: whose handler an aggregate is calling. */
  readonly instance: Kprobe | undefined;
  readonly status: KprobeStatus;
  /** The call that a jprobe's handler runs in place of. */
  readonly call?: SavedCall | undefined;
  /** IRQs were on where the probe was hit. */
  readonly savedIrqs: boolean;
  /** One level (KP-4): what REENTER has interrupted. */
  readonly previous: CurrentKprobe | undefined;
}

/** Bits of the hash that picks a bucket. */
export const KPROBE_HASH_BITS = 6;

/** The kernel's variables of this subsystem. */
export interface KprobeState {
  /** Outermost: kprobe_mutex, cpus_read_lock, text_mutex (KP-6). */
  readonly mutex: Mutex;
  /** `kprobe_table`: of each bucket its nodes, the newest first. One store replaces an entry (CC-S19.3). */
  readonly table: readonly Cell<readonly KprobeNode[]>[];
  /** `kprobes_all_disarmed` (KP-26). */
  readonly allDisarmed: Cell<boolean>;
  /** By CPU; undefined: no kprobe runs there. */
  readonly current: readonly Cell<CurrentKprobe | undefined>[];
  readonly slots: KprobeInsnCache;
  /** Undefined: no probe becomes a jump (KP-63). */
  readonly optimizer: KprobeOptimizer | undefined;
  /** All structs that the kernel has heard of, by address. */
  readonly byAddress: Map<Address, Kprobe>;
  /** The two ftrace_ops for probes on sites; undefined until one is armed. */
  hooks: KprobeHooks | undefined;
  /** Structs handed out to workloads. */
  placed: number;
}
