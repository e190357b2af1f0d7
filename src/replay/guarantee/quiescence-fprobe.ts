// Layer replay. Guarantee `quiescence` for fprobes: what a registration has allocated goes with it (CC-G16, CC-S8, CC-S9),
// and the shadow stack of a task with the task (CC-H18). This is asked at the end of any run that ends regularly; when all
// is unregistered, also what is left in tables and pools, and whose returns are still taken.
//
// Broken by a rethook, its nodes, or nodes of the tables that live although the call which made them failed, or the
// registration is over and no call has its return taken for it any more; and by more shadow stacks than tasks.
//
// Left alone: fprobes of rethook that somebody registered a second time (FP-21 lets that take away what lives); handlers
// that never returned; frees that are still put off.
import type { EventOf } from '../schema.ts';
import { type Fprobe, fprobeOf } from './fprobes.ts';
import { nameOfSite } from './functions.ts';
import type { Listeners } from './listen.ts';
import type { Story } from './story.ts';
import { where } from './wording.ts';

interface Owned {
  readonly alloc: EventOf<'alloc'>;
  readonly fprobe: Fprobe;
  /** The call that made it. */
  readonly call: EventOf<'ctl_begin'>;
  end: EventOf<'ctl_end'> | undefined;
}

/** What is left over, and the event that shows it. */
export interface Left {
  readonly what: string;
  readonly index: number;
}

export interface FprobeMemory {
  readonly story: Story;
  /** What lives, by object and generation. */
  readonly owned: Map<string, Owned>;
  readonly stacks: Map<string, EventOf<'alloc'>>;
  /** Returns that are taken, by stack pointer and probe. */
  readonly hooks: Map<string, EventOf<'hook'>>;
  readonly states: EventOf<'fprobe_state'>[];
  readonly misused: Set<Fprobe>;
  /** Calls back that have not run. */
  readonly deferred: Set<number>;
  /** Tasks that are not over, without idle ones. */
  tasks: number;
  cpus: number;
  /** A handler never returned. */
  isAbandoned: boolean;
}

/** Kinds of memory, and what they are called. */
const KINDS: ReadonlyMap<string, string> = new Map([
  ['rethook', 'the rethook'],
  ['rethook_node', 'the nodes of the rethook'],
  ['fprobe_hlist', 'the nodes'],
  ['fprobe_ip_table', 'the place of a node'],
]);
const STACK = 'ret_stack';
const RETHOOK = 'rethook';
const EBUSY = -16;

export function newFprobeMemory(story: Story): FprobeMemory {
  return {
    story,
    owned: new Map(),
    stacks: new Map(),
    hooks: new Map(),
    states: [],
    misused: new Set(),
    deferred: new Set(),
    tasks: 0,
    cpus: 1,
    isAbandoned: false,
  };
}

export function memoryListeners(memory: FprobeMemory): Listeners {
  const { deferred, hooks, owned, stacks, states, story } = memory;
  return {
    alloc: (e) => {
      allocated(memory, e);
    },
    free: (e) => {
      owned.delete(lifeOf(e));
      stacks.delete(lifeOf(e));
    },
    ctl_end: (e) => {
      callEnded(memory, e);
    },
    hook: (e) => void hooks.set(callOf(e), e),
    unhook: (e) => void hooks.delete(callOf(e)),
    fprobe_state: (e) => void states.push(e),
    call_rcu: (e) => void deferred.add(e.callback),
    rcu_callback: (e) => void deferred.delete(e.callback),
    task_new: (e) => {
      memory.tasks++;
      memory.cpus = Math.max(memory.cpus, e.on_cpu + 1);
    },
    task_exit: () => {
      memory.tasks--;
    },
    func_abandon: ({ func }) => {
      const isHandler = story.fprobes.all.some(
        ({ told }) => told?.entry === func || told?.exit === func,
      );
      memory.isAbandoned ||= isHandler;
    },
  };
}

/** An object and its generation. */
function lifeOf(e: { readonly object: number; readonly generation: number }): string {
  return `${e.object}.${e.generation}`;
}

function callOf({ frame, ip, object }: EventOf<'hook' | 'unhook'>): string {
  return `${frame} ${ip} ${object}`;
}

function allocated({ owned, stacks, story }: FprobeMemory, e: EventOf<'alloc'>): void {
  if (e.kind === STACK) stacks.set(lifeOf(e), e);
  if (!KINDS.has(e.kind)) return;
  const call = story.fprobes.calls.findLast(
    ({ begin }) => begin.pid === e.pid && begin.level === e.level,
  );
  if (call === undefined) return;
  owned.set(lifeOf(e), { alloc: e, fprobe: call.fprobe, call: call.begin, end: undefined });
}

function callEnded({ misused, owned, story }: FprobeMemory, e: EventOf<'ctl_end'>): void {
  for (const one of owned.values()) {
    const { call, fprobe } = one;
    const isIts = fprobe.object === e.object && call.op === e.op && call.pid === e.pid;
    if (isIts) one.end ??= e;
  }
  const isTwice = e.op.startsWith('register_fprobe') && e.result === EBUSY;
  if (isTwice) misused.add(fprobeOf(story.fprobes, e.object));
}

/** The first memory that nobody needs any more. */
export function leakOf(memory: FprobeMemory): Left | undefined {
  const { cpus, deferred, isAbandoned, owned, stacks, story, tasks } = memory;
  if (isAbandoned || deferred.size > 0) return undefined;
  for (const { alloc, end, fprobe } of owned.values()) {
    if (end === undefined || !isLeft(memory, { alloc, end, fprobe })) continue;
    const what = `${KINDS.get(alloc.kind)} of ${fprobe.name} ${end.result === 0 ? 'lived on' : 'was kept'}`;
    return { what: `${what} (made at ${where(story, alloc)})`, index: alloc.index };
  }
  if (stacks.size <= tasks + cpus) return undefined;
  const [oldest] = stacks.values();
  const what = `${stacks.size} shadow stacks lived, but there were ${tasks + cpus} tasks`;
  return { what, index: oldest?.index ?? -1 };
}

function isLeft(
  { hooks, misused }: FprobeMemory,
  {
    alloc,
    end,
    fprobe,
  }: {
    readonly alloc: EventOf<'alloc'>;
    readonly end: EventOf<'ctl_end'>;
    readonly fprobe: Fprobe;
  },
): boolean {
  if (end.result !== 0) return true;
  if (misused.has(fprobe) || fprobe.unregistering > 0) return false;
  if (fprobe.generation === end.generation) return false;
  // A pool goes with the last call that has a node of it (FP-42).
  if (!alloc.kind.startsWith(RETHOOK)) return true;
  return ![...hooks.values()].some((hook) => lifeOf(hook) === lifeOf(end));
}

/** Nodes of calls that never return are not back, either. */
export function leftOfFprobes({ hooks, states, story }: FprobeMemory): Left[] {
  const nameOf = (object: number): string => fprobeOf(story.fprobes, object).name;
  const left = states.flatMap(({ entries, free, index, nodes, object }) => [
    ...(entries === 0
      ? []
      : [{ what: `${entries} entries of ${nameOf(object)} were in the tables`, index }]),
    ...(free === nodes
      ? []
      : [{ what: `${free} of ${nodes} nodes of ${nameOf(object)} were in its pool`, index }]),
  ]);
  for (const e of hooks.values()) {
    const site = nameOfSite(story.functions, e.ip);
    const what = `the return of ${site} was still taken for ${nameOf(e.object)}`;
    left.push({ what: `${what} (${where(story, e)})`, index: e.index });
  }
  return left;
}
