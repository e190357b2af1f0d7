// Layer replay. Guarantee `nmissed` for kprobes: every hit of an instruction is handled by each probe that is there and
// enabled, counted as missed by each that is there, or was ended by an earlier one; and the counters are right (KP-32, KP-35,
// KP-43, KP-51, KR-4, KR-7, CC-G10). On ftrace sites: every call.
//
// Broken by a hit in which a registered probe neither ran nor is said why not; by a reason that the judge's own account
// rules out: `kprobe_running` where nothing runs, `disabled` of one that is enabled, `stopped` behind nobody who refused,
// `no_node` while instances are free, `rejected` by an entry handler that returned 0; by a miss that is not counted, a
// count without a miss, a counter that is not one more than before or ends as something else; and by a handler of a probe
// that was disabled before its hit began.
//
// Left alone: probes on which a call began or ended since their hit began; probes without a pre_handler.
//
// Exercised, for each time: a hit was handled by all (part `kprobe handled`), a miss is counted (`kprobe missed`), or
// a probe is passed over uncounted (`kprobe uncounted`).
import type { Event, EventOf } from '../schema.ts';
import { contextKey, type Frame, innermost } from './hit.ts';
import { broken, type Broken } from './judge.ts';
import { type Counters, counterListeners, newCounters, owe } from './kprobe-counters.ts';
import { type Candidate, candidateOf, hitAt, type KprobeHit } from './kprobe-hits.ts';
import {
  type Instances,
  instanceListeners,
  lifeOf,
  newInstances,
  noneFree,
} from './kprobe-instances.ts';
import type { KprobeJudge, KprobePart } from './kprobe-part.ts';
import { FTRACE, isArmed, type Kprobe, type KprobeHandler, NULL_ADDRESS } from './kprobes.ts';
import {
  isFull,
  newRecursionWords,
  type RecursionWords,
  wordListeners,
} from './recursion-words.ts';
import { contextOf, type Story } from './story.ts';
import { nameOfPlace, theKprobeHandler, where } from './wording.ts';

interface Findings {
  readonly story: Story;
  readonly words: RecursionWords;
  readonly debts: WeakMap<Frame, readonly Candidate[]>;
  readonly counters: Counters;
  readonly instances: Instances;
  /** The last `current_kprobe` and `region_close` of each CPU. */
  readonly current: Map<number, EventOf<'current_kprobe'>>;
  readonly closed: Map<number, number>;
  readonly answers: Map<string, EventOf<'entry_result'>>;
  first: Broken | undefined;
  dead: boolean;
  handled: number;
  uncounted: number;
}

const MISSED = 'kprobe_running';
/** Object of a skip that concerns whoever would have been called. */
const NOBODY = 0;

export const kprobesNmissed: KprobePart = {
  sentence:
    'Every hit of a kprobe runs its pre_handler, or is counted in nmissed of each probe of the address ' +
    'because another kprobe ran there, unless it is disabled or an earlier pre_handler refused; a kretprobe ' +
    'counts calls for which it has no instance.',
  rules: ['KP-32', 'KP-35', 'KP-43', 'KP-51', 'KR-4', 'KR-7'],
  start(story): KprobeJudge {
    const tell = (e: Event, why: string, shows: readonly number[] = []): void => {
      report(found, e, why, shows);
    };
    const found: Findings = {
      story,
      words: newRecursionWords(),
      debts: new WeakMap(),
      counters: newCounters(story, tell),
      instances: newInstances(),
      current: new Map(),
      closed: new Map(),
      answers: new Map(),
      first: undefined,
      dead: false,
      handled: 0,
      uncounted: 0,
    };
    return { on: listeners(found), end: () => ({ first: found.first, parts: partsOf(found) }) };
  },
};

function partsOf({ counters, handled, story, uncounted }: Findings): Record<string, number> {
  if (story.kprobes.all.size === 0) return {};
  return {
    'kprobe handled': handled,
    'kprobe missed': counters.missed,
    'kprobe uncounted': uncounted,
  };
}

function listeners(found: Findings): KprobeJudge['on'] {
  const { closed, counters, current, instances, story } = found;
  const { kprobeHits, kprobes } = story;
  const [words, taking] = [wordListeners(found.words), instanceListeners(instances)];
  return {
    ...words,
    ...counterListeners(counters),
    ...taking,
    current_kprobe: (e) => {
      taking.current_kprobe?.(e);
      current.set(e.cpu, e);
    },
    region_close: (e) => {
      taking.region_close?.(e);
      closed.set(e.cpu, e.index);
    },
    kprobe_state: (e) => {
      counterListeners(counters).kprobe_state?.(e);
      poolTold(found, e);
    },
    trap_exit: (e) => {
      words.trap_exit?.(e);
      if (kprobeHits.left?.phase === 'over') hitOver(found, kprobeHits.left, e);
    },
    func_enter: (e) => {
      if (story.entered !== undefined && kprobes.all.size > 0) entered(found, e);
    },
    func_return: (e) => {
      if (story.left !== undefined) returned(found, story.left, e);
    },
    cb_begin: () => {
      if (kprobes.handler !== undefined) handlerBegan(found, kprobes.handler);
    },
    hook: (e) => {
      taking.hook?.(e);
      settle(found, e);
    },
    entry_result: (e) => {
      if (kprobes.all.has(e.object)) found.answers.set(answerKey(e), e);
    },
    skip: (e) => {
      skipped(found, e);
    },
    kill: () => {
      found.dead = true;
    },
  };
}

/** Who is on the ftrace site of a function owes for each call of it. */
function entered(found: Findings, e: EventOf<'func_enter'>): void {
  const { debts, story } = found;
  const { kprobes, settings } = story;
  const frame = contextOf(story, e).top;
  if (frame === undefined || settings.enabled.value !== true || found.dead) return;
  const owed: Candidate[] = [];
  for (const probe of kprobes.all.values()) {
    const { told } = probe;
    const isHere = told?.ip === frame.site && told.how === FTRACE;
    if (isHere && isOwed(probe) && isArmed(kprobes, probe)) owed.push(candidateOf(probe));
  }
  if (owed.length > 0) debts.set(frame, owed);
}

/** Nothing is told of one without a pre_handler. */
function isOwed({ kind, told }: Kprobe): boolean {
  return kind === 'kretprobe' || (told !== undefined && told.pre !== NULL_ADDRESS);
}

interface Place {
  readonly pid: number;
  readonly cpu: number;
  readonly level: number;
  readonly ip: number;
  readonly object: number;
}

function settle(found: Findings, e: Place): void {
  const frame = innermost(contextOf(found.story, e), e.ip);
  for (const debt of (frame === undefined ? undefined : found.debts.get(frame)) ?? []) {
    if (debt.probe.object === e.object) debt.settled = true;
  }
}

/** The switch and the filter of the site may have changed since. */
function returned(found: Findings, frame: Frame, e: EventOf<'func_return'>): void {
  const owed = found.debts.get(frame);
  if (owed === undefined) return;
  found.debts.delete(frame);
  const { kprobes, settings } = found.story;
  const isQuiet =
    settings.enabled.value === true &&
    settings.enabled.since < frame.entered &&
    kprobes.on === true &&
    kprobes.switched < frame.entered;
  for (const { probe, settled, turns } of owed) {
    if (turns !== probe.turns || found.dead || !isQuiet) continue;
    if (settled) found.handled++;
    else {
      const name = nameOfPlace(found.story.functions, frame.site);
      const why = `a call of ${name} returned without a handler of ${probe.name}, and nobody said why`;
      report(found, e, why, [frame.entered, frame.began]);
    }
  }
}

/** Every probe of the address was called, or passed over for a reason of its own. */
function hitOver(found: Findings, hit: KprobeHit, e: EventOf<'trap_exit'>): void {
  const { kprobes } = found.story;
  const isMissed = hit.skips.some(({ reason }) => reason === MISSED);
  for (const { disabled, probe, settled, turns } of hit.candidates) {
    if (turns !== probe.turns || probe.lost || probe.gone) continue;
    if (!isMissed && (!isOwed(probe) || disabled !== false || kprobes.on !== true)) continue;
    if (settled) {
      found.handled++;
      continue;
    }
    const name = nameOfPlace(found.story.functions, hit.ip);
    const what = isMissed ? `was missed by others, but not by ${probe.name}` : '';
    const why = `a hit at ${name} ${isMissed ? what : `was neither handled nor missed by ${probe.name}`}`;
    report(found, e, why, [hit.begin.index]);
  }
}

/** KP-33: who was disabled before the hit began runs no handler. A return handler runs on (KR-9). */
function handlerBegan(found: Findings, handler: KprobeHandler): void {
  const { begin, probe } = handler;
  settle(found, begin);
  if (begin.kind === 'kretprobe' || probe.disabled !== true) return;
  const frame = innermost(contextOf(found.story, begin), begin.ip);
  const began = hitAt(found.story.kprobeHits, begin)?.begin.index ?? frame?.began ?? -1;
  if (probe.disabledSince > began) return;
  const why = `${theKprobeHandler(found.story, handler)} ran although it had been disabled`;
  report(found, begin, why, [probe.disabledSince, began]);
}

function skipped(found: Findings, e: EventOf<'skip'>): void {
  const { kprobes } = found.story;
  if (e.object === NOBODY) {
    refused(found, e);
    return;
  }
  const probe = kprobes.all.get(e.object);
  if (probe === undefined) return;
  settle(found, e);
  const wrong = whyNot(found, e, probe);
  if (wrong !== undefined) {
    const name = nameOfPlace(found.story.functions, e.ip);
    report(found, e, `${probe.name} was passed over at ${name} (${e.reason}), but ${wrong}`, []);
  }
  if (!owe(found.counters, e)) found.uncounted++;
}

/** CC-H8.1: a trylock that fails concerns all that are on the site, and counts for nobody. */
function refused(found: Findings, e: EventOf<'skip'>): void {
  if (e.reason !== 'recursion' || !isFull(found.words, e)) return;
  const frame = innermost(contextOf(found.story, e), e.ip);
  for (const debt of (frame === undefined ? undefined : found.debts.get(frame)) ?? []) {
    debt.settled = true;
  }
}

/** How many instances there are is told at the end only, of what is still registered. */
function poolTold(found: Findings, e: EventOf<'kprobe_state'>): void {
  const probe = found.story.kprobes.all.get(e.object);
  if (probe === undefined || probe.generation === 0 || probe.lost) return;
  const shortage = found.instances.fewest.get(lifeOf(probe));
  if (shortage === undefined || shortage.busy >= e.nodes) return;
  const what = `${probe.name} had no instance for a call while ${shortage.busy} of ${e.nodes} were in use`;
  report(found, e, what, [shortage.skip.index]);
}

/** What rules the reason of `e` out; undefined when nothing does. */
function whyNot(found: Findings, e: EventOf<'skip'>, probe: Kprobe): string | undefined {
  switch (e.reason) {
    case MISSED:
      return isIdle(found, e) ? 'no kprobe ran on this CPU' : undefined;
    case 'disabled':
      return isArmed(found.story.kprobes, probe) && isSinceHit(found, e, probe)
        ? 'it was enabled'
        : undefined;
    case 'stopped':
      return isStopped(found, e) ? undefined : 'no pre_handler before it refused';
    case 'no_node':
      return noneFree(found.instances, e) ? undefined : 'instances were free';
    case 'not_watching':
      return found.story.unwatched.has(e.cpu) ? undefined : 'RCU was watching';
    case 'rejected':
      return found.answers.get(answerKey(e))?.value === 0
        ? 'its entry handler returned 0'
        : undefined;
    case 'removed':
      return probe.generation === e.generation && probe.busy === 0 && !probe.lost
        ? 'it was registered all the time'
        : undefined;
    default:
      return undefined;
  }
}

/** Was it enabled before the hit began? */
function isSinceHit(found: Findings, e: EventOf<'skip'>, probe: Kprobe): boolean {
  const frame = innermost(contextOf(found.story, e), e.ip);
  const began = hitAt(found.story.kprobeHits, e)?.begin.index ?? frame?.began ?? -1;
  return probe.disabledSince < began && found.story.kprobes.switched < began;
}

/** Nothing has been said to run since the CPU was last preemptible, so nothing does. */
function isIdle({ closed, current }: Findings, { cpu }: EventOf<'skip'>): boolean {
  const last = current.get(cpu);
  if (last === undefined || last.status === 0) return true;
  return last.index < (closed.get(cpu) ?? -1);
}

/** KP-32. */
function isStopped(found: Findings, e: EventOf<'skip'>): boolean {
  const hit = hitAt(found.story.kprobeHits, e);
  const last = hit?.ran.at(-1);
  return hit === undefined || last === undefined || last.refused !== false;
}

function answerKey(e: Pick<Place, 'cpu' | 'level' | 'object' | 'pid'>): string {
  return `${contextKey(e.pid, e.cpu, e.level)} ${e.object}`;
}

function report(found: Findings, e: Event, why: string, shows: readonly number[]): void {
  found.first ??= broken(e.index, `${why} (${where(found.story, e)})`, shows);
}
