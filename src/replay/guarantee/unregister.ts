// Layer replay. Guarantee `unregister`: nothing of a registration runs once
// unregister_ftrace_function has returned 0 (CC-O1, CC-G1, FT-30).
//
// Broken by a cb_begin of (object, generation), or a callback of it still open, after the ctl_end.
// Also by a cb_begin under any other number while nobody has begun to register the ops again: then
// there is no registration that it could belong to. A callback in which its task slept is left
// alone: it voids the guarantee by its own fault (FT-34).
//
// Exercised: a registration whose callback ran at least once was unregistered with result 0, and
// there was something that could have run too late: a callback was open when the call began or
// began during it, or one of the functions that it hooked was entered during or after the call, by
// a task that it traces and while ftrace_enabled was 1: at 0 nothing could run, late or not.
import type { EventOf } from '../schema.ts';
import { broken, type Broken, earlier, type Guarantee, type Verdict } from './judge.ts';
import type { Control } from './ops.ts';
import { type Hash, selects, spares } from './selection.ts';
import { type Callback, type Story } from './story.ts';
import { isTraced } from './traced.ts';
import { type FprobeFindings, fprobeEndListeners, newFprobeFindings } from './unregister-fprobe.ts';
import { theCall, theCallback, where } from './wording.ts';

const UNREGISTER = 'unregister_ftrace_function';

/** An unregister call, from its ctl_begin until it has exercised the guarantee. */
interface Ending {
  readonly control: Control;
  /** What the ops may have selected when the call began. */
  readonly filters: readonly Hash[];
  readonly notraces: readonly Hash[];
  /** Generations with a callback open at some time during the call. */
  readonly overlapping: Set<number>;
  reached: boolean;
}

interface Findings {
  readonly story: Story;
  first: Broken | undefined;
  endings: Ending[];
  exercised: number;
  /** Calls that returned 0, and those of them whose registration had run a callback. */
  succeeded: number;
  ran: number;
}

export const unregister: Guarantee = {
  name: 'unregister',
  sentence:
    'Once unregister_ftrace_function has returned 0, the callback is not running anywhere ' +
    'and will not start; once unregister_fprobe has, neither are its handlers.',
  document: 'Using ftrace to hook to functions',
  section: 'The ftrace_ops structure',
  rules: ['FT-30', 'FP-6', 'CC-G1', 'CC-G7', 'CC-G8', 'CC-O1'],
  start(story) {
    const found: Findings = {
      story,
      first: undefined,
      endings: [],
      exercised: 0,
      succeeded: 0,
      ran: 0,
    };
    const ofFprobes = newFprobeFindings(story);
    const also = fprobeEndListeners(ofFprobes);
    return {
      on: {
        ...also,
        ctl_begin: (e) => {
          also.ctl_begin?.(e);
          if (story.control !== undefined && isPromised(story.control)) begin(found, story.control);
        },
        ctl_end: (e) => {
          also.ctl_end?.(e);
          const { ending } = story.fprobes;
          if (ending !== undefined) noteSuccess(found, ending.fprobe.ran.has(e.generation));
          if (story.control !== undefined && isPromised(story.control))
            end(found, story.control, e);
        },
        cb_begin: (e) => {
          also.cb_begin?.(e);
          if (story.callback !== undefined) callbackBegan(found, story.callback);
        },
        func_enter: (e) => {
          also.func_enter?.(e);
          if (story.entered !== undefined && found.endings.length > 0) {
            functionEntered(found, story.entered.site, e.pid);
          }
        },
      },
      end: () => verdict(found, ofFprobes),
    };
  },
};

/** For an ops in core kernel data unregister waits for nobody (FT-31). */
function isPromised({ op, ops }: Control): boolean {
  return op === UNREGISTER && !ops.isStatic;
}

function begin(found: Findings, control: Control): void {
  const { ops } = control;
  const open = found.story.open.filter((callback) => callback.ops === ops);
  found.endings.push({
    control,
    filters: ops.filter.now,
    notraces: ops.notrace.now,
    overlapping: new Set(open.map((callback) => callback.begin.generation)),
    reached: false,
  });
}

function end(found: Findings, control: Control, e: EventOf<'ctl_end'>): void {
  if (e.result !== 0) {
    found.endings = found.endings.filter((ending) => ending.control !== control);
    return;
  }
  noteSuccess(found, control.ops.ran.has(e.generation));
  for (const callback of found.story.open) {
    const belongs =
      callback.ops === control.ops && callback.begin.generation === e.generation && !callback.slept;
    if (belongs) reportOpen(found, callback, control);
  }
  count(found);
}

/** A call returned 0, for a registration that had run something or not. */
function noteSuccess(found: Findings, ran: boolean): void {
  found.succeeded++;
  if (ran) found.ran++;
}

function callbackBegan(found: Findings, callback: Callback): void {
  const { ops, begin: e } = callback;
  for (const { control, overlapping } of found.endings) {
    if (control.ops === ops) overlapping.add(e.generation);
  }
  const over = ops.ended.get(e.generation) ?? ops.quiet;
  if (over !== undefined && !ops.isStatic) reportLate(found, callback, over);
}

function functionEntered(found: Findings, site: number, pid: number): void {
  let news = false;
  for (const ending of found.endings) {
    if (ending.reached || !hooked(ending, site)) continue;
    if (!isTraced(found.story, ending.control.ops, pid)) continue;
    ending.reached = true;
    news = true;
  }
  if (news) count(found);
}

function hooked({ filters, notraces }: Ending, site: number): boolean {
  return filters.some((hash) => selects(hash, site)) && notraces.some((hash) => spares(hash, site));
}

/** Counts the endings whose situation is complete, and forgets them and those that can never be. */
function count(found: Findings): void {
  found.endings = found.endings.filter((ending) => {
    const { end: ended, ops } = ending.control;
    if (ended === undefined) return true;
    if (!ops.ran.has(ended.generation)) return false;
    const complete = ending.reached || ending.overlapping.has(ended.generation);
    if (complete) found.exercised++;
    return !complete;
  });
}

function reportOpen(found: Findings, callback: Callback, control: Control): void {
  const { story } = found;
  const ended = control.end;
  if (found.first !== undefined || ended === undefined) return;
  const why =
    `${theCallback(story, callback)} (begun at ${where(story, callback.begin)}) ` +
    `was still running when ${theCall(control)} returned 0 (${where(story, ended)})`;
  found.first = broken(ended.index, why, [callback.begin.index, control.begin.index]);
}

function reportLate(found: Findings, callback: Callback, control: Control): void {
  const { story } = found;
  const ended = control.end;
  if (found.first !== undefined || ended === undefined) return;
  const why =
    `${theCallback(story, callback)} began (${where(story, callback.begin)}) ` +
    `after ${theCall(control)} had returned 0 (${where(story, ended)})`;
  const shows = [control.begin.index, ended.index, callback.hitBegan];
  found.first = broken(callback.begin.index, why, shows);
}

function verdict(found: Findings, ofFprobes: FprobeFindings): Verdict {
  const first = earlier(found.first, ofFprobes.first);
  if (first !== undefined) return first;
  const exercised = found.exercised + ofFprobes.exercised;
  if (exercised > 0) return { status: 'held', exercised };
  return { status: 'never exercised', why: whatWasMissing(found) };
}

function whatWasMissing({ succeeded, ran }: Findings): string {
  if (succeeded === 0) return 'No unregister_ftrace_function or unregister_fprobe returned 0.';
  if (ran === 0) return 'No callback or handler ran before its probe was unregistered.';
  return 'No hooked function was entered during or after the unregister; nothing was running.';
}
