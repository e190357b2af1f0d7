// Layer trace. `kprobe_table` (KP-3) and the variables around it: what hits read without a lock and control paths write
// under `kprobe_mutex`. Made when the first probe is, so that a run without kprobes pays nothing.
import { known } from '../assert.ts';
import { type Address, guestValue, SLOT_BASE, SLOT_BYTES_MAX } from '../emu/address.ts';
import type { Cell } from '../emu/cell.ts';
import type { Context } from '../emu/context.ts';
import type { Cpu } from '../emu/cpu.ts';
import { Mutex } from '../emu/lock.ts';
import { type Path, readOnce } from '../emu/path.ts';
import { synchronize } from '../emu/rcu.ts';
import type { Kernel } from './kernel.ts';
import { newKprobeOptimizer, STEP_SLOT_BYTES } from './kprobe-optimizer-state.ts';
import { newKprobeInsnCache } from './kprobe-slot.ts';
import {
  type CurrentKprobe,
  KPROBE_HASH_BITS,
  type Kprobe,
  type KprobeNode,
  type KprobeState,
} from './kprobe.ts';

/** The golden ratio in 64 bits, which the kernel's `hash_64` multiplies by. */
const GOLDEN_RATIO_64 = 0x61c8864680b583ebn;
const WORD_BITS = 64;

/** The state of kprobes, made when somebody first asks. */
export function kprobeState(k: Kernel): KprobeState {
  if (k.kprobes !== undefined) return k.kprobes;
  const { cells, cpus } = k.machine;
  const { optprobes } = k.kprobeOptions;
  const mutex = new Mutex(cells, 'kprobe_mutex');
  const made: KprobeState = {
    mutex,
    table: Array.from({ length: 1 << KPROBE_HASH_BITS }, (_, bucket) =>
      cells.cell<readonly KprobeNode[]>(`kprobe_table/${bucket}`, []),
    ),
    allDisarmed: cells.cell('kprobes_all_disarmed', false),
    current: cpus.map(({ id }) =>
      cells.cell<CurrentKprobe | undefined>(`current_kprobe/${id}`, undefined),
    ),
    slots: newKprobeInsnCache(k.machine, {
      name: 'kprobe_insn_slots',
      base: SLOT_BASE,
      bytes: optprobes ? STEP_SLOT_BYTES : SLOT_BYTES_MAX,
      synchronize: (cx) => synchronize(cx, 'synchronize_rcu'),
    }),
    optimizer: optprobes ? newKprobeOptimizer(k.machine, mutex, k.kprobeOptions) : undefined,
    byAddress: new Map(),
    hooks: undefined,
    placed: 0,
  };
  k.kprobes = made;
  return made;
}

/** `current_kprobe` of `cpu`, with its `kprobe_ctlblk`. */
export function currentKprobe(k: Kernel, { id }: Cpu): Cell<CurrentKprobe | undefined> {
  return known(kprobeState(k).current[id], 'each CPU has its current kprobe');
}

/** `hash_ptr`: the bucket of `addr`. */
export function kprobeBucket(k: Kernel, addr: Address): Cell<readonly KprobeNode[]> {
  const hashed = BigInt.asUintN(WORD_BITS, guestValue(addr) * GOLDEN_RATIO_64);
  const bucket = Number(hashed >> BigInt(WORD_BITS - KPROBE_HASH_BITS));
  return known(kprobeState(k).table[bucket], 'a hash has its bucket');
}

/** `get_kprobe` (CC-H6.2): what is planted at `addr`. Under `kprobe_mutex`, or with preemption or IRQs off. */
export function* getKprobe(cx: Context, k: Kernel, addr: Address): Path<KprobeNode | undefined> {
  const bucket = cx.make(() => kprobeBucket(k, addr));
  const nodes = yield* readOnce(bucket); // CC-H6.2
  return nodes.find((node) => node.addr === addr);
}

/** The probes of `node` as they are now, newest first. For who holds `kprobe_mutex`, and for the end of a run. */
export function probesOf(node: KprobeNode): readonly Kprobe[] {
  const found: Kprobe[] = [];
  for (let p = node.first.value; p !== undefined; p = p.next.value) found.push(p);
  return found;
}
