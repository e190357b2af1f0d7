// Layer replay. Guarantee `quiescence`: when everything is unregistered, nothing is left behind (CC-O11, CC-G16).
//
// Asked once, at the end of a run that ended regularly and in which every ops was unregistered again. Broken by a
// call site that is no nop; by a trampoline that lives, or a filter hash that no ops has reason to keep; by ops on
// the list, started, or served by a record; by a recursion bit that is set; by a CPU that is not preemptible, and
// by a lock of ftrace, a grace period, a text sync or a callback that is not over. An ops keeps its filters when it
// is unregistered (F02 of FT-49), so it keeps their hashes until it is told to free them (FT-47). Broken also by an
// IPMODIFY claim that is left, or that a call on another ops took away: then it was not there for its owner to give
// back (CC-G15). A module's call sites go as they are, with their module. What guest code locks itself
// is its own affair; and when it jumps out of a callback, or ends its task there, it takes what the callback's caller
// held with it. Of fprobes: broken by entries that are left in the tables, nodes that are not back in their pool, and
// returns that are still taken; and, while others go on, by memory of one that is gone (quiescence-fprobe.ts), and by a
// call site that is hooked for nobody, when it is hit (quiescence-sites.ts). One that nobody hits again does no harm until
// all are gone, and then it is no nop.
//
// Exercised, for each registration that was ended in such a run.
import type { EventOf } from '../schema.ts';
import { nameOfSite } from './functions.ts';
import { broken, type Broken, type Guarantee, type Verdict } from './judge.ts';
import { together } from './listen.ts';
import {
  type FprobeMemory,
  leakOf,
  leftOfFprobes,
  type Left,
  memoryListeners,
  newFprobeMemory,
} from './quiescence-fprobe.ts';
import { unwantedCall } from './quiescence-sites.ts';
import type { HashHistory } from './selection.ts';
import type { Story } from './story.ts';
import { theCallback, where } from './wording.ts';

/** A kind of thing that begins and ends, by what tells them apart. */
type Open<E> = Map<string | number, E>;

interface Findings {
  readonly story: Story;
  readonly memory: FprobeMemory;
  /** Of the kernel's own kinds, by object and generation. */
  readonly trampolines: Open<EventOf<'alloc'>>;
  readonly hashes: Open<EventOf<'alloc'>>;
  /** Objects whose filters were freed: their last operation. */
  readonly freed: Set<number>;
  /** Halfwords of call sites that are not those of a nop: twice the site, and 1 more for the second. */
  readonly patched: Open<EventOf<'text_write'> | EventOf<'text_pair'>>;
  readonly locks: Open<EventOf<'lock'>>;
  /** By site. */
  readonly claims: Open<EventOf<'ipmodify'>>;
  /** The first claim that was released by a call on another ops. */
  stolen: EventOf<'ipmodify'> | undefined;
  readonly waits: Open<EventOf<'wait_begin'>>;
  readonly syncs: Open<EventOf<'sync_send'>>;
  readonly deferred: Open<EventOf<'call_rcu'>>;
  /** By CPU. */
  readonly regions: (EventOf<'region_open'> | undefined)[];
  /** The first callback function that was left without a return. */
  abandoned: EventOf<'func_abandon'> | undefined;
  readonly cpus: EventOf<'cpu_state'>[];
  readonly words: EventOf<'trace_recursion'>[];
  /** Hashes that a shared hook may have kept: no memory was left to take sites out of them. */
  keptForWant: number;
  /** The first call of a site that nobody wants. */
  unwanted: Broken | undefined;
  state: EventOf<'ftrace_state'> | undefined;
  end: EventOf<'run_end'> | undefined;
}

/** The halfwords of `addi x0, x0, 0`. */
const NOP_HALVES: readonly number[] = [0x13, 0];
const NOP = 0x13;
const OWN_LOCKS = /^(?:direct_mutex|ftrace_lock|text_mutex|regex_lock\/.*)$/u;

export const quiescence: Guarantee = {
  name: 'quiescence',
  sentence:
    'When every probe is unregistered, nothing is left: all call sites are nops, no trampoline and no ' +
    'hash is leaked, nobody is listed or counted, no claim is left or was taken from another, no ' +
    'recursion bit is set, nothing is locked.',
  document: 'Using ftrace to hook to functions',
  section: 'The ftrace_ops structure',
  rules: ['FT-2', 'FT-4', 'FT-29', 'FT-45', 'CC-S5', 'CC-G15', 'CC-G16', 'CC-O11'],
  start(story) {
    const found = nothingFound(story);
    const own = [ownListeners(found), stateListeners(found)];
    const on = together([memoryListeners(found.memory), ...own]);
    return { on, end: () => verdict(found) };
  },
};

function nothingFound(story: Story): Findings {
  return {
    story,
    memory: newFprobeMemory(story),
    trampolines: new Map(),
    hashes: new Map(),
    freed: new Set(),
    patched: new Map(),
    locks: new Map(),
    claims: new Map(),
    stolen: undefined,
    waits: new Map(),
    syncs: new Map(),
    deferred: new Map(),
    regions: [],
    abandoned: undefined,
    cpus: [],
    words: [],
    keptForWant: 0,
    unwanted: undefined,
    state: undefined,
    end: undefined,
  };
}

/** What begins and ends during the run. */
function ownListeners(found: Findings): ReturnType<Guarantee['start']>['on'] {
  const { claims, deferred, hashes, locks, patched, regions, syncs, trampolines, waits } = found;
  return {
    alloc: (e) => {
      // One of the kind `kernel_trampoline` is there for ever (FT-31).
      if (e.kind === 'trampoline') trampolines.set(lifeOf(e), e);
      if (e.kind === 'ftrace_hash') hashes.set(lifeOf(e), e);
    },
    alloc_failed: (e) => {
      if (e.kind === 'ftrace_hash' && isFprobeCall(found.story, e)) found.keptForWant++;
    },
    free: (e) => {
      for (const open of [trampolines, hashes]) open.delete(lifeOf(e));
    },
    ctl_end: (e) => {
      if (e.op === 'ftrace_free_filter') found.freed.add(e.object);
    },
    text_write: (e) => {
      if (!found.story.functions.bySite.has(e.ip)) return;
      const half = 2 * e.ip + e.part;
      if (e.value === NOP_HALVES[e.part]) patched.delete(half);
      else patched.set(half, e);
    },
    symbol_gone: ({ site }) => {
      for (const part of [0, 1]) patched.delete(2 * site + part);
      claims.delete(site);
    },
    text_pair: (e) => {
      if (!found.story.functions.bySite.has(e.ip)) return;
      if (e.first === NOP && e.second === NOP) found.patched.delete(2 * e.ip);
      else found.patched.set(2 * e.ip, e);
    },
    lock: (e) => {
      if (OWN_LOCKS.test(e.name)) locks.set(e.name, e);
    },
    unlock: (e) => locks.delete(e.name),
    ipmodify: (e) => {
      if (e.claimed) claims.set(e.ip, e);
      else claims.delete(e.ip);
      if (!e.claimed && !isOwnCall(found.story, e)) found.stolen ??= e;
    },
    wait_begin: (e) => waits.set(e.wait, e),
    wait_end: (e) => waits.delete(e.wait),
    sync_send: (e) => syncs.set(e.sync, e),
    sync_done: (e) => syncs.delete(e.sync),
    site_fetch: (e) => {
      if (found.keptForWant === 0) found.unwanted ??= unwantedCall(found.story, e);
    },
    call_rcu: (e) => deferred.set(e.callback, e),
    rcu_callback: (e) => deferred.delete(e.callback),
    region_open: (e) => {
      regions[e.cpu] = e;
    },
    region_close: (e) => {
      regions[e.cpu] = undefined;
    },
    func_abandon: (e) => {
      if (found.story.callbackFunctions.has(e.func)) found.abandoned ??= e;
    },
  };
}

/** Does the task of `e` have a call on an fprobe under way? */
function isFprobeCall({ fprobes }: Story, { pid }: EventOf<'alloc_failed'>): boolean {
  return fprobes.calls.some(({ begin }) => begin.pid === pid);
}

/** Of an ops that the run does not introduce (`Ops.callback`). */
const NO_CALLBACK = -1;

/** Does the task of `e` have a call on this very ops under way? Those behind kprobes are not called upon by users. */
function isOwnCall({ calls, ops: all }: Story, e: EventOf<'ipmodify'>): boolean {
  if (all.every(({ object, callback }) => object !== e.object || callback === NO_CALLBACK))
    return true;
  return calls.some(({ begin, ops }) => begin.pid === e.pid && ops.object === e.object);
}

/** What the run reports about its end. */
function stateListeners(found: Findings): ReturnType<Guarantee['start']>['on'] {
  return {
    cpu_state: (e) => found.cpus.push(e),
    trace_recursion: (e) => found.words.push(e),
    ftrace_state: (e) => {
      found.state = e;
    },
    run_end: (e) => {
      found.end = e;
    },
  };
}

/** `3.1`: an object and its generation. */
function lifeOf(e: { readonly object: number; readonly generation: number }): string {
  return `${e.object}.${e.generation}`;
}

function verdict(found: Findings): Verdict {
  const { fprobes, ops: all } = found.story;
  const ended = [...all, ...fprobes.all].reduce((sum, one) => sum + one.ended.size, 0);
  const leak = leakAtEnd(found);
  if (leak !== undefined) return leak;
  const missing = whatWasMissing(found, ended);
  if (missing !== undefined) return found.unwanted ?? { status: 'never exercised', why: missing };
  return firstLeft(found) ?? found.unwanted ?? { status: 'held', exercised: ended };
}

/** Of fprobes: others may go on. */
function leakAtEnd({ abandoned, end, memory, state }: Findings): Broken | undefined {
  if (end === undefined || abandoned !== undefined || state?.dead === true) return undefined;
  const leak = leakOf(memory);
  if (leak === undefined) return undefined;
  return broken(end.index, `when the run was over, ${leak.what}`, [leak.index]);
}

function whatWasMissing(found: Findings, ended: number): string | undefined {
  const { abandoned, end, state, story } = found;
  if (end === undefined) return 'The run did not end regularly.';
  if (abandoned !== undefined) return `A callback never returned (${where(story, abandoned)}).`;
  if (state?.dead === true) return 'ftrace was dead: nothing can be unregistered then (FT-11).';
  const registered = [...story.ops, ...story.fprobes.all].find(
    ({ generation, registering, unregistering }) =>
      generation !== 0 || registering > 0 || unregistering > 0,
  );
  if (registered !== undefined) return `${registered.name} was not unregistered.`;
  return ended === 0 ? 'No probe was registered and unregistered again.' : undefined;
}

function firstLeft(found: Findings): Broken | undefined {
  const { end, state } = found;
  const [left] = [
    ...leftOfText(found),
    ...leftOfMemory(found),
    ...leftOfFtrace(found),
    ...leftOfClaims(found),
    ...leftOfFprobes(found.memory),
    ...leftOfTasks(found),
    ...leftOfCpus(found),
    ...leftOfWaits(found),
  ];
  if (left === undefined || end === undefined) return undefined;
  const why = `when all was unregistered and over, ${left.what}`;
  return broken(end.index, why, [left.index, state?.index ?? -1]);
}

/** The first of `open`, put into words. */
function firstOf<E extends { readonly index: number }>(
  open: Open<E>,
  words: (first: E) => string,
): Left[] {
  for (const first of open.values()) return [{ what: words(first), index: first.index }];
  return [];
}

function leftOfText({ patched, story }: Findings): Left[] {
  return firstOf(
    patched,
    (e) => `the call site of ${nameOfSite(story.functions, e.ip)} was no nop (${where(story, e)})`,
  );
}

function leftOfMemory({
  deferred,
  freed,
  hashes,
  keptForWant,
  story,
  trampolines,
}: Findings): Left[] {
  const left = firstOf(
    trampolines,
    (e) => `trampoline ${lifeOf(e)} was not freed (${where(story, e)})`,
  );
  left.push(
    ...firstOf(deferred, (e) => `a deferred free had not run (queued at ${where(story, e)})`),
  );
  const kept = story.ops
    .filter(({ object }) => !freed.has(object))
    .flatMap(({ filter, notrace }) => [filter, notrace]);
  const most = kept.filter(mayBeKept).length + keptForWant;
  const least = kept.filter(isKept).length;
  if (hashes.size > most) {
    const [oldest] = hashes.values();
    const what = `${hashes.size} hashes lived, but the filters of all ops are ${most}`;
    left.push({ what, index: oldest?.index ?? -1 });
  }
  if (hashes.size < least) {
    const what = `${hashes.size} hashes lived, but the filters of all ops are ${least}`;
    left.push({ what, index: -1 });
  }
  return left;
}

/** Nothing is known of a history that was lost. */
function mayBeKept({ lost, now }: HashHistory): boolean {
  return lost || now.some(({ size }) => size > 0);
}

/** Does it have a hash for certain? The empty set is shared by all (FT-37). */
function isKept({ now }: HashHistory): boolean {
  return now.every(({ size }) => size > 0);
}

function leftOfFtrace({ state }: Findings): Left[] {
  if (state === undefined) return [];
  const { index, listed, poke_refs: references, served, started } = state;
  const counts: readonly (readonly [number, string])[] = [
    [listed, `${listed} ops were on the list`],
    [started, `${started} ops counted as started`],
    [served, `${served} sites still served an ops`],
    [references, `the patch descriptor had ${references} references`],
  ];
  return counts.filter(([count]) => count !== 0).map(([, what]) => ({ what, index }));
}

function leftOfClaims({ claims, stolen, story }: Findings): Left[] {
  const words = (e: EventOf<'ipmodify'>): string =>
    `the claim of ops ${e.object} on ${nameOfSite(story.functions, e.ip)}`;
  const left = firstOf(claims, (e) => `${words(e)} was not released (${where(story, e)})`);
  if (stolen === undefined) return left;
  const what = `${words(stolen)} had been released by a call on another ops (${where(story, stolen)})`;
  return [...left, { what, index: stolen.index }];
}

function leftOfTasks({ story, words }: Findings): Left[] {
  const set = words.filter(({ word }) => word !== 0);
  return [
    ...set.map(({ child, index, on_cpu: cpu, word }) => {
      const task = child === 0 ? `the idle task of CPU ${cpu}` : (story.tasks.get(child) ?? child);
      return { what: `recursion bits of ${task} were set: 0x${word.toString(16)}`, index };
    }),
    ...story.open.map((callback) => {
      const what = `${theCallback(story, callback)} had not ended`;
      return { what, index: callback.begin.index };
    }),
  ];
}

function leftOfCpus({ cpus, regions, story }: Findings): Left[] {
  const left = cpus
    .filter((e) => e.preempt_count !== 0 || e.bh_count !== 0 || !e.irqs || e.contexts !== 1)
    .map(({ cpu, index, preempt_count: count }) => {
      return { what: `CPU ${cpu} was not preemptible (preempt_count ${count})`, index };
    });
  const open = regions.find((e) => e !== undefined);
  if (open !== undefined) {
    left.push({ what: `a region was open (since ${where(story, open)})`, index: open.index });
  }
  return left;
}

function leftOfWaits({ locks, story, syncs, waits }: Findings): Left[] {
  return [
    ...firstOf(locks, (e) => `${e.name} was held (since ${where(story, e)})`),
    ...firstOf(waits, (e) => `${e.kind} was not over (since ${where(story, e)})`),
    ...firstOf(syncs, (e) => `a text sync was not over (since ${where(story, e)})`),
  ];
}
