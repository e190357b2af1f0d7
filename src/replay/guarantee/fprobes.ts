// Layer replay. fprobes as their control calls and the machine describe them: what each was told to hook, and for which
// registrations it is in force for certain; the handlers that are open. Nothing here is taken from the code under test but the arguments and
// the results of calls, and what the struct held when it was registered (`fprobe`).
//
// Left alone: structs that guest code changes while they are registered.
import type { EventOf } from '../schema.ts';
import { type FunctionTable, siteNamedBy } from './functions.ts';
import type { Listeners } from './listen.ts';
import { readAddress } from './ops.ts';
import { globMatches } from './pattern.ts';

/** FPROBE_FL_*, as include/linux/fprobe.h publishes them. */
const FPROBE_FL_DISABLED = 1;
export const FPROBE_FL_KPROBE_SHARED = 2;

/** Object of a skip that concerns whoever would have been called. */
export const NOBODY = 0;
const KIND = 'fprobe';
export const ENTRY = 'fprobe_entry';
export const EXIT = 'fprobe_exit';
const REGISTER = /^register_fprobe(?:_ips|_syms)?$/u;
const UNREGISTER = 'unregister_fprobe';
const UNREGISTER_ASYNC = 'unregister_fprobe_async';

export interface Fprobe {
  readonly object: number;
  name: string;
  /** What the struct held when a call last began to register it; undefined before the first time. */
  told: EventOf<'fprobe'> | undefined;
  /** Undefined: not known for certain. */
  disabled: boolean | undefined;
  /** Index of the event from which on it is known. */
  disabledSince: number;
  /** What it hooks for certain; undefined: not known. */
  sites: ReadonlySet<number> | undefined;
  /** How many functions a pool is made for (FP-22): notfilter takes none away. */
  counted: number | undefined;
  /** The registration that is in force for certain; 0: none. */
  generation: number;
  registering: number;
  unregistering: number;
  /** The waiting call that ended a registration, by generation. */
  readonly ended: Map<number, FprobeCall>;
  /** Calls on it that have begun or ended. */
  turns: number;
  /** Generations that ran a handler. */
  readonly ran: Set<number>;
}

export interface FprobeCall {
  readonly fprobe: Fprobe;
  readonly begin: EventOf<'ctl_begin'>;
  readonly end: EventOf<'ctl_end'> | undefined;
}

/** A handler that began. */
export interface Handler {
  readonly fprobe: Fprobe;
  readonly begin: EventOf<'cb_begin'>;
  /** Its task slept voluntarily inside it (as FT-34). */
  slept: boolean;
}

export interface Fprobes {
  readonly all: Fprobe[];
  /** Numbers of objects of other kinds. */
  readonly others: Set<number>;
  /** Handlers that have begun and not ended, oldest first. */
  readonly open: Handler[];
  readonly calls: UnderWay[];
  rules: EventOf<'fprobe_rules'> | undefined;
  /** Without an entry that a kprobe kept away there is no exit either (`sharedStrict`). */
  isStrict: boolean;
  /** Of the `cb_begin` or `cb_end` at hand, if it is a handler's. */
  handler: Handler | undefined;
  /** Of the `ctl_end` at hand, if it is of a waiting unregister that returned 0. */
  ending: FprobeCall | undefined;
}

interface UnderWay {
  readonly fprobe: Fprobe;
  readonly begin: EventOf<'ctl_begin'>;
  sites: ReadonlySet<number> | undefined;
  readonly counted: number | undefined;
}

export function newFprobes(): Fprobes {
  return {
    all: [],
    others: new Set(),
    open: [],
    calls: [],
    rules: undefined,
    isStrict: false,
    handler: undefined,
    ending: undefined,
  };
}

/** What `fprobes` hears, when `functions` has heard it. */
export function fprobeListeners(fprobes: Fprobes, functions: FunctionTable): Listeners {
  return {
    ...handlerListeners(fprobes),
    object: (e) => {
      if (e.kind === KIND) fprobeOf(fprobes, e.object).name = e.name;
      else fprobes.others.add(e.object);
    },
    fprobe_rules: (e) => {
      fprobes.rules = e;
    },
    fprobe_strict: () => {
      fprobes.isStrict = true;
    },
    fprobe: (e) => {
      const fprobe = fprobeOf(fprobes, e.object);
      fprobe.told = e;
      fprobe.disabled = (e.flags & FPROBE_FL_DISABLED) !== 0;
      fprobe.disabledSince = e.index;
    },
    symbol: () => {
      for (const call of fprobes.calls) call.sites = undefined;
    },
    symbol_gone: ({ site }) => {
      moduleGoes(fprobes, site);
    },
    ctl_begin: (e) => {
      callBegins(fprobes, functions, e);
    },
    ctl_end: (e) => {
      fprobes.ending = callEnds(fprobes, e);
    },
  };
}

function handlerListeners(fprobes: Fprobes): Listeners {
  const slept = (pid: number): void => {
    for (const handler of fprobes.open) if (handler.begin.pid === pid) handler.slept = true;
  };
  return {
    cb_begin: (e) => {
      fprobes.handler = isHandler(e) ? handlerBegan(fprobes, e) : undefined;
    },
    cb_end: (e) => {
      fprobes.handler = isHandler(e) ? handlerEnded(fprobes, e) : undefined;
    },
    sched_switch: (e) => {
      if (e.state === 'sleeping') slept(e.prev);
    },
    task_wake: (e) => {
      slept(e.woken);
    },
  };
}

function isHandler({ kind }: { readonly kind: string }): boolean {
  return kind === ENTRY || kind === EXIT;
}

/** Objects of other kinds miss hits and take returns, too. */
export function isFprobe({ all }: Fprobes, object: number): boolean {
  return all.some((fprobe) => fprobe.object === object);
}

/** The fprobe with this number in events; of something else, a stand-in that nobody counts among them. */
export function fprobeOf({ all, others }: Fprobes, object: number): Fprobe {
  for (const fprobe of all) if (fprobe.object === object) return fprobe;
  const made: Fprobe = {
    object,
    name: `fprobe ${object}`,
    told: undefined,
    disabled: undefined,
    disabledSince: -1,
    sites: undefined,
    counted: undefined,
    generation: 0,
    registering: 0,
    unregistering: 0,
    ended: new Map(),
    turns: 0,
    ran: new Set(),
  };
  if (!others.has(object)) all.push(made);
  return made;
}

/** Registered for certain: no call that ends it has begun. */
export function isInForce({ generation, unregistering }: Fprobe): boolean {
  return generation !== 0 && unregistering === 0;
}

function handlerBegan(fprobes: Fprobes, begin: EventOf<'cb_begin'>): Handler {
  const handler: Handler = { fprobe: fprobeOf(fprobes, begin.object), begin, slept: false };
  handler.fprobe.ran.add(begin.generation);
  fprobes.open.push(handler);
  return handler;
}

function handlerEnded({ open }: Fprobes, e: EventOf<'cb_end'>): Handler | undefined {
  const place = open.findLastIndex(
    ({ begin }) =>
      begin.kind === e.kind &&
      begin.object === e.object &&
      begin.pid === e.pid &&
      begin.level === e.level &&
      // Idle tasks share a pid, interrupts their task's.
      begin.cpu === e.cpu,
  );
  return place === -1 ? undefined : open.splice(place, 1)[0];
}

/** A module takes the nodes of its functions along (FP-60); a filter keeps their sites, for the next one (FP-81). */
function moduleGoes({ all, calls }: Fprobes, gone: number): void {
  for (const call of calls) call.sites = undefined;
  for (const fprobe of all) {
    if (fprobe.sites?.has(gone) !== true) continue;
    const isNode = fprobe.told?.hook !== 'rethook';
    fprobe.sites = isNode ? new Set([...fprobe.sites].filter((site) => site !== gone)) : undefined;
  }
}

function callBegins(fprobes: Fprobes, functions: FunctionTable, begin: EventOf<'ctl_begin'>): void {
  if (!/_fprobe/u.test(begin.op)) return;
  const fprobe = fprobeOf(fprobes, begin.object);
  fprobe.turns++;
  if (REGISTER.test(begin.op)) fprobe.registering++;
  else if (isUnregister(begin.op)) fprobe.unregistering++;
  else fprobe.disabled = undefined;
  const counted = countOf(functions, begin);
  fprobes.calls.push({ fprobe, begin, sites: sitesOf(functions, begin), counted });
}

function isUnregister(op: string): boolean {
  return op === UNREGISTER || op === UNREGISTER_ASYNC;
}

/** The innermost call of this kind that the task has under way returns. */
function callEnds({ calls }: Fprobes, end: EventOf<'ctl_end'>): FprobeCall | undefined {
  const place = calls.findLastIndex(
    ({ begin, fprobe }) =>
      begin.op === end.op && fprobe.object === end.object && begin.pid === end.pid,
  );
  const [call] = place === -1 ? [] : calls.splice(place, 1);
  if (call === undefined) return undefined;
  const { begin, fprobe } = call;
  fprobe.turns++;
  if (REGISTER.test(end.op)) registerEnds(fprobe, call, end);
  else if (isUnregister(end.op)) return unregisterEnds(fprobe, begin, end);
  else if (!isSwitched(calls, fprobe)) {
    fprobe.disabled = end.op === 'disable_fprobe';
    fprobe.disabledSince = end.index;
  }
  return undefined;
}

/** Is another call under way that enables or disables it? */
function isSwitched(calls: Fprobes['calls'], fprobe: Fprobe): boolean {
  return calls.some(
    ({ begin, fprobe: other }) => other === fprobe && /^(?:dis|en)able/u.test(begin.op),
  );
}

function registerEnds(fprobe: Fprobe, { counted, sites }: UnderWay, end: EventOf<'ctl_end'>): void {
  fprobe.registering--;
  if (end.result !== 0 || fprobe.ended.has(end.generation)) return;
  fprobe.generation = end.generation;
  fprobe.sites = sites;
  fprobe.counted = sites === undefined ? undefined : counted;
}

function unregisterEnds(
  fprobe: Fprobe,
  begin: EventOf<'ctl_begin'>,
  end: EventOf<'ctl_end'>,
): FprobeCall | undefined {
  fprobe.unregistering--;
  if (end.result !== 0) return undefined;
  if (fprobe.generation === end.generation) fprobe.generation = 0;
  if (end.op === UNREGISTER_ASYNC) return undefined;
  const call: FprobeCall = { fprobe, begin, end };
  fprobe.ended.set(end.generation, call);
  return call;
}

/** Where ftrace's patterns and glob(7) say the same (FP-51). */
const PLAIN = /^[A-Za-z_*?][\w*?]*$/u;

/** What a register call names, of the functions that are there when it begins. */
function sitesOf(
  functions: FunctionTable,
  { op, text }: EventOf<'ctl_begin'>,
): ReadonlySet<number> | undefined {
  if (op === 'register_fprobe') return sitesMatching(functions, text);
  const words = new Set(text.split(' '));
  const named =
    op === 'register_fprobe_ips'
      ? [...words].map((word) => siteNamedBy(functions, readAddress(word)) ?? -1)
      : functions.traceable.filter(({ name }) => words.has(name)).map(({ site }) => site);
  // A name that several functions bear stands for one of them.
  return named.includes(-1) || named.length !== words.size ? undefined : new Set(named);
}

/** How many entries an array has, or functions the filter selects. */
function countOf(functions: FunctionTable, { op, text }: EventOf<'ctl_begin'>): number | undefined {
  if (op !== 'register_fprobe') return text.split(' ').length;
  return sitesMatching(functions, text.split('\n')[0] ?? '')?.size;
}

/** Of `filter`, or filter, newline, notfilter; undefined: not known. */
export function sitesMatching(
  { traceable }: FunctionTable,
  text: string,
): ReadonlySet<number> | undefined {
  const [filter = '', notfilter] = text.split('\n');
  if (![filter, notfilter ?? '*'].every((pattern) => PLAIN.test(pattern))) return undefined;
  const matching = traceable.filter(
    ({ name }) =>
      globMatches(filter, name) && (notfilter === undefined || !globMatches(notfilter, name)),
  );
  return new Set(matching.map(({ site }) => site));
}
