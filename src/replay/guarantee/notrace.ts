// Layer replay. Guarantee `notrace`: the notrace set wins over the filter (CC-O4, CC-G4, FT-36).
//
// Broken by a callback for a function that is in every notrace set which may have been in force
// since its hit began. During a change of the set both the old and the new one may be, so what only
// one of them holds may go either way.
//
// Exercised, for each time: a function is entered that is for certain in the notrace set and
// selected by the filter of an ops that is for certain registered, by a task that it traces while
// ftrace_enabled is 1. Without the notrace set its
// callback would run.
import { broken, type Broken, type Guarantee, type Verdict } from './judge.ts';
import { type Control, isRegistered, type Ops } from './ops.ts';
import { ever, hashesSince, selects, spares } from './selection.ts';
import { type Callback, isStray, type Story } from './story.ts';
import { isTraced } from './traced.ts';
import { functionsOf, notSeen, theCall, theCallback, where } from './wording.ts';

interface Findings {
  readonly story: Story;
  first: Broken | undefined;
  exercised: number;
  /**
   * Was an ops with a notrace set ever registered? Was a function of such a set ever entered then?
   */
  registered: boolean;
  entered: boolean;
}

export const notrace: Guarantee = {
  name: 'notrace',
  sentence:
    'A function in the notrace set never calls the callback, whatever the filter set says; ' +
    'an empty notrace set excludes nothing.',
  document: 'Using ftrace to hook to functions',
  section: 'Filtering which functions to trace',
  rules: ['FT-36', 'FT-37', 'CC-G4', 'CC-O4'],
  start(story) {
    const found: Findings = {
      story,
      first: undefined,
      exercised: 0,
      registered: false,
      entered: false,
    };
    return {
      on: {
        cb_begin: () => {
          if (story.callback !== undefined) callbackBegan(found, story.callback);
        },
        func_enter: ({ pid }) => {
          if (story.entered === undefined) return;
          for (const ops of story.ops) {
            if (isTraced(story, ops, pid)) functionEntered(found, ops, story.entered.site);
          }
        },
      },
      end: () => verdict(found),
    };
  },
};

function functionEntered(found: Findings, ops: Ops, site: number): void {
  const sets = ops.notrace.now;
  if (!isRegistered(ops) || sets.some((hash) => hash.size === 0)) return;
  found.registered = true;
  if (sets.some((hash) => spares(hash, site))) return;
  found.entered = true;
  if (ops.filter.now.every((hash) => selects(hash, site))) found.exercised++;
}

function callbackBegan(found: Findings, callback: Callback): void {
  if (found.first !== undefined || isStray(callback)) return;
  const { ops, begin, hitBegan } = callback;
  if (ever(ops.notrace, hitBegan, (hash) => spares(hash, begin.ip))) return;
  const change = lastChange(callback);
  const shows = [change?.begin.index ?? -1, change?.end?.index ?? -1, hitBegan];
  found.first = broken(begin.index, whyBroken(found.story, callback, change), shows);
}

function lastChange({ ops }: Callback): Control | undefined {
  return ops.changes.findLast(
    (c) => c.history === ops.notrace && (c.end === undefined || c.end.result === 0),
  );
}

function whyBroken(story: Story, callback: Callback, change: Control | undefined): string {
  const sets = hashesSince(callback.ops.notrace, callback.hitBegan)
    .map((hash) => `{${functionsOf(story, hash, 'nothing')}}`)
    .join(' or ');
  const ran = `${theCallback(story, callback)} ran (${where(story, callback.begin)})`;
  const since = change === undefined ? '' : `, by ${theCall(change)}`;
  return `${ran}, but from its hit on the notrace set was ${sets}${since}`;
}

function verdict(found: Findings): Verdict {
  if (found.first !== undefined) return found.first;
  if (found.exercised > 0) return { status: 'held', exercised: found.exercised };
  return { status: 'never exercised', why: whatWasMissing(found) + notSeen(found.story) };
}

function whatWasMissing({ registered, entered }: Findings): string {
  if (!registered) return 'No function ran while an ops with a notrace set was registered.';
  if (!entered) return 'No function of a notrace set was entered while its ops was registered.';
  return 'The functions of the notrace set that were entered are not in the filter set.';
}
