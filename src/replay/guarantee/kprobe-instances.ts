// Layer replay. Instances of kretprobes, by a judge's own account (KR-3, KR-14): how many may be in use at most. They are
// taken by calls under way; or in the hands of a hit on another CPU, of a return that is not over yet, or of a task that died.
import type { EventOf } from '../schema.ts';
import type { Listeners } from './listen.ts';

export interface Instances {
  /** Returns that are taken, and those that a task took along when it died, by object and generation. */
  readonly taken: Map<string, number>;
  /** CPUs on which a kprobe is said to run. */
  readonly running: Set<number>;
  /** What each CPU gave back since it was last preemptible. */
  readonly given: Map<number, string[]>;
  /** Of calls without an instance, the one with the fewest in use, by object and generation. */
  readonly fewest: Map<string, Shortage>;
}

/** A call that found no instance, and how many were in use at most. */
interface Shortage {
  readonly skip: EventOf<'skip'>;
  readonly busy: number;
}

export function newInstances(): Instances {
  return { taken: new Map(), running: new Set(), given: new Map(), fewest: new Map() };
}

export function instanceListeners({ given, running, taken }: Instances): Listeners {
  return {
    hook: (e) => {
      taken.set(lifeOf(e), (taken.get(lifeOf(e)) ?? 0) + 1);
    },
    unhook: (e) => {
      if (e.why !== 'return') return;
      taken.set(lifeOf(e), (taken.get(lifeOf(e)) ?? 1) - 1);
      const own = given.get(e.cpu);
      if (own === undefined) given.set(e.cpu, [lifeOf(e)]);
      else own.push(lifeOf(e));
    },
    region_close: ({ cpu }) => given.delete(cpu),
    current_kprobe: ({ cpu, status }) => {
      if (status === 0) running.delete(cpu);
      else running.add(cpu);
    },
  };
}

interface Life {
  readonly object: number;
  readonly generation: number;
}

export function lifeOf({ generation, object }: Life): string {
  return `${object}.${generation}`;
}

/** A call finds no instance: may all be in use? A pool has one at least. */
export function noneFree(
  { fewest, given, running, taken }: Instances,
  skip: EventOf<'skip'>,
): boolean {
  const life = lifeOf(skip);
  let busy = taken.get(life) ?? 0;
  for (const cpu of running) if (cpu !== skip.cpu) busy++;
  for (const lives of given.values()) busy += lives.filter((one) => one === life).length;
  const before = fewest.get(life);
  if (before === undefined || busy < before.busy) fewest.set(life, { skip, busy });
  return busy > 0;
}
