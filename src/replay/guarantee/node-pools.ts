// Layer replay. Nodes of rethook pools, by the judge's own account (FP-22, FP-30.4): those that returns are taken with,
// those that a hit under way may have in its hands, and those that are just being given back. What is left over is in the
// pool for certain, so a hit that finds none is a fault.
//
// Left alone: a pool that somebody wants to stop, or has tried to (FP-44).
import type { EventOf } from '../schema.ts';
import { type Fprobe, fprobeOf } from './fprobes.ts';
import { contextKey, type Frame, innermost } from './hit.ts';
import type { Listeners } from './listen.ts';
import { allOpenHits, type OpenHits } from './open-hits.ts';
import { contextOf } from './story.ts';

export interface NodePools {
  readonly hits: OpenHits;
  /** Returns that are taken, of each registration. */
  readonly taken: Map<number, number>;
  /** By flow: the registration whose node is on its way back. */
  readonly returning: Map<number, number>;
  /** Fprobes that have taken the return of a call, or have said why not. */
  readonly settled: WeakMap<Frame, Set<number>>;
  /** Registrations that a call wanted to end. */
  readonly stopped: Set<number>;
  cpus: number;
}

const GENERATIONS_MAX = 0x100000;
const REJECTED = 'rejected';

export function newNodePools(hits: OpenHits): NodePools {
  return {
    hits,
    taken: new Map(),
    returning: new Map(),
    settled: new WeakMap(),
    stopped: new Set(),
    cpus: 1,
  };
}

export function nodePoolListeners(pools: NodePools): Listeners {
  const { hits, returning, stopped, taken } = pools;
  const { fprobes } = hits.story;
  const isBack = (e: Place): void => void returning.delete(keyOf(e));
  return {
    task_new: (e) => {
      pools.cpus = Math.max(pools.cpus, e.on_cpu + 1);
    },
    ctl_begin: (e) => {
      if (!e.op.startsWith('unregister_fprobe')) return;
      stopped.add(lifeOf({ object: e.object, generation: fprobeOf(fprobes, e.object).generation }));
    },
    hook: (e) => {
      isBack(e);
      taken.set(lifeOf(e), (taken.get(lifeOf(e)) ?? 0) + 1);
      settle(pools, e);
    },
    skip: (e) => {
      // The node of a call that was refused goes back behind this.
      if (e.reason !== REJECTED) settle(pools, e);
    },
    unhook: (e) => {
      taken.set(lifeOf(e), (taken.get(lifeOf(e)) ?? 1) - 1);
      returning.set(keyOf(e), lifeOf(e));
    },
    func_enter: isBack,
    func_return: isBack,
    func_abandon: isBack,
    irq_exit: isBack,
  };
}

interface Place {
  readonly pid: number;
  readonly cpu: number;
  readonly level: number;
}

function keyOf({ cpu, level, pid }: Place): number {
  return contextKey(pid, cpu, level);
}

function lifeOf(life: { readonly object: number; readonly generation: number }): number {
  return life.object * GENERATIONS_MAX + life.generation;
}

function settle({ hits, settled }: NodePools, e: EventOf<'hook' | 'skip'>): void {
  const frame = innermost(contextOf(hits.story, e), e.ip);
  if (frame === undefined) return;
  const whose = settled.get(frame) ?? new Set();
  settled.set(frame, whose.add(e.object));
}

/** Is there a node for certain, for the hit of `own` that says that there was none? */
export function areNodesLeft(
  pools: NodePools,
  e: EventOf<'skip'>,
  fprobe: Fprobe,
  own: Frame | undefined,
): boolean {
  const size = poolSize(pools, fprobe);
  if (size === undefined || fprobe.generation !== e.generation) return false;
  if (pools.stopped.has(lifeOf(e))) return false;
  const { hits, returning, settled, taken } = pools;
  let busy = taken.get(lifeOf(e)) ?? 0;
  for (const life of returning.values()) if (life === lifeOf(e)) busy++;
  for (const frame of allOpenHits(hits)) {
    const isIts = fprobe.sites?.has(frame.site) !== false && frame !== own;
    if (isIts && settled.get(frame)?.has(fprobe.object) !== true) busy++;
  }
  return busy < size;
}

/** FP-22: what was asked for, or two for each function and CPU; undefined: not known. */
function poolSize({ cpus }: NodePools, { counted, told }: Fprobe): number | undefined {
  const asked = told?.maxactive ?? 0;
  if (asked !== 0) return asked;
  return counted === undefined ? undefined : 2 * cpus * counted;
}

/** Returns are taken with more nodes than were asked for: how many; undefined: they are not. */
export function nodesTooMany({ taken }: NodePools, fprobe: Fprobe): number | undefined {
  const { generation, object, told } = fprobe;
  if (told?.hook !== 'rethook') return undefined;
  const asked = told.maxactive;
  const count = taken.get(lifeOf({ object, generation })) ?? 0;
  return generation !== 0 && asked !== 0 && count > asked ? count : undefined;
}
