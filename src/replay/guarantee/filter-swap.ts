// Layer replay. Guarantee `filter-swap`: a change of the filter has no all-functions window (CC-O3,
// CC-G3, FT-40).
//
// Broken by a callback for a function that no filter selects which may have been in force since its
// hit began: outside of changes that is the one filter, between ctl_begin and ctl_end of a change
// also the next one. So a callback for an old function is legal after the call has returned if its
// hit began before (FT-42), and the two-call form legally opens a window for all functions (FT-41).
// The notrace set is a swap of its own and has its own judge: nothing is expected of the two
// together, so what lies in neither old nor new selection between two swaps is not held against
// anybody (CC-G3 (a)). Two more things select: `ftrace_enabled`, which selects nothing at 0, and the
// pid filter. Broken too by a callback whose hit began when one of them left it out for certain
// (FT-18, FT-48).
//
// Exercised, in the part `swaps`: a successful change of the filter of an ops that stayed registered made a
// difference, and during it or after it (until the next one, or unregister) a function was entered that no
// filter in force selects, by a task that is traced and while ftrace_enabled is 1: that is the function
// that would have been called by mistake. In the parts `disabled` and `pids`, for each time: a function was entered that
// a registered ops selects for certain, and ftrace_enabled was 0, or the pid filter left the task out.
import type { EventOf } from '../schema.ts';
import type { TracedFunction } from './functions.ts';
import { broken, type Broken, type Guarantee, heldInParts, type Verdict } from './judge.ts';
import { type Control, hooks, isRegistered, isSelected } from './ops.ts';
import { ever, type Hash, hashesSince, sameHash, selects } from './selection.ts';
import { type Callback, isStray, type Story } from './story.ts';
import { isTraced, leftOut, whyUntraced } from './traced.ts';
import { functionsOf, notSeen, theCall, theCallback, where } from './wording.ts';

interface Swap {
  readonly control: Control;
  entered: boolean;
}

interface Findings {
  readonly story: Story;
  first: Broken | undefined;
  /** Changes under way, or over and not yet counted. */
  swaps: Swap[];
  /** By part. */
  swapped: number;
  disabled: number;
  pids: number;
  /** Successful changes of a registered ops, and those of them that made a difference. */
  succeeded: number;
  different: number;
}

export const filterSwap: Guarantee = {
  name: 'filter-swap',
  sentence:
    'While a filter changes, the callback runs only for functions of the old or the new filter, ' +
    'and for hits that begin after the return only for those of the new one; never for all. It runs for ' +
    'none while ftrace_enabled is 0, and not in a task that the pid filter leaves out.',
  document: 'Using ftrace to hook to functions',
  section: 'Filtering which functions to trace',
  rules: ['FT-18', 'FT-36', 'FT-40', 'FT-41', 'FT-42', 'FT-43', 'FT-48', 'CC-G3', 'CC-O3'],
  start(story) {
    const found: Findings = {
      story,
      first: undefined,
      swaps: [],
      swapped: 0,
      disabled: 0,
      pids: 0,
      succeeded: 0,
      different: 0,
    };
    return {
      on: {
        ctl_begin: () => {
          if (story.control !== undefined) begin(found, story.control);
        },
        ctl_end: () => {
          if (story.control !== undefined) end(found, story.control);
        },
        cb_begin: () => {
          if (story.callback !== undefined) callbackBegan(found, story.callback);
        },
        func_enter: (e) => {
          if (story.entered === undefined) return;
          if (found.swaps.length > 0) functionEntered(found, story.entered.site, e.pid);
          untracedEntered(found, story.entered, e);
        },
      },
      end: () => verdict(found),
    };
  },
};

/** A next change, or unregister, ends the time in which an older one is the last that happened. */
function begin(found: Findings, control: Control): void {
  const { ops } = control;
  if (control.history === ops.notrace || control.op === 'register_ftrace_function') return;
  found.swaps = found.swaps.filter(
    (swap) => swap.control.ops !== ops || swap.control.end === undefined,
  );
  if (control.history === ops.filter && control.registered) {
    found.swaps.push({ control, entered: false });
  }
}

function end(found: Findings, control: Control): void {
  const swap = found.swaps.find((other) => other.control === control);
  if (swap === undefined) return;
  const drop = (): void => {
    found.swaps = found.swaps.filter((other) => other !== swap);
  };
  if (control.end?.result !== 0 || !isRegistered(control.ops)) return drop();
  found.succeeded++;
  if (sameSets(control.before, control.ops.filter.now)) return drop();
  found.different++;
  if (!swap.entered) return;
  found.swapped++;
  drop();
}

function sameSets(before: readonly Hash[], after: readonly Hash[]): boolean {
  return after.every((hash) => before.some((other) => sameHash(hash, other)));
}

function functionEntered(found: Findings, site: number, pid: number): void {
  let complete = false;
  for (const swap of found.swaps) {
    if (swap.control.ops.filter.now.some((hash) => selects(hash, site))) continue;
    if (!isTraced(found.story, swap.control.ops, pid)) continue;
    swap.entered = true;
    if (swap.control.end === undefined) continue;
    found.swapped++;
    complete = true;
  }
  if (!complete) return;
  found.swaps = found.swaps.filter((swap) => swap.control.end === undefined || !swap.entered);
}

/** Who would be called by mistake if `ftrace_enabled` or the pid filter were overlooked. */
function untracedEntered(
  found: Findings,
  entered: TracedFunction,
  { cpu, index, pid }: EventOf<'func_enter'>,
): void {
  const { story } = found;
  const { enabled, pids } = story.settings;
  if (enabled.value === true && pids.value === 'all') return;
  let [isDisabled, isLeftOut] = [false, false];
  for (const ops of story.ops) {
    if (!isRegistered(ops) || !isSelected(ops, entered.site) || hooks(ops, entered) !== true)
      continue;
    const by = leftOut(story, ops, { cpu, pid, began: index })?.by;
    isDisabled ||= by === 'ftrace_enabled';
    isLeftOut ||= by === 'set_ftrace_pid';
  }
  if (isDisabled) found.disabled++;
  if (isLeftOut) found.pids++;
}

function callbackBegan(found: Findings, callback: Callback): void {
  if (found.first !== undefined || isStray(callback)) return;
  const { ops, begin: e, hitBegan } = callback;
  const untraced = whyUntraced(found.story, callback);
  if (untraced !== undefined) {
    const ran = `${theCallback(found.story, callback)} ran (${where(found.story, e)})`;
    const shows = [untraced.told, hitBegan];
    found.first = broken(e.index, `${ran}, but from its hit on ${untraced.why}`, shows);
    return;
  }
  if (ever(ops.filter, hitBegan, (hash) => selects(hash, e.ip))) return;
  const changes = changesAround(callback);
  const shows = [...changes.flatMap((c) => [c.begin.index, c.end?.index ?? -1]), hitBegan];
  found.first = broken(e.index, whyBroken(found.story, callback, changes), shows);
}

/**
 * Successful or unfinished changes that say what the filter was during the hit: the last one
 * before, and all within.
 */
function changesAround({ ops, hitBegan }: Callback): readonly Control[] {
  const real = ops.changes.filter(
    (c) => c.history === ops.filter && (c.end === undefined || c.end.result === 0),
  );
  const within = real.findIndex((c) => c.end === undefined || c.end.index > hitBegan);
  if (within === -1) return real.slice(-1);
  return real.slice(Math.max(0, within - 1));
}

function whyBroken(story: Story, callback: Callback, changes: readonly Control[]): string {
  const sets = hashesSince(callback.ops.filter, callback.hitBegan)
    .map((hash) => `{${functionsOf(story, hash, 'all functions')}}`)
    .join(' or ');
  const last = changes.at(-1);
  const ran = `${theCallback(story, callback)} ran (${where(story, callback.begin)})`;
  if (last === undefined) return `${ran}, but its filter was ${sets}`;
  const after = last.end === undefined ? 'during' : 'after';
  return `${ran} ${after} ${theCall(last)}, but from its hit on the filter was ${sets}`;
}

function verdict(found: Findings): Verdict {
  const { disabled, first, pids, swapped } = found;
  if (first !== undefined) return first;
  return heldInParts(
    { swaps: swapped, disabled, pids },
    whatWasMissing(found) + notSeen(found.story),
  );
}

function whatWasMissing({ succeeded, different }: Findings): string {
  if (succeeded === 0) return 'No filter of a registered ops was changed successfully.';
  if (different === 0) return 'No change of a filter made a difference to what it selects.';
  return 'No function outside of the filter was entered during or after its change.';
}
