// Layer replay. What the events before a miss have told: names, calls, hooks that are open, handlers that run, the words
// that calls have on their tasks' shadow stacks. Left out: structs that guest code changes by itself.
import { flowOf, type FlowPlace, OpenFunctions } from '../flow.ts';
import type { Listeners } from '../guarantee/listen.ts';
import type { EventOf } from '../schema.ts';
import { Symbols } from '../symbols.ts';
import { RecursionBits } from './recursion-bits.ts';

/** What of an open function concerns fprobes: whom its call has room for, and since when its return is taken. */
interface Call {
  readonly site: number;
  /** Words of each fprobe that was met, by object. */
  readonly words: Map<number, number>;
  hook: EventOf<'hook'> | undefined;
}

interface BusyCpu {
  readonly since: EventOf<'current_kprobe'>;
  /** Its address. */
  readonly by: number | undefined;
}

export interface MissState {
  readonly names: Map<number, string>;
  readonly tasks: Map<number, string>;
  readonly symbols: Symbols;
  readonly sites: Map<number, EventOf<'symbol'>>;
  readonly functions: OpenFunctions<Call>;
  readonly bits: RecursionBits;
  /** CPUs that RCU does not watch, and since when. */
  readonly unwatched: Map<number, EventOf<'rcu_watching'>>;
  /** Since when a kprobe runs on a CPU, and the function that was open in its context. */
  readonly busy: Map<number, BusyCpu>;
  rules: EventOf<'fprobe_rules'> | undefined;
  /** Structs as they were registered. */
  readonly told: Map<number, EventOf<'fprobe'>>;
  readonly flags: Map<number, EventOf<'ops_flags'>>;
  /** Control calls, oldest first. */
  readonly calls: EventOf<'ctl_begin'>[];
  readonly hooks: EventOf<'hook'>[];
  /** Handlers that run. */
  readonly handlers: EventOf<'cb_begin'>[];
  /** By flow and object. */
  readonly answers: Map<string, EventOf<'entry_result'>>;
  readonly gone: Map<number, EventOf<'symbol_gone'>>;
  /** Bytes of the nodes of each fprobe that was registered last. */
  readonly pools: Map<number, number>;
  /** Entry handlers that run without a node (`missPolicy: exitOnly`), by the event that began them. */
  readonly without: Set<number>;
  cpus: number;
  /** The last time that memory for shadow stacks was refused. */
  refused: EventOf<'alloc_failed'> | undefined;
}

const WORD_BYTES = 8;
const NONE = -1;
const ENTRY = 'fprobe_entry';

export function newMissState(): MissState {
  return {
    names: new Map(),
    tasks: new Map(),
    symbols: new Symbols(),
    sites: new Map(),
    functions: new OpenFunctions(),
    bits: new RecursionBits(),
    unwatched: new Map(),
    busy: new Map(),
    rules: undefined,
    told: new Map(),
    flags: new Map(),
    calls: [],
    hooks: [],
    handlers: [],
    answers: new Map(),
    gone: new Map(),
    pools: new Map(),
    without: new Set(),
    cpus: 1,
    refused: undefined,
  };
}

/** Listeners that keep `state` up to date. */
export function stateListeners(state: MissState): readonly Listeners[] {
  const innermost = (place: FlowPlace): number | undefined =>
    state.functions.of(place).at(-1)?.entered.func;
  return [
    nameListeners(state),
    state.bits.listeners(innermost),
    callListeners(state),
    hitListeners(state),
  ];
}

function nameListeners(state: MissState): Listeners {
  const siteOf = new Map<number, number>();
  return {
    symbol: (e) => {
      state.symbols.see(e);
      state.sites.set(e.site, e);
      siteOf.set(e.address, e.site);
    },
    symbol_gone: (e) => {
      state.gone.set(e.site, e);
    },
    task_new: (e) => {
      state.tasks.set(e.child, e.name);
      state.cpus = Math.max(state.cpus, e.on_cpu + 1);
    },
    object: (e) => {
      state.names.set(e.object, e.name);
    },
    func_enter: (e) => {
      const site = siteOf.get(e.func) ?? NONE;
      state.functions.enter(e, { site, words: new Map(), hook: undefined });
    },
    func_return: (e) => void state.functions.leave(e),
    func_abandon: (e) => void state.functions.leave(e),
  };
}

function callListeners(state: MissState): Listeners {
  /** Which fprobe a flow registers. */
  const registers = new Map<number, number>();
  return {
    fprobe_rules: (e) => {
      state.rules = e;
    },
    fprobe: (e) => {
      state.told.set(e.object, e);
      registers.set(flowOf(e), e.object);
    },
    alloc: (e) => {
      const object = e.kind === 'rethook_node' ? registers.get(flowOf(e)) : undefined;
      if (object !== undefined) state.pools.set(object, e.bytes);
    },
    ops_flags: (e) => void state.flags.set(e.object, e),
    ctl_begin: (e) => void state.calls.push(e),
    alloc_failed: (e) => {
      if (e.kind === 'ret_stack') state.refused = e;
    },
    rcu_watching: (e) => {
      if (e.watching) state.unwatched.delete(e.cpu);
      else state.unwatched.set(e.cpu, e);
    },
    current_kprobe: (e) => {
      const by = state.functions.of(e).at(-1)?.entered.func;
      if (e.kprobe === NONE) state.busy.delete(e.cpu);
      else state.busy.set(e.cpu, { since: e, by });
    },
  };
}

function hitListeners(state: MissState): Listeners {
  /** The site of the last hit that found no node, by flow and object. */
  const bare = new Map<string, number>();
  return {
    cb_begin: (e) => {
      state.handlers.push(e);
      if (e.kind !== ENTRY) return;
      meet(state, e);
      if (bare.get(answerKey(e)) === e.ip) state.without.add(e.index);
      bare.delete(answerKey(e));
    },
    cb_end: (e) => {
      const at = state.handlers.findLastIndex(
        (begin) =>
          begin.object === e.object && begin.kind === e.kind && flowOf(begin) === flowOf(e),
      );
      if (at !== -1) state.handlers.splice(at, 1);
    },
    entry_result: (e) => void state.answers.set(answerKey(e), e),
    skip: (e) => {
      meet(state, e);
      if (e.reason === 'no_node') bare.set(answerKey(e), e.ip);
      else bare.delete(answerKey(e));
    },
    hook: (e) => {
      state.hooks.push(e);
      const call = meet(state, e);
      if (call !== undefined) call.hook ??= e;
    },
    unhook: (e) => {
      const at = state.hooks.findIndex(
        (hook) => hook.object === e.object && hook.frame === e.frame && hook.ip === e.ip,
      );
      if (at !== -1) state.hooks.splice(at, 1);
    },
  };
}

export function answerKey(e: FlowPlace & { readonly object: number }): string {
  return `${flowOf(e)} ${e.object}`;
}

/** The call at `e.ip` has room for the fprobe of `e` (FP-70.3): who is disabled, or refuses, has asked for it as well. */
function meet(
  state: MissState,
  e: FlowPlace & { readonly ip: number; readonly object: number },
): Call | undefined {
  const call = state.functions.of(e).findLast(({ kept }) => kept.site === e.ip)?.kept;
  const words = wordsOf(state, e.object);
  if (words > 0) call?.words.set(e.object, words);
  return call;
}

/** Header and data of one fprobe on a shadow stack; 0 without an exit handler. */
export function wordsOf({ told }: MissState, object: number): number {
  const struct = told.get(object);
  if (struct === undefined || struct.exit === NONE) return 0;
  return 1 + Math.ceil(struct.data_size / WORD_BYTES);
}

/** Calls of the task at `place` that are on its shadow stack, or are about to be; outermost first. */
export function callsOnStack(
  { functions, handlers }: MissState,
  { cpu, level, pid }: FlowPlace,
): readonly { readonly func: number; readonly call: Call }[] {
  const found: { func: number; call: Call }[] = [];
  for (let at = 0; at <= level; at++) {
    for (const { entered, kept } of functions.of({ pid, cpu, level: at })) {
      const isEntered = handlers.some(
        (begin) =>
          begin.kind === ENTRY &&
          begin.ip === kept.site &&
          flowOf(begin) === flowOf({ pid, cpu, level: at }),
      );
      if (kept.hook !== undefined || isEntered) found.push({ func: entered.func, call: kept });
    }
  }
  return found;
}
