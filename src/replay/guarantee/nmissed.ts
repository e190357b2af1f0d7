// Layer replay. Guarantee `nmissed`: every hit of an fprobe is handled, counted as missed, or passed over for a reason
// that does not count; and the counter is right (CC-O6, CC-G10).
//
// Broken by a call of a hooked function that returns without its entry handler, or its return taken, or a word why not; by
// a reason that the judge's own account rules out (`miss-reasons.ts`); by a miss that is not counted, a count without
// a miss, a count of what does not count in this era; by a counter that is not one more than before, or ends
// as something else than it was counted to since it was registered, which makes it 0 (FP-4); and by a handler that runs
// although its fprobe was disabled before (FP-9), or although a kprobe ran on its CPU and the fprobe is KPROBE_SHARED
// (FP-30.3). Which functions are hooked is computed anew from the calls.
//
// Broken, too, by an entry handler that runs, or does not, against what `missPolicy` says of a shortage (`miss-policy.ts`).
//
// Left alone: hits of a function that was entered while a call on the fprobe was under way (FP-5); and, with
// `racyCounters`, counts that two CPUs overwrite.
//
// Exercised, for each time: a hooked call returns that was handled (part `handled`), a miss is counted (`missed`), or
// a hit is passed over uncounted (`uncounted`).
import type { Event, EventOf } from '../schema.ts';
import {
  type Fprobe,
  ENTRY,
  fprobeOf,
  type Handler,
  isFprobe,
  isInForce,
  NOBODY,
} from './fprobes.ts';
import { nameOfSite } from './functions.ts';
import { contextKey, type Frame, innermost } from './hit.ts';
import { broken, type Broken, type Guarantee, heldInParts, type Verdict } from './judge.ts';
import { type Listeners, together } from './listen.ts';
import { type Report, withMissPolicy } from './miss-policy.ts';
import {
  ignoredKprobe,
  isCounted,
  newReasons,
  reasonListeners,
  type Reasons,
  whyNot,
  whyNotOps,
  whyNotTaken,
} from './miss-reasons.ts';
import { contextOf, type Story } from './story.ts';
import { where } from './wording.ts';

/** A call of a function that is hooked for certain. */
interface Debt {
  readonly fprobe: Fprobe;
  /** Calls on the fprobe that had begun or ended when the function was entered. */
  readonly turns: number;
  settled: boolean;
}

/** A counter as it was counted to. */
interface Counter {
  /** Undefined: not known. */
  value: number | undefined;
  /** Misses that are still to be counted, by flow. */
  readonly owed: Map<number, EventOf<'skip'>>;
  /** While a call registers it: misses counted since that began, and whether the counter was seen to become 0. */
  since: number;
  isReset: boolean;
}

interface Findings {
  readonly story: Story;
  readonly reasons: Reasons;
  readonly debts: WeakMap<Frame, readonly Debt[]>;
  readonly counters: Map<Fprobe, Counter>;
  /** Index of the last event that shows guest code running, by flow: what is looked up later is no older. */
  readonly ran: Map<number, number>;
  first: Broken | undefined;
  ended: boolean;
  dead: boolean;
  handled: number;
  missed: number;
  uncounted: number;
}

const COUNTER = 'nmissed';

export const nmissed: Guarantee = {
  name: 'nmissed',
  sentence:
    'nmissed counts exactly the hits that were missed for want of a lock, a slot or room, or because a ' +
    'kprobe ran; every other hit of a registered fprobe runs its handler, unless it is disabled.',
  document: 'Fprobe - Function entry/exit probe',
  section: 'The missed counter',
  rules: ['FP-4', 'FP-9', 'FP-30.3', 'FP-32', 'FP-72', 'CC-G10', 'CC-O6'],
  start(story) {
    const found: Findings = {
      story,
      reasons: newReasons(story),
      debts: new WeakMap(),
      counters: new Map(),
      ran: new Map(),
      first: undefined,
      ended: false,
      dead: false,
      handled: 0,
      missed: 0,
      uncounted: 0,
    };
    const own = [hitListeners(found), counterListeners(found)];
    const all = together([...reasonListeners(found.reasons), ...own]);
    const on = withMissPolicy(story, reporter(found), all);
    return { on, end: () => verdict(found) };
  },
};

/** What becomes of hits. */
function hitListeners(found: Findings): Listeners {
  const { story } = found;
  return {
    func_enter: (e) => {
      if (!isHandler(story, e.func)) found.ran.set(keyOf(e), e.index);
      if (story.entered !== undefined && story.fprobes.all.length > 0) entered(found, e);
    },
    func_return: (e) => {
      found.ran.set(keyOf(e), e.index);
      if (story.left !== undefined) returned(found, story.left, e);
    },
    cb_begin: (e) => {
      if (e.kind === ENTRY) settle(found, e);
      if (story.fprobes.handler !== undefined) handlerBegan(found, story.fprobes.handler);
    },
    hook: (e) => {
      settle(found, e);
      hooked(found, e);
    },
    skip: (e) => {
      skipped(found, e);
    },
    ctl_begin: (e) => {
      if (isRegister(e)) registerBegan(found, e);
    },
    ctl_end: (e) => {
      if (isRegister(e) && e.result === 0) registered(found, e);
    },
  };
}

/** What becomes of counters, and of the run. */
function counterListeners(found: Findings): Listeners {
  return {
    count: (e) => {
      if (e.counter === COUNTER && isFprobe(found.story.fprobes, e.object)) counted(found, e);
    },
    fprobe_state: (e) => {
      stateTold(found, e);
    },
    kill: () => {
      found.dead = true;
    },
    run_end: () => {
      found.ended = true;
    },
  };
}

function entered(found: Findings, e: EventOf<'func_enter'>): void {
  const { debts, story } = found;
  const frame = contextOf(story, e).top;
  if (frame === undefined || story.settings.enabled.value !== true || found.dead) return;
  const owed = story.fprobes.all
    .filter((fprobe) => isInForce(fprobe) && fprobe.sites?.has(frame.site) === true)
    .map((fprobe) => ({ fprobe, turns: fprobe.turns, settled: false }));
  if (owed.length > 0) debts.set(frame, owed);
}

/** A handler of `e.object` runs for the call at `e.ip`, or its return is taken; or it is said why not. */
function settle(found: Findings, e: EventOf<'cb_begin' | 'hook' | 'skip'>): void {
  const frame = frameAt(found, e);
  for (const debt of (frame === undefined ? undefined : found.debts.get(frame)) ?? []) {
    const { object, told } = debt.fprobe;
    if (e.object === NOBODY || object === e.object || told?.ops === e.object) debt.settled = true;
  }
}

interface Hit {
  readonly pid: number;
  readonly cpu: number;
  readonly level: number;
  readonly ip: number;
}

function frameAt({ story }: Findings, e: Hit): Frame | undefined {
  return innermost(contextOf(story, e), e.ip);
}

function returned(found: Findings, frame: Frame, e: EventOf<'func_return'>): void {
  const { enabled } = found.story.settings;
  // A task that is late at its site may find it without the hook.
  const wasOn = enabled.value === true && enabled.since < frame.entered;
  for (const { fprobe, settled, turns } of found.debts.get(frame) ?? []) {
    if (turns !== fprobe.turns || found.dead) continue;
    if (settled) found.handled++;
    else if (wasOn) {
      const name = nameOfSite(found.story.functions, frame.site);
      const why = `${name} returned without a handler of ${fprobe.name}, and nobody said why`;
      report(found, e, why, [frame.entered, frame.began]);
    }
  }
  found.debts.delete(frame);
}

function skipped(found: Findings, e: EventOf<'skip'>): void {
  const { reasons, story } = found;
  const whose = story.fprobes.all.find(
    ({ object, told }) => object === e.object || (told?.ops === e.object && e.object !== NOBODY),
  );
  if (whose === undefined && (e.object !== NOBODY || story.fprobes.all.length === 0)) return;
  settle(found, e);
  if (e.object === NOBODY && !reasons.isGraph) return;
  const isOfOps = whose !== undefined && whose.object !== e.object;
  const wrong = isOfOps ? whyNotOps(reasons, e) : whyNot(reasons, e, frameAt(found, e));
  if (wrong !== undefined) {
    const who = whose === undefined ? 'a hit' : `a hit of ${whose.name}`;
    report(found, e, `${who} was passed over (${e.reason}), but ${wrong}`, []);
  }
  // What its ops keeps away the fprobe never hears of (FP-20).
  if (isOfOps || !isCounted(reasons, e)) {
    found.uncounted++;
    return;
  }
  for (const fprobe of story.fprobes.all) {
    if (e.object === fprobe.object) counterOf(found, fprobe).owed.set(keyOf(e), e);
  }
}

/** FP-22, FP-73: nothing is taken that there is not. */
function hooked(found: Findings, e: EventOf<'hook'>): void {
  const wrong = whyNotTaken(found.reasons, e);
  if (wrong === undefined) return;
  const { functions, fprobes } = found.story;
  const what = `the return of ${nameOfSite(functions, e.ip)} was taken for ${fprobeOf(fprobes, e.object).name}`;
  report(found, e, `${what}, but ${wrong}`, []);
}

/** Its entry comes with the call of it, when the flag has been looked at. */
function isHandler({ fprobes }: Story, func: number): boolean {
  return fprobes.all.some(({ told }) => told?.entry === func || told?.exit === func);
}

/** FP-9: who was switched off before the flow came here runs neither handler. */
function handlerBegan(found: Findings, { begin, fprobe }: Handler): void {
  const kprobe = begin.kind === ENTRY ? ignoredKprobe(found.reasons, begin) : undefined;
  if (kprobe !== undefined) {
    const why = `the entry handler of ${fprobe.name} ran although a kprobe did, and it is KPROBE_SHARED`;
    report(found, begin, why, [kprobe.index]);
  }
  const ran = found.ran.get(keyOf(begin)) ?? -1;
  if (fprobe.disabled !== true || fprobe.disabledSince > ran) return;
  const which = begin.kind === ENTRY ? 'entry' : 'exit';
  const why = `the ${which} handler of ${fprobe.name} ran although it had been disabled`;
  report(found, begin, why, [fprobe.disabledSince, ran]);
}

function keyOf({ cpu, level, pid }: Event): number {
  return contextKey(pid, cpu, level);
}

function counterOf({ counters }: Findings, fprobe: Fprobe): Counter {
  let counter = counters.get(fprobe);
  if (counter === undefined) {
    counter = { value: undefined, owed: new Map(), since: 0, isReset: false };
    counters.set(fprobe, counter);
  }
  return counter;
}

function isRegister({ op }: { readonly op: string }): boolean {
  return op.startsWith('register_fprobe');
}

function registerBegan(found: Findings, { object }: EventOf<'ctl_begin'>): void {
  const fprobe = fprobeOf(found.story.fprobes, object);
  if (fprobe.registering > 1) return;
  const counter = counterOf(found, fprobe);
  counter.since = 0;
  counter.isReset = false;
}

/** FP-4: it is 0 now, but for the misses since. A counter that was 0 before is not seen to become it. */
function registered(found: Findings, { object }: EventOf<'ctl_end'>): void {
  const counter = counterOf(found, fprobeOf(found.story.fprobes, object));
  if (!counter.isReset) counter.value = counter.since;
  counter.isReset = true;
}

function counted(found: Findings, e: EventOf<'count'>): void {
  const { story } = found;
  const fprobe = fprobeOf(story.fprobes, e.object);
  const counter = counterOf(found, fprobe);
  if (e.new === 0 && fprobe.registering > 0) {
    counter.value = 0; // FP-4
    counter.isReset = true;
    return;
  }
  const miss = counter.owed.get(keyOf(e));
  const what = `${fprobe.name}.nmissed went from ${e.old} to ${e.new}`;
  if (miss === undefined) report(found, e, `${what}, but nothing was missed that counts`, []);
  counter.owed.delete(keyOf(e));
  counter.since++;
  found.missed++;
  if (!isRacy(story)) {
    if (e.new !== e.old + 1) report(found, e, `${what} for one miss`, [miss?.index ?? -1]);
    if (counter.value !== undefined && counter.value !== e.old) {
      report(
        found,
        e,
        `${what}, but since it was registered it had been counted to ${counter.value}`,
        [],
      );
    }
  }
  counter.value = e.new;
}

function isRacy({ fprobes }: Story): boolean {
  return fprobes.rules?.racy === true;
}

function stateTold(found: Findings, e: EventOf<'fprobe_state'>): void {
  const fprobe = fprobeOf(found.story.fprobes, e.object);
  const { value } = counterOf(found, fprobe);
  if (value === undefined || value === e.nmissed || isRacy(found.story)) return;
  report(
    found,
    e,
    `${fprobe.name}.nmissed is ${e.nmissed} at the end, but since it was registered it was counted to ${value}`,
    [],
  );
}

/** Misses that nobody has counted when the run is over. */
function reportUncounted(found: Findings): void {
  if (!found.ended) return;
  for (const [fprobe, { owed }] of found.counters) {
    for (const miss of owed.values()) {
      report(
        found,
        miss,
        `${fprobe.name} missed a hit (${miss.reason}) and nmissed was not increased`,
        [],
      );
    }
  }
}

function reporter(found: Findings): Report {
  return (e, why, shows) => {
    report(found, e, why, shows);
  };
}

function report(found: Findings, e: Event, why: string, shows: readonly number[]): void {
  found.first ??= broken(e.index, `${why} (${where(found.story, e)})`, shows);
}

function verdict(found: Findings): Verdict {
  reportUncounted(found);
  const { first, handled, missed, story, uncounted } = found;
  if (first !== undefined) return first;
  const why =
    story.fprobes.all.length === 0
      ? 'There was no fprobe.'
      : 'No hooked function was entered and left while its fprobe stayed as it was.';
  return heldInParts({ handled, missed, uncounted }, why);
}
