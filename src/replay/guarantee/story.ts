// Layer replay. What all judges need to know about a run, gathered once: functions, ops and their
// control calls, callbacks and the hits that they belong to. It hears each event before the judges
// do, so that they find the thing that the event is about in `entered`, `callback` and `control`.
//
// Callbacks nest like a stack within a task and within the interrupts above it; a task can be
// switched out inside one and never come back.
import type { EventOf } from '../schema.ts';
import { type Fprobes, newFprobes } from './fprobes.ts';
import {
  addFunction,
  type FunctionTable,
  newFunctionTable,
  removeFunction,
  type TracedFunction,
} from './functions.ts';
import {
  contextKey,
  type ContextStack,
  enterFunction,
  fetchSite,
  type Frame,
  frameBefore,
  hitBegan,
  leaveFunction,
} from './hit.ts';
import { type KprobeStory, newKprobeStory } from './kprobe-hits.ts';
import type { Listeners } from './listen.ts';
import {
  beginControl,
  type Control,
  endControl,
  isFtraceControl,
  newOps,
  type Ops,
} from './ops.ts';
import { loseChanges } from './selection.ts';
import { newSettings, type Settings, writeBegins, writeEnds, type Writes } from './setting.ts';

/** An ftrace_ops, in the word of workloads and in that of the kernel. */
const STATIC_KIND = 'static_ftrace_ops';
const FTRACE_KINDS: ReadonlySet<string> = new Set(['ftrace', 'ftrace_ops', STATIC_KIND]);
/** Level of tasks. */
const TASK = 0;
/** Bytes of a call. */
const CALL_BYTES = 4;
/** The same of two instructions (FT-12). */
const PAIR_BYTES = 8;

/** A callback of an ftrace_ops that began. */
export interface Callback {
  /** Whose callback function runs. */
  readonly ops: Ops;
  /** What it got. */
  readonly given: Ops;
  readonly begin: EventOf<'cb_begin'>;
  readonly context: Context;
  /** Index of the event at which its hit began; -1 when the run does not tell. */
  readonly hitBegan: number;
  /** The function that was really hit; undefined when the run does not tell. */
  readonly hit: Frame | undefined;
  /** The callback function that was really entered; -1 when the run does not tell. */
  readonly entered: number;
  /** Called by the generic caller, without the list function (FT-24). */
  readonly isDirect: boolean;
  /** The last event at which its task was preempted, or its CPU answered a text sync; -1: none. */
  readonly interrupted: number;
  /** Where it returns to; -1 when the run does not tell. */
  returnsTo: number;
  /** Its task slept voluntarily inside it: a user error that voids FT-30 (FT-34). */
  slept: boolean;
}

/** One level of one task. */
interface Context extends ContextStack {
  /** The callback function entered last, at which event and step, and where it returns to. */
  callbackEntered: number;
  callbackIndex: number;
  callbackStep: number;
  callbackReturnsTo: number;
  /** The last event at which it was switched out. */
  switched: number;
}

export interface Story extends KprobeStory {
  readonly functions: FunctionTable;
  readonly ops: Ops[];
  /** Addresses of their callback functions. */
  readonly callbackFunctions: Set<number>;
  /** Callbacks that have begun and not ended, oldest first. */
  readonly open: Callback[];
  readonly tasks: Map<number, string>;
  readonly contexts: Map<number, Context>;
  /** The last event at which each CPU answered a text sync. */
  readonly answered: Map<number, number>;
  /** Where the call inside the generic caller (FT-13) returns to; -1 while it was not patched. */
  innerReturn: number;
  /** Control calls under way. */
  readonly calls: Control[];
  readonly fprobes: Fprobes;
  readonly settings: Settings;
  readonly writes: Writes;
  /** CPUs on which RCU does not watch (`watching.ts`). */
  readonly unwatched: Set<number>;
  /** Places of trampolines, live or freed: their calls are patched too (CC-S21.5). */
  readonly trampolines: Map<number, number>;
  /** Of the `func_enter` at hand: the function, if it can be hooked. */
  entered: TracedFunction | undefined;
  /** Of the `func_return` or `func_abandon` at hand: the call that is over, if the run tells which. */
  left: Frame | undefined;
  /** Of the `cb_begin` or `cb_end` at hand, if it is an ops that is known. */
  callback: Callback | undefined;
  /** Of the `ctl_begin` or `ctl_end` at hand, if it is a call that is known. */
  control: Control | undefined;
}

export function newStory(): Story {
  return {
    ...newKprobeStory(),
    functions: newFunctionTable(),
    ops: [],
    callbackFunctions: new Set(),
    open: [],
    tasks: new Map(),
    contexts: new Map(),
    answered: new Map(),
    innerReturn: -1,
    calls: [],
    fprobes: newFprobes(),
    settings: newSettings(),
    unwatched: new Set(),
    writes: new Map(),
    trampolines: new Map(),
    entered: undefined,
    left: undefined,
    callback: undefined,
    control: undefined,
  };
}

/** What `story` hears. */
export function storyListeners(story: Story): Listeners {
  return {
    ...thingsListeners(story),
    task_new: (e) => {
      story.tasks.set(e.child, e.name);
    },
    sched_switch: (e) => {
      contextOf(story, { pid: e.prev, cpu: e.cpu, level: TASK }).switched = e.index;
      story.settings.outdated.delete(e.cpu);
      if (e.state === 'sleeping') markSlept(story, e.prev);
    },
    cpu_online: ({ on, which }) => {
      if (on) story.settings.outdated.add(which);
    },
    sync_ack: (e) => {
      story.answered.set(e.cpu, e.index);
    },
    text_write: (e) => {
      if (story.functions.bySite.has(e.ip) || isInTrampoline(story, e.ip)) return;
      story.innerReturn = e.ip + CALL_BYTES;
    },
    text_pair: (e) => {
      if (story.functions.bySite.has(e.ip) || isInTrampoline(story, e.ip)) return;
      story.innerReturn = e.ip + PAIR_BYTES;
    },
    alloc: (e) => {
      if (e.kind.endsWith('trampoline')) story.trampolines.set(e.address, e.address + e.bytes);
    },
    task_wake: (e) => {
      markSlept(story, e.woken);
    },
    func_enter: (e) => {
      functionEntered(story, e);
    },
    func_return: (e) => {
      functionLeft(story, e);
    },
    func_abandon: (e) => {
      functionLeft(story, e);
    },
    site_fetch: (e) => {
      fetchSite(contextOf(story, e), e.ip, e.index);
    },
    cb_begin: (e) => {
      story.callback = FTRACE_KINDS.has(e.kind) ? callbackBegan(story, e) : undefined;
    },
    cb_end: (e) => {
      story.callback = FTRACE_KINDS.has(e.kind) ? callbackEnded(story, e) : undefined;
    },
    ctl_begin: (e) => {
      writeBegins(story.settings, story.writes, e);
      story.control = isFtraceControl(e.op) ? controlBegan(story, e) : undefined;
    },
    ctl_end: (e) => {
      writeEnds(story.settings, story.writes, e);
      story.control = controlEnded(story, e);
    },
  };
}

/** Of functions and ops: that they are there; and that ftrace is not any more. */
function thingsListeners(story: Story): Listeners {
  return {
    symbol: ({ name, address, site, notrace, index }) => {
      addFunction(story.functions, { name, address, site: notrace ? -1 : site, since: index });
      changesAreLost(story, index);
    },
    symbol_gone: ({ address, index }) => {
      removeFunction(story.functions, address);
      changesAreLost(story, index);
    },
    kill: ({ index }) => {
      changesAreLost(story, index);
    },
    object: (e) => {
      if (FTRACE_KINDS.has(e.kind)) objectAppeared(story, e);
    },
    ops_flags: (e) => {
      const ops = opsOf(story, e.object);
      [ops.flags, ops.promisedRegs] = [e.flags, e.regs];
    },
  };
}

/** Calls under way may have come to their end before event `index`, or to nothing. */
function changesAreLost({ calls }: Story, index: number): void {
  for (const call of calls) {
    call.overtaken = true;
    if (call.history !== undefined) loseChanges(call.history, index);
  }
}

function isInTrampoline({ trampolines }: Story, ip: number): boolean {
  for (const [from, to] of trampolines) if (ip >= from && ip < to) return true;
  return false;
}

/** The context that `event` happened in. */
export function contextOf(
  story: Story,
  event: { readonly pid: number; readonly cpu: number; readonly level: number },
): Context {
  const key = contextKey(event.pid, event.cpu, event.level);
  const known = story.contexts.get(key);
  if (known !== undefined) return known;
  const made: Context = {
    top: undefined,
    callbackEntered: -1,
    callbackIndex: -1,
    callbackStep: -1,
    callbackReturnsTo: -1,
    switched: -1,
  };
  story.contexts.set(key, made);
  return made;
}

function opsOf(story: Story, object: number): Ops {
  for (const ops of story.ops) if (ops.object === object) return ops;
  const made = newOps(object);
  story.ops.push(made);
  return made;
}

function objectAppeared(story: Story, e: EventOf<'object'>): void {
  const ops = opsOf(story, e.object);
  ops.name = e.name;
  ops.callback = e.callback;
  ops.isStatic = e.kind === STATIC_KIND;
  story.callbackFunctions.add(e.callback);
}

function functionEntered(story: Story, e: EventOf<'func_enter'>): void {
  const entered = story.functions.byAddress.get(e.func);
  story.entered = entered?.site === -1 ? undefined : entered;
  if (story.entered !== undefined) {
    enterFunction(contextOf(story, e), story.entered.site, e);
  }
  // What has no symbol is a part of the kernel, which is nobody's callback: that is for judges to see.
  if (entered === undefined || story.callbackFunctions.has(e.func))
    callbackFunctionEntered(story, e);
}

function functionLeft(story: Story, e: EventOf<'func_return' | 'func_abandon'>): void {
  const left = story.functions.byAddress.get(e.func);
  const isTraceable = left !== undefined && left.site !== -1;
  story.left = isTraceable ? leaveFunction(contextOf(story, e), left.site) : undefined;
}

/** A callback function's entry and its `cb_begin` belong to one step; either may be told first. */
function callbackFunctionEntered(story: Story, e: EventOf<'func_enter'>): void {
  const context = contextOf(story, e);
  const top = story.open.findLast((callback) => callback.context === context);
  if (top?.returnsTo === -1 && top.ops.callback === e.func && top.begin.step === e.step) {
    top.returnsTo = e.ra;
    return;
  }
  context.callbackEntered = e.func;
  context.callbackIndex = e.index;
  context.callbackStep = e.step;
  context.callbackReturnsTo = e.ra;
}

function callbackBegan(story: Story, e: EventOf<'cb_begin'>): Callback {
  const context = contextOf(story, e);
  const given = opsOf(story, e.object);
  const told = context.callbackStep === e.step;
  const entered = told ? context.callbackEntered : -1;
  const ops = entered === -1 || entered === given.callback ? given : ownerOf(story, entered, given);
  const returnsTo = entered === ops.callback ? context.callbackReturnsTo : -1;
  const callback: Callback = {
    ops,
    given,
    begin: e,
    context,
    hitBegan: hitBegan(context, e.ip),
    hit: frameBefore(context, entered === -1 ? e.index : context.callbackIndex),
    entered,
    isDirect: returnsTo !== -1 && returnsTo === story.innerReturn,
    interrupted: lastInterruption(story, e),
    returnsTo,
    slept: false,
  };
  context.callbackEntered = -1;
  ops.ran.add(e.generation);
  story.open.push(callback);
  return callback;
}

/** The ops whose callback function this is, if there is one. */
function ownerOf(story: Story, func: number, otherwise: Ops): Ops {
  return story.ops.find(({ callback }) => callback === func) ?? otherwise;
}

function lastInterruption(story: Story, { cpu, pid }: EventOf<'cb_begin'>): number {
  const task = story.contexts.get(contextKey(pid, cpu, TASK));
  return Math.max(story.answered.get(cpu) ?? -1, task?.switched ?? -1);
}

/**
 * Who is called without the list function is whoever was the only ops when the call was made: a hit that was
 * interrupted or preempted on its way there belongs to an older time, and no filter decides about it (CC-N1).
 */
export function isStray({ hitBegan: began, interrupted, isDirect, ops }: Callback): boolean {
  // The pid check may be the one that is called so, and it calls back whomever it got (FT-18).
  const isChecked = ops.isStatic && ops.mayBeChecked;
  return (isDirect || isChecked) && interrupted > began;
}

function callbackEnded(story: Story, e: EventOf<'cb_end'>): Callback | undefined {
  const context = contextOf(story, e);
  const place = story.open.findLastIndex(
    (callback) => callback.context === context && callback.given.object === e.object,
  );
  return place === -1 ? undefined : story.open.splice(place, 1)[0];
}

function controlBegan(story: Story, e: EventOf<'ctl_begin'>): Control {
  const control = beginControl(story.functions, opsOf(story, e.object), e);
  story.calls.push(control);
  return control;
}

/** The innermost call of this kind that the task has under way returns. */
function controlEnded(story: Story, e: EventOf<'ctl_end'>): Control | undefined {
  const place = story.calls.findLastIndex(
    ({ op, ops, begin }) =>
      op === e.op && ops.object === e.object && begin.pid === e.pid && begin.level === e.level,
  );
  const control = place === -1 ? undefined : story.calls.splice(place, 1)[0];
  if (control !== undefined) endControl(control, e);
  return control;
}

function markSlept(story: Story, pid: number): void {
  for (const callback of story.open) if (callback.begin.pid === pid) callback.slept = true;
}
