// Layer replay. Guarantee `arguments` for fprobes: what the handlers of a call are told about it (FP-1, FP-2).
//
// Broken by a handler whose entry_ip is not the site of the function that was really hit, or whose ret_ip is not where
// that call really returns to: for the callee of a tail call that is where its caller returns to, although it was
// entered with the trampoline in ra (FP-35). By registers whose ip is not behind the site at the entry, or not ret_ip at
// the exit. And by entry_data where there is none to be shared: without an exit handler, or of no size; or by its want
// where there is.
//
// Left alone: for which call an exit handler runs, and that its data is that of the entry (`pairing`); entry_data before
// handlers had it, or where a shortage skips the exit handler only (fprobe.md 8); an ip that a callback has changed.
//
// Exercised, for each time: an entry handler begins, and the run tells which function was hit (part `entry`); an exit
// handler begins for a return that is taken (`exit`); a handler gets data (`data`).
import type { EventOf } from '../schema.ts';
import { ENTRY, EXIT, type Handler } from './fprobes.ts';
import { hexOfAddress, nameOfSite } from './functions.ts';
import { contextKey, type Frame, frameBefore } from './hit.ts';
import { broken, type Broken, type Parts } from './judge.ts';
import type { Listeners } from './listen.ts';
import { contextOf, type Story } from './story.ts';
import { theHandler, where } from './wording.ts';

const NULL = -1;
/** Bytes of a call, and of one of two instructions (FT-12). */
const CALL_BYTES = 4;
const PAIR_BYTES = 8;
/** In these a handler was given no data yet. */
const WITHOUT_DATA: ReadonlySet<string> = new Set(['v5.18', 'v6.1']);
const IP = 'ip';

/** A return that is taken, and where it really goes. */
interface Taken {
  readonly object: number;
  readonly generation: number;
  readonly ip: number;
  readonly frame: number;
  /** Undefined: not known. */
  readonly ret: number | undefined;
}

/** One level of one task. */
interface Flow {
  /** The function that was entered last, traceable or not. */
  last: EventOf<'func_enter'> | undefined;
  /** Innermost last. */
  readonly taken: Taken[];
}

/** What a handler should have been told. */
interface Truth {
  readonly handler: Handler;
  readonly ret: number | undefined;
  readonly frame: Frame | undefined;
}

export interface HandlerFindings {
  readonly story: Story;
  readonly flows: Map<number, Flow>;
  /** Sites of two instructions. */
  readonly pairs: Set<number>;
  /** Hits whose ip somebody has changed. */
  readonly moved: WeakSet<Frame>;
  /** The handler that began last. */
  begun: Truth | undefined;
  first: Broken | undefined;
  entry: number;
  exit: number;
  data: number;
}

export function newHandlerFindings(story: Story): HandlerFindings {
  return {
    story,
    flows: new Map(),
    pairs: new Set(),
    moved: new WeakSet(),
    begun: undefined,
    first: undefined,
    entry: 0,
    exit: 0,
    data: 0,
  };
}

/** The parts of the sentence that only fprobes have. */
export function handlerParts({ data, entry, exit, story }: HandlerFindings): Parts {
  return story.fprobes.all.length === 0 ? {} : { entry, exit, data };
}

export function handlerArgumentListeners(found: HandlerFindings): Listeners {
  const { fprobes } = found.story;
  return {
    func_enter: (e) => {
      flowOf(found, e).last = e;
    },
    text_pair: ({ ip }) => {
      found.pairs.add(ip);
    },
    regs_write: (e) => {
      const { top } = contextOf(found.story, e);
      if (e.register === IP && top !== undefined) found.moved.add(top);
    },
    hook: (e) => {
      returnTaken(found, e);
    },
    unhook: (e) => {
      const { taken } = flowOf(found, e);
      const place = taken.findLastIndex(
        ({ frame, ip, object }) => object === e.object && frame === e.frame && ip === e.ip,
      );
      if (place !== -1) taken.splice(place, 1);
    },
    func_abandon: (e) => {
      const { left } = found.story;
      if (left !== undefined) dropWithin(flowOf(found, e), left.sp);
    },
    task_exit: (e) => {
      found.flows.delete(keyOf(e));
    },
    cb_begin: (e) => {
      found.begun = undefined;
      if (fprobes.handler === undefined) return;
      if (e.kind === ENTRY) entryBegan(found, fprobes.handler);
      else if (e.kind === EXIT) exitBegan(found, fprobes.handler);
    },
    fprobe_data: (e) => {
      if (found.begun !== undefined) dataGiven(found, found.begun, e);
    },
  };
}

interface Place {
  readonly pid: number;
  readonly cpu: number;
  readonly level: number;
}

function keyOf({ pid, cpu, level }: Place): number {
  return contextKey(pid, cpu, level);
}

function flowOf({ flows }: HandlerFindings, e: Place): Flow {
  const key = keyOf(e);
  let flow = flows.get(key);
  if (flow === undefined) {
    flow = { last: undefined, taken: [] };
    flows.set(key, flow);
  }
  return flow;
}

/** Stacks grow down: who left the frame at `sp` left all that it had called, too. */
function dropWithin({ taken }: Flow, sp: number): void {
  const place = taken.findIndex(({ frame }) => frame <= sp);
  if (place !== -1) taken.splice(place);
}

/** Where the call of `frame` really returns to: who was entered by a tail call goes where its caller goes (FP-35). */
function returnOf({ taken }: Flow, { sp, ra }: Frame): number | undefined {
  const caller = taken.findLast(({ frame }) => frame === sp);
  return caller === undefined ? ra : caller.ret;
}

function returnTaken(found: HandlerFindings, e: EventOf<'hook'>): void {
  const flow = flowOf(found, e);
  const { top } = contextOf(found.story, e);
  const isKnown = top !== undefined && top.site === e.ip && top.sp === e.frame;
  const ret = isKnown ? returnOf(flow, top) : undefined;
  const { frame, generation, ip, object } = e;
  flow.taken.push({ object, generation, ip, frame, ret });
}

function entryBegan(found: HandlerFindings, handler: Handler): void {
  const { begin, fprobe } = handler;
  const flow = flowOf(found, begin);
  const { last } = flow;
  // The handler may be a traceable function itself; its own entry belongs to the step of its cb_begin.
  const isOwn = last?.step === begin.step && last.func === fprobe.told?.entry;
  const frame = frameBefore(contextOf(found.story, begin), isOwn ? last.index : begin.index);
  if (frame === undefined) return;
  found.entry++;
  const ret = returnOf(flow, frame);
  found.begun = { handler, ret, frame };
  if (begin.ip !== frame.site) {
    const name = nameOfSite(found.story.functions, frame.site);
    report(
      found,
      begin,
      `${theHandler(found.story, handler)} got the wrong entry_ip: ${name} was hit`,
      frame,
    );
  }
  checkReturn(found, found.begun);
}

function exitBegan(found: HandlerFindings, handler: Handler): void {
  const { begin } = handler;
  const taken = flowOf(found, begin).taken.findLast(
    ({ ip, object }) => object === begin.object && ip === begin.ip,
  );
  // Whether one is owed is for `pairing` to say.
  if (taken === undefined) return;
  found.exit++;
  found.begun = { handler, ret: taken.ret, frame: undefined };
  checkReturn(found, found.begun);
}

function checkReturn(found: HandlerFindings, { frame, handler, ret }: Truth): void {
  const { begin } = handler;
  if (ret === undefined || begin.parent_ip === ret) return;
  const got = hexOfAddress(begin.parent_ip);
  const why = `${theHandler(found.story, handler)} got ret_ip ${got}, but its call returns to ${hexOfAddress(ret)}`;
  report(found, begin, why, frame);
}

function dataGiven(found: HandlerFindings, truth: Truth, e: EventOf<'fprobe_data'>): void {
  const { frame, handler } = truth;
  const { begin } = handler;
  if (begin.object !== e.object || begin.step !== e.step) return;
  found.begun = undefined;
  if (e.entry_data !== NULL) found.data++;
  const what = dataFault(found, handler, e.entry_data) ?? registersFault(found, truth, e.regs_ip);
  if (what !== undefined) report(found, e, `${theHandler(found.story, handler)} ${what}`, frame);
}

/** FP-2. */
function dataFault(
  { story }: HandlerFindings,
  { begin, fprobe: { generation, told } }: Handler,
  given: number,
): string | undefined {
  const { rules } = story.fprobes;
  // The struct that a later registration found is not that of this one.
  if (told === undefined || (generation !== 0 && generation !== begin.generation)) return undefined;
  const isShared = told.exit !== NULL && told.data_size > 0;
  if (!isShared && given !== NULL) return 'got entry_data, and has no use for it';
  if (rules === undefined || WITHOUT_DATA.has(rules.era) || rules.miss_policy !== 'both')
    return undefined;
  return isShared && given === NULL ? 'got no entry_data' : undefined;
}

/** FP-1: what `regs` say, where the call at hand is known. */
function registersFault(
  { moved, pairs }: HandlerFindings,
  { frame, handler: { begin }, ret }: Truth,
  ip: number,
): string | undefined {
  if (begin.kind === EXIT) {
    if (ret === undefined || ip === ret) return undefined;
    return `found ip ${hexOfAddress(ip)} in its registers, not ${hexOfAddress(ret)}`;
  }
  if (frame === undefined || moved.has(frame)) return undefined;
  const behind = frame.site + (pairs.has(frame.site) ? PAIR_BYTES : CALL_BYTES);
  if (ip === behind) return undefined;
  return `found ip ${hexOfAddress(ip)} in its registers, not ${hexOfAddress(behind)} behind the site`;
}

function report(
  found: HandlerFindings,
  e: EventOf<'cb_begin'> | EventOf<'fprobe_data'>,
  why: string,
  frame: Frame | undefined,
): void {
  found.first ??= broken(e.index, `${why} (${where(found.story, e)})`, [frame?.entered ?? -1]);
}
