// Layer replay. Guarantee `arguments`: a callback gets what it was promised (FT-4, FT-15, FT-19).
//
// Broken by a callback function that runs with the ops of another one; by a part of the kernel that is called in
// place of it (FT-18: the pid check calls whom the user has registered); by an ip that is not the site of the
// function which was really entered last, in the same task and context, and has not returned; by a parent_ip
// that is not where that function returns to (the callee of a tail call whose caller's return is taken: to where taken
// returns come, one place for the whole run); and by registers, as the callback shows them (`regs`), that are not
// those with which that function came to its site (`func_arg`), nor what a callback made of them since. What is no
// argument register shows nothing without SAVE_REGS (FT-15). With it, broken by a callback that finds nothing but
// arguments (FT-14), and by one that is passed over for want of registers although its site was settled: every
// change that has to do with it was over when the hit began (FT-16). ops->private is no event: it lies in the ops.
// Without trampolines an ops that is alone is called with `function_trace_op`, which is not held against a caller
// that was interrupted on its way (CC-N1). What handlers of fprobes are told is in arguments-fprobe.ts.
//
// Exercised, for each time: a callback begins, and the run tells which function was hit and which callback
// function was entered (part `caller`); a callback shows a register, and the run tells what it was (`registers`).
import type { EventOf } from '../schema.ts';
import {
  handlerArgumentListeners,
  type HandlerFindings,
  handlerParts,
  newHandlerFindings,
} from './arguments-fprobe.ts';
import { hexOfAddress, nameOfSite } from './functions.ts';
import { contextKey, type Frame, hitBegan } from './hit.ts';
import {
  broken,
  type Broken,
  earlier,
  type Guarantee,
  heldInParts,
  type Verdict,
} from './judge.ts';
import type { Listeners } from './listen.ts';
import { isRegistered } from './ops.ts';
import { hashesSince, selects, spares } from './selection.ts';
import { contextOf, type Callback, type Story } from './story.ts';
import { theCallback, where } from './wording.ts';

/** A reason of `skip`: the ops has SAVE_REGS, and the site saved no registers. */
const WANT_OF_REGS = 'regs';
/** A reason of `oops`: a callback writes to a register, and there is none. */
const NO_REGISTERS = 'no pt_regs';
const ARGUMENT = /^a[0-7]$/u;
const RETURN_ADDRESS = 'ra';

interface Findings {
  readonly story: Story;
  first: Broken | undefined;
  /** Callbacks whose hit is known, and registers that they showed. */
  caller: number;
  registers: number;
  callbacks: number;
  /** The callback for which ground truth was told last, and that: register by register. */
  shown: Callback | undefined;
  readonly truth: Map<string, EventOf<'func_arg'>>;
  /** What callbacks have made of the registers of a function that was hit. */
  readonly written: WeakMap<Frame, Map<string, bigint>>;
  /** Callbacks that were shown a register which is no argument. */
  readonly full: WeakSet<Callback>;
  /** Calls whose return is taken. */
  readonly taken: WeakSet<Frame>;
  /** Those of each flow that have not returned. */
  readonly open: Map<number, EventOf<'hook'>[]>;
  /** Where those return to first; undefined: nobody has told yet. */
  trampoline: number | undefined;
  /** The index at which the registration in force returned, by object. */
  readonly registered: Map<number, number>;
  /** What the generic caller passes when it calls without the list function, and from which event on. */
  readonly passed: { readonly object: number; readonly since: number }[];
  readonly others: Other[];
}

/** A handler of another kind of probe that is running, and the callback that it interrupted or was called by. */
interface Other {
  readonly context: Callback['context'];
  readonly above: Callback | undefined;
  /** The place that was hit. */
  readonly ip: number;
}

export const callArguments: Guarantee = {
  name: 'arguments',
  sentence:
    'A callback gets its own ops, the call site of the function that was hit, the address to which ' +
    'that function returns, and the arguments with which it was called; with SAVE_REGS, all its registers. A handler of an fprobe gets ' +
    'the call site and the true return address of its call, and data only if both handlers share it.',
  document: 'Using ftrace to hook to functions',
  section: 'The callback function',
  rules: [
    'FT-4',
    'FT-14',
    'FT-15',
    'FT-16',
    'FT-18',
    'FT-19',
    'FT-23',
    'FT-27',
    'FP-1',
    'FP-2',
    'CC-S3',
  ],
  start(story) {
    const found: Findings = {
      story,
      first: undefined,
      caller: 0,
      registers: 0,
      callbacks: 0,
      shown: undefined,
      truth: new Map(),
      written: new WeakMap(),
      full: new WeakSet(),
      taken: new WeakSet(),
      open: new Map(),
      trampoline: undefined,
      registered: new Map(),
      passed: [{ object: 0, since: -1 }],
      others: [],
    };
    const ofFprobes = newHandlerFindings(story);
    const also = handlerArgumentListeners(ofFprobes);
    return {
      on: {
        ...also,
        cb_begin: (e) => {
          also.cb_begin?.(e);
          if (story.callback !== undefined) callbackBegan(found, story.callback);
          else otherBegan(found, e);
        },
        function_trace_op: (e) => found.passed.push({ object: e.object, since: e.index }),
        func_arg: (e) => {
          truthTold(found, e);
        },
        regs: (e) => {
          registerShown(found, e);
        },
        regs_write: (e) => {
          also.regs_write?.(e);
          registerWritten(found, e);
        },
        ...returnListeners(found, also),
        cb_end: (e) => {
          if (story.callback !== undefined) callbackEnded(found, story.callback, e);
          else otherEnded(found, e);
        },
        oops: (e) => {
          const callback = e.reason === NO_REGISTERS ? innermost(found, e) : undefined;
          if (callback !== undefined) wroteNothing(found, callback);
        },
        ctl_end: (e) => {
          if (e.op === 'register_ftrace_function' && e.result === 0)
            found.registered.set(e.object, e.index);
        },
        skip: (e) => {
          if (e.reason === WANT_OF_REGS) passedOver(found, e);
        },
      },
      end: () => verdict(found, ofFprobes),
    };
  },
};

function returnListeners(found: Findings, also: Listeners): Listeners {
  return {
    hook: (e) => {
      also.hook?.(e);
      returnTaken(found, e);
    },
    unhook: (e) => {
      also.unhook?.(e);
      returnGivenBack(found, e);
    },
  };
}

function callbackBegan(found: Findings, callback: Callback): void {
  const { begin, entered, given, hit } = callback;
  found.callbacks++;
  if (hit === undefined || entered === -1) return;
  found.caller++;
  if (found.first !== undefined) return;
  if (entered !== given.callback && !isParted(found, callback)) reportOps(found, callback);
  else if (begin.ip !== hit.site) reportIp(found, callback, hit.site);
  else if (begin.parent_ip !== hit.ra && !isTrampoline(found, callback, hit))
    reportParent(found, callback, hit.ra);
}

/**
 * The caller loaded its argument, was then interrupted or preempted, and called whoever was to be called by
 * that time: the pair is not closed against that (CC-N1). It cannot have loaded it before its hit began, nor
 * when something else was to be passed.
 */
function isParted({ passed }: Findings, { given, hit, interrupted, isDirect }: Callback): boolean {
  if (!isDirect || hit === undefined) return false;
  const period = passed.findIndex(
    ({ object }, i) => object === given.object && (passed[i + 1]?.since ?? Infinity) > hit.began,
  );
  const since = passed[period]?.since;
  return since !== undefined && interrupted > Math.max(since, hit.began);
}

/** It showed the registers that it has, and was promised all of them (FT-14). */
function callbackEnded(found: Findings, callback: Callback, e: EventOf<'cb_end'>): void {
  const { first, full, shown } = found;
  if (first !== undefined || shown !== callback || !callback.ops.promisedRegs) return;
  if (full.has(callback)) return;
  report(found, callback, `found only arguments until it ended, step ${e.step}: it has SAVE_REGS`);
}

function wroteNothing(found: Findings, callback: Callback): void {
  if (found.first !== undefined || !callback.ops.promisedRegs) return;
  report(found, callback, 'wanted to change a register and had none: it has SAVE_REGS');
}

/** Legal while the site is being upgraded (FT-16): not for a hit that began when all of that was over. */
function passedOver(found: Findings, e: EventOf<'skip'>): void {
  const { first, registered, story } = found;
  const ops = story.ops.find(({ object }) => object === e.object);
  const since = registered.get(e.object) ?? Infinity;
  const began = hitBegan(contextOf(story, e), e.ip);
  if (first !== undefined || ops === undefined || !isRegistered(ops) || began < since) return;
  const isSelected =
    hashesSince(ops.filter, began).every((hash) => selects(hash, e.ip)) &&
    hashesSince(ops.notrace, began).every((hash) => spares(hash, e.ip));
  if (!isSelected) return;
  const what = `${ops.name} was passed over at ${nameOfSite(story.functions, e.ip)} (${where(story, e)})`;
  const why = `${what} for want of registers, although the site had been settled for it before the hit`;
  found.first = broken(e.index, why, [since, began]);
}

/** The callback that runs in the context of `e`; undefined while it is a handler of another kind of probe. */
function innermost(
  { story, others }: Findings,
  e: EventOf<'func_arg' | 'oops' | 'regs' | 'regs_write'>,
): Callback | undefined {
  const context = contextOf(story, e);
  const callback = story.open.findLast((one) => one.context === context);
  const other = others.findLast((one) => one.context === context);
  return other !== undefined && other.above === callback ? undefined : callback;
}

/** Whose registers they are. All hooks of a hit share them: handlers of other kinds of probes, too (KP-45). */
function hitOf(found: Findings, e: EventOf<'regs_write'>): Frame | undefined {
  const callback = innermost(found, e);
  if (callback !== undefined) return callback.hit;
  const context = contextOf(found.story, e);
  const other = found.others.findLast((one) => one.context === context);
  const { top } = context;
  return other !== undefined && other.ip === top?.site ? top : undefined;
}

function otherBegan({ story, others }: Findings, e: EventOf<'cb_begin'>): void {
  const context = contextOf(story, e);
  const above = story.open.findLast((one) => one.context === context);
  others.push({ context, above, ip: e.ip });
}

function otherEnded({ story, others }: Findings, e: EventOf<'cb_end'>): void {
  const context = contextOf(story, e);
  const place = others.findLastIndex((one) => one.context === context);
  if (place >= 0) others.splice(place, 1);
}

/** Of all functions that have not returned, the one that was hit counts. */
function truthTold(found: Findings, e: EventOf<'func_arg'>): void {
  const callback = innermost(found, e);
  const hit = callback?.hit;
  const func = found.story.functions.byAddress.get(e.func);
  if (hit === undefined || func?.site !== hit.site || e.sp !== hit.sp) return;
  if (callback !== found.shown) found.truth.clear();
  found.shown = callback;
  found.truth.set(e.register, e);
}

function registerWritten(found: Findings, e: EventOf<'regs_write'>): void {
  const { written } = found;
  const hit = hitOf(found, e);
  if (hit === undefined) return;
  const registers = written.get(hit) ?? new Map<string, bigint>();
  written.set(hit, registers.set(e.register, e.value));
}

/** Does a call share its return with an outer one, and somebody has taken that (FP-35)? */
function isTailOfTaken({ open }: Findings, { begin }: Callback, { site, sp }: Frame): boolean {
  const hooks = open.get(contextKey(begin.pid, begin.cpu, begin.level)) ?? [];
  return hooks.some(({ frame, ip }) => frame === sp && ip !== site);
}

/** What `callback` is told stands in for its true return. */
function isTrampoline(found: Findings, callback: Callback, hit: Frame): boolean {
  if (!isTailOfTaken(found, callback, hit)) return false;
  const { parent_ip: ip } = callback.begin;
  found.trampoline ??= ip;
  return found.trampoline === ip;
}

/** Who takes the return changes ra for those who come later; they are still told the true one (FP-1). */
function returnTaken({ open, story, taken }: Findings, e: EventOf<'hook'>): void {
  const key = contextKey(e.pid, e.cpu, e.level);
  open.set(key, [...(open.get(key) ?? []), e]);
  let frame = contextOf(story, e).top;
  while (frame !== undefined && frame.site !== e.ip) frame = frame.below;
  if (frame !== undefined) taken.add(frame);
}

function returnGivenBack({ open }: Findings, e: EventOf<'unhook'>): void {
  const key = contextKey(e.pid, e.cpu, e.level);
  const isIts = ({ frame, ip, object }: EventOf<'hook'>): boolean =>
    frame === e.frame && ip === e.ip && object === e.object;
  const left = open.get(key)?.filter((hook) => !isIts(hook));
  if (left !== undefined) open.set(key, left);
}

function registerShown(found: Findings, e: EventOf<'regs'>): void {
  const { first, shown, story, truth } = found;
  if (first !== undefined || shown === undefined || innermost(found, e) !== shown) return;
  found.registers++;
  if (!ARGUMENT.test(e.register)) found.full.add(shown);
  const told = truth.get(e.register);
  const { begin, hit } = shown;
  const isTaken = hit !== undefined && (found.taken.has(hit) || isTailOfTaken(found, shown, hit));
  if (isTaken && e.register === RETURN_ADDRESS) return;
  const written = hit === undefined ? undefined : found.written.get(hit)?.get(e.register);
  if ((written ?? told?.value) === e.value) return;
  const why =
    `${theCallback(story, shown)} was shown ${e.register} = ${e.value} (${where(story, e)}), ` +
    (told === undefined
      ? 'which is no argument register: without SAVE_REGS there are no full registers'
      : `but its function was called with ${written ?? told.value}`);
  found.first = broken(e.index, why, [hit?.entered ?? -1, begin.index, told?.index ?? -1]);
}

function report(found: Findings, callback: Callback, what: string): void {
  const { begin, hit } = callback;
  const why = `${theCallback(found.story, callback)} (${where(found.story, begin)}) ${what}`;
  found.first = broken(begin.index, why, [hit?.entered ?? -1, callback.hitBegan]);
}

function reportOps(found: Findings, callback: Callback): void {
  const { entered, given } = callback;
  if (!found.story.callbackFunctions.has(entered)) {
    report(found, callback, `never ran: a part of the kernel was called in its place`);
    return;
  }
  const got = given.object === 0 ? 'no ops' : given.name;
  report(found, callback, `got ${got} instead of its own ops`);
}

function reportIp(found: Findings, callback: Callback, site: number): void {
  const { functions } = found.story;
  report(found, callback, `got the wrong ip: the function hit is ${nameOfSite(functions, site)}`);
}

function reportParent(found: Findings, callback: Callback, ra: number): void {
  const [got, real] = [callback.begin.parent_ip, ra].map(hexOfAddress);
  report(found, callback, `got parent_ip ${got}, but its function returns to ${real}`);
}

function verdict(found: Findings, ofFprobes: HandlerFindings): Verdict {
  const first = earlier(found.first, ofFprobes.first);
  if (first !== undefined) return first;
  const { caller, registers, callbacks } = found;
  const why =
    callbacks === 0
      ? 'No callback ran.'
      : 'Of no callback the run tells which function was hit and which callback function ran.';
  return heldInParts({ caller, registers, ...handlerParts(ofFprobes) }, why);
}
