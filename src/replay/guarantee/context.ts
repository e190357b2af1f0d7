// Layer replay. Guarantee `context`: the context in which a callback runs (FT-22, FT-53, FT-56, CC-M2, CC-M4).
//
// Broken by a recursion lock in a task that gets its lock while the CPU can be preempted, or keeps it when the
// CPU can be preempted again: the list function holds one around its callbacks, others take one by trylock.
// By a callback that ends on another CPU than it began on, in another context, or after the interrupt in which it
// ran; and by interrupts that are on at its end and were off at its beginning, or the reverse, although it did
// not ask for that. By a callback of an ops with RECURSION in a task that can be preempted there; and by one of an ops
// with RCU where RCU does not watch (FT-55); and by a call_rcu there (H-36). Handlers of fprobes: context-fprobe.ts.
//
// Exercised, for each time: a recursion lock is taken where only it keeps preemption off (part `locks`), a callback that
// ran in an interrupt ends there (`interrupts`), or a function is entered where RCU does not watch and an ops with RCU
// has it hooked (`unwatched`).
import type { EventOf } from '../schema.ts';
import {
  handlerBegan,
  handlerEnded,
  type HandlerFindings,
  handlerParts,
  newHandlerFindings,
  type Surroundings,
} from './context-fprobe.ts';
import { contextKey } from './hit.ts';
import {
  broken,
  type Broken,
  earlier,
  type Guarantee,
  heldInParts,
  type Verdict,
} from './judge.ts';
import type { Listeners } from './listen.ts';
import { FLAG_RCU, FLAG_RECURSION, isRegistered } from './ops.ts';
import { selects, spares } from './selection.ts';
import type { Callback, Story } from './story.ts';
import { theCallback, where } from './wording.ts';

/** What is known about one CPU. */
interface Cpu {
  /** The event that opened its region; undefined while it can be preempted (CC-M3). */
  region: EventOf<'region_open'> | undefined;
  irqsOn: boolean;
  /** The step in which it last left a task that was over. */
  buried: number;
  /** Interrupts and traps that are open, outermost first. */
  readonly open: Interrupt[];
}

interface Interrupt {
  /** Were interrupts on below it? */
  readonly irqsBelow: boolean;
  /** The event that opened it. */
  readonly since: number;
}

/** Interrupts were turned on or off, and what they were before. */
interface Turn {
  readonly event: EventOf<'irqs'>;
  readonly wereOn: boolean;
}

interface Findings {
  readonly story: Story;
  first: Broken | undefined;
  /** Locks that alone kept preemption off, callbacks in interrupts, and entries where callbacks need RCU in vain. */
  locks: number;
  interrupts: number;
  unwatched: number;
  callbacks: number;
  /** By number. */
  readonly cpus: (Cpu | undefined)[];
  /** Recursion locks held, innermost last, by task and level. */
  readonly held: Map<number, EventOf<'recursion_lock'>[]>;
  /** In order; most callbacks have none behind them. */
  readonly turns: Turn[];
  /** The last event that took each task to another CPU, by pid. */
  readonly migrated: Map<number, EventOf<'task_migrate'>>;
}

const TASK = 0;
const SOFTIRQ = 1;

export const context: Guarantee = {
  name: 'context',
  sentence:
    'From a recursion trylock that succeeded to its unlock preemption is off, and so it is around ' +
    'callbacks that the list function calls or whose ops has RECURSION; a callback ends on the CPU, in ' +
    'the interrupt and with the interrupt state in which it began; one whose ops has RCU runs only ' +
    'where RCU watches, and nobody calls call_rcu elsewhere. Handlers of an fprobe run with preemption off, and with interrupts as they were.',
  document: 'Using ftrace to hook to functions',
  section: 'Protect your callback',
  rules: ['FT-22', 'FT-53', 'FT-55', 'FP-11', 'CC-G23'],
  start(story) {
    const found = newFindings(story);
    const ofFprobes = newHandlerFindings(story);
    const { fprobes } = story;
    return {
      on: {
        region_open: (e) => {
          cpuOf(found, e.cpu).region = e;
        },
        region_close: (e) => {
          regionClosed(found, e);
        },
        task_migrate: (e) => found.migrated.set(e.moved, e),
        recursion_lock: (e) => {
          locked(found, e);
        },
        recursion_unlock: (e) => {
          found.held.get(keyOf(e))?.pop();
        },
        irqs: (e) => {
          const cpu = cpuOf(found, e.cpu);
          found.turns.push({ event: e, wereOn: cpu.irqsOn });
          cpu.irqsOn = e.on;
        },
        ...interruptListeners(found),
        sched_switch: (e) => {
          if (e.state === 'dead') cpuOf(found, e.cpu).buried = e.step;
        },
        call_rcu: (e) => {
          rcuCalled(found, e);
        },
        func_enter: (e) => {
          if (story.entered !== undefined) functionEntered(found, story.entered.site, e);
        },
        cb_begin: (e) => {
          found.callbacks++;
          if (story.callback !== undefined) callbackBegan(found, story.callback, e);
          const { handler } = fprobes;
          if (handler !== undefined) handlerBegan(ofFprobes, handler, around(found, e));
        },
        cb_end: (e) => {
          if (story.callback !== undefined) callbackEnded(found, story.callback, e);
          const { handler } = fprobes;
          if (handler !== undefined)
            handlerEnded(ofFprobes, handler, { end: e, around: around(found, e) });
        },
      },
      end: () => verdict(found, ofFprobes),
    };
  },
};

function newFindings(story: Story): Findings {
  return {
    story,
    first: undefined,
    locks: 0,
    interrupts: 0,
    unwatched: 0,
    callbacks: 0,
    cpus: [],
    held: new Map(),
    turns: [],
    migrated: new Map(),
  };
}

function cpuOf({ cpus }: Findings, number: number): Cpu {
  return (cpus[number] ??= { region: undefined, irqsOn: true, buried: -1, open: [] });
}

function keyOf({
  pid,
  cpu,
  level,
}: EventOf<'recursion_lock'> | EventOf<'recursion_unlock'>): number {
  return contextKey(pid, cpu, level);
}

function locked(found: Findings, e: EventOf<'recursion_lock'>): void {
  const key = keyOf(e);
  const others = found.held.get(key);
  if (others === undefined) found.held.set(key, [e]);
  else others.push(e);
  const { region } = cpuOf(found, e.cpu);
  if (region === undefined) {
    report(found, e.index, `${theLock(found, e)} left preemption on`, []);
    return;
  }
  // Opened by the step that took the lock: nothing else keeps preemption off.
  if (region.step === e.step && e.level === TASK) found.locks++;
}

function regionClosed(found: Findings, e: EventOf<'region_close'>): void {
  cpuOf(found, e.cpu).region = undefined;
  const lock = found.held.get(contextKey(e.pid, e.cpu, TASK))?.at(-1);
  if (lock === undefined) return;
  const what = `preemption came on (${where(found.story, e)}) under ${theLock(found, lock)}`;
  report(found, e.index, what, [lock.index]);
}

function functionEntered(found: Findings, site: number, { cpu }: EventOf<'func_enter'>): void {
  if (!found.story.unwatched.has(cpu)) return;
  const isKept = found.story.ops.some(
    (ops) =>
      (ops.flags & FLAG_RCU) !== 0 &&
      isRegistered(ops) &&
      ops.filter.now.every((hash) => selects(hash, site)) &&
      ops.notrace.now.every((hash) => spares(hash, site)),
  );
  if (isKept) found.unwatched++;
}

function callbackBegan(found: Findings, callback: Callback, e: EventOf<'cb_begin'>): void {
  const { given } = callback;
  if ((given.flags & (FLAG_RECURSION | FLAG_RCU)) === 0) return;
  const { region } = cpuOf(found, e.cpu);
  const began = (): string =>
    `${theCallback(found.story, callback)} began (${where(found.story, e)})`;
  if ((given.flags & FLAG_RCU) !== 0 && found.story.unwatched.has(e.cpu))
    report(found, e.index, `${began()} where RCU was not watching`, [callback.hitBegan]);
  if ((given.flags & FLAG_RECURSION) !== 0 && e.level === TASK && region === undefined)
    report(found, e.index, `${began()} with preemption on`, [callback.hitBegan]);
}

function interruptListeners(found: Findings): Listeners {
  const opens = (e: EventOf<'irq_enter'> | EventOf<'trap_enter'>): void => {
    interrupted(found, e);
  };
  const closes = (e: EventOf<'irq_exit'> | EventOf<'trap_exit'>): void => {
    interruptEnded(found, e);
  };
  return { irq_enter: opens, trap_enter: opens, irq_exit: closes, trap_exit: closes };
}

/**
 * What is queued there is nobody's grace period (CC-M13). A switch from a task that is over to a program in user mode is
 * one step: what the kernel still does for the former (CC-H18) is told behind the latter's mode.
 */
function rcuCalled(found: Findings, e: EventOf<'call_rcu'>): void {
  if (!found.story.unwatched.has(e.cpu) || cpuOf(found, e.cpu).buried === e.step) return;
  const what = `call_rcu was called (${where(found.story, e)}) where RCU was not watching`;
  report(found, e.index, what, []);
}

function interrupted(found: Findings, e: EventOf<'irq_enter'> | EventOf<'trap_enter'>): void {
  const cpu = cpuOf(found, e.cpu);
  cpu.open.push({ irqsBelow: cpu.irqsOn, since: e.index });
  if (e.level !== SOFTIRQ) cpu.irqsOn = false;
}

function interruptEnded(found: Findings, e: EventOf<'irq_exit'> | EventOf<'trap_exit'>): void {
  const cpu = cpuOf(found, e.cpu);
  const { irqsBelow, since } = cpu.open.pop() ?? { irqsBelow: true, since: -1 };
  cpu.irqsOn = irqsBelow;
  const key = contextKey(e.pid, e.cpu, e.level);
  // The next interrupt of this level is another context; a trap may be in another one, which goes on (KP-43).
  const below = found.held.get(key)?.filter(({ index }) => index < since);
  if (below !== undefined) found.held.set(key, below);
  const left = found.story.open.find(
    ({ begin: { cpu: on, index, level, pid } }) =>
      contextKey(pid, on, level) === key && on === e.cpu && index > since,
  );
  if (left === undefined) return;
  const { story } = found;
  const what = `${theCallback(story, left)} had not ended when its interrupt did (${where(story, e)})`;
  report(found, e.index, what, [left.begin.index]);
}

function callbackEnded(found: Findings, callback: Callback, e: EventOf<'cb_end'>): void {
  const { begin } = callback;
  if (begin.level > TASK) found.interrupts++;
  if (e.cpu !== cpuSince(found, begin)) {
    const ended = theEnd(found, callback, e);
    report(found, e.index, `${ended} on another CPU than CPU ${begin.cpu}`, [begin.index]);
    return;
  }
  if (found.turns.length > 0) checkInterrupts(found, callback, e);
}

/** Where what began there must end: a task whose CPU was taken down meanwhile goes on elsewhere. */
function cpuSince({ migrated }: Findings, begin: EventOf<'cb_begin'>): number {
  const last = begin.level === TASK ? migrated.get(begin.pid) : undefined;
  return last !== undefined && last.index > begin.index ? last.to : begin.cpu;
}

function checkInterrupts(found: Findings, callback: Callback, e: EventOf<'cb_end'>): void {
  const { begin } = callback;
  const first = turnedSince(found, begin.index, e);
  if (first === undefined) return;
  const state = `with interrupts ${cpuOf(found, e.cpu).irqsOn ? 'on' : 'off'}, unlike it began`;
  report(found, e.index, `${theEnd(found, callback, e)} ${state}`, [begin.index, first.index]);
}

/**
 * Where interrupts were first turned since event `index`, if they are not at `e` what they were there, and nobody asked.
 * Between the two, interrupts above come and go without a trace: what counts is turned in the context itself.
 */
function turnedSince(
  found: Findings,
  index: number,
  e: EventOf<'cb_begin' | 'cb_end'>,
): EventOf<'irqs'> | undefined {
  const since = found.turns.findLastIndex(({ event }) => event.index < index) + 1;
  if (since === found.turns.length) return undefined;
  const within = found.turns
    .slice(since)
    .filter(
      ({ event: { cpu, level, pid } }) => cpu === e.cpu && level === e.level && pid === e.pid,
    );
  const [first] = within;
  const isSame = first === undefined || first.wereOn === cpuOf(found, e.cpu).irqsOn;
  return isSame || within.some(isAsked) ? undefined : first.event;
}

function around(found: Findings, e: EventOf<'cb_begin' | 'cb_end'>): Surroundings {
  return {
    preemptible: cpuOf(found, e.cpu).region === undefined,
    lock: found.held.get(contextKey(e.pid, e.cpu, e.level))?.at(-1),
    turnedSince: (index) => turnedSince(found, index, e),
  };
}

function isAsked({ event }: Turn): boolean {
  return event.asked;
}

/** `the callback of ops0 for vfs_read ended (step 30, CPU 1, task reader)`. */
function theEnd({ story }: Findings, callback: Callback, e: EventOf<'cb_end'>): string {
  return `${theCallback(story, callback)} ended (${where(story, e)})`;
}

/** `the recursion lock of bit 8 (step 10, CPU 0, task reader)`. */
function theLock({ story }: Findings, e: EventOf<'recursion_lock'>): string {
  return `the recursion lock of bit ${e.bit} (${where(story, e)})`;
}

function report(found: Findings, at: number, why: string, shows: readonly number[]): void {
  found.first ??= broken(at, why, shows);
}

function verdict(found: Findings, ofFprobes: HandlerFindings): Verdict {
  const first = earlier(found.first, ofFprobes.first);
  if (first !== undefined) return first;
  const { locks, interrupts, unwatched, callbacks } = found;
  const why =
    callbacks === 0
      ? 'No callback ran.'
      : 'No recursion lock was what kept preemption off, no callback ran in an interrupt, and no ' +
        'function that an ops with RCU has hooked was entered where RCU does not watch.';
  return heldInParts({ locks, interrupts, unwatched, ...handlerParts(ofFprobes) }, why);
}
