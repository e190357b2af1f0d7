// Layer replay. Guarantee `start`: by the return of register every selected function runs the callback (CC-O2,
// CC-G2, FT-26), and by the return of a filter change so does every function of the new filter.
//
// Broken by a call of a function that returns without a callback of an ops which was registered for certain when
// the function was entered, whose filter and notrace set select it whatever order of the calls there was, and on
// which nobody made a call meanwhile. A hit that the list function refuses for recursion is excused, if both bits
// are set by the judge's own account, and so is one of an ops with the RCU flag where RCU does not watch. Which functions
// are selected is computed anew from the calls. During register, and while any call on the ops is under way, it
// may go either way (FT-28). When ftrace is dead nothing is owed any more (FT-11).
//
// Exercised, for each time: a function returns whose call owed a callback, while nobody called anything (part `alone`)
// or while a call on another ops was under way (`besides`); or one that owed a handler of an fprobe (`fprobes`,
// start-fprobe.ts).
import type { EventOf } from '../schema.ts';
import { NOBODY } from './fprobes.ts';
import { nameOfSite } from './functions.ts';
import { type Frame, innermost } from './hit.ts';
import {
  broken,
  type Broken,
  earlier,
  type Guarantee,
  heldInParts,
  type Verdict,
} from './judge.ts';
import { type Listeners, together } from './listen.ts';
import { FLAG_RCU, hooks, isRegistered, isSelected, type Ops } from './ops.ts';
import {
  isFull,
  newRecursionWords,
  type RecursionWords,
  wordListeners,
} from './recursion-words.ts';
import { type FprobeStarts, fprobeStartListeners, newFprobeStarts } from './start-fprobe.ts';
import { type Callback, contextOf, type Story } from './story.ts';
import { isTraced } from './traced.ts';
import { where } from './wording.ts';

/** A callback that a call of a function owes. */
interface Debt {
  readonly ops: Ops;
  /** How many calls on the ops had begun or ended when the function was entered. */
  readonly turns: number;
  /** As `turns`, of what is no call on an ops. */
  readonly writes: number;
  paid: boolean;
  /** The last event that says why not; -1: none. */
  skipped: number;
}

interface Findings {
  readonly story: Story;
  readonly words: RecursionWords;
  readonly debts: WeakMap<Frame, readonly Debt[]>;
  /** Calls on an ops that have begun or ended. */
  readonly turns: Map<Ops, number>;
  /** Of other calls: writes of files. */
  writes: number;
  first: Broken | undefined;
  alone: number;
  besides: number;
  registered: boolean;
  dead: boolean;
}

const RECURSION = 'recursion';
const RCU = 'rcu';
const CPU_OPERATIONS: ReadonlySet<string> = new Set(['cpu_down', 'cpu_up']);

export const start: Guarantee = {
  name: 'start',
  sentence:
    'Once register_ftrace_function has returned 0, every call of a selected function runs the ' +
    'callback, and no other probe that comes or goes makes it miss one; once register_fprobe has, it runs ' +
    'the handlers, or is passed over for a listed reason.',
  document: 'Using ftrace to hook to functions',
  section: 'The ftrace_ops structure',
  rules: ['FT-26', 'FP-5', 'CC-G2', 'CC-O2'],
  start(story) {
    const found: Findings = {
      story,
      words: newRecursionWords(),
      debts: new WeakMap(),
      turns: new Map(),
      writes: 0,
      first: undefined,
      alone: 0,
      besides: 0,
      registered: false,
      dead: false,
    };
    const ofFprobes = newFprobeStarts(story);
    const on: Listeners = {
      ...wordListeners(found.words),
      func_enter: (e) => {
        if (story.entered !== undefined && !found.dead) functionEntered(found, e);
      },
      func_return: (e) => {
        if (story.left !== undefined) functionReturned(found, story.left, e);
      },
      cb_begin: () => {
        if (story.callback !== undefined) callbackBegan(found, story.callback);
      },
      skip: (e) => {
        skipped(found, e);
      },
      ctl_begin: (e) => {
        callTurned(found, e.op);
      },
      ctl_end: (e) => {
        callTurned(found, e.op);
      },
      kill: () => {
        found.dead = true;
      },
    };
    return {
      on: together([fprobeStartListeners(ofFprobes), on]),
      end: () => verdict(found, ofFprobes),
    };
  },
};

function callTurned(found: Findings, op: string): void {
  const { story, turns } = found;
  if (story.control === undefined) {
    // A file may have been written, which concerns all of them (FT-18, FT-48). A CPU that goes concerns none.
    if (!CPU_OPERATIONS.has(op)) found.writes++;
    return;
  }
  const { ops } = story.control;
  turns.set(ops, turnsOf(turns, ops) + 1);
}

function turnsOf(turns: Findings['turns'], ops: Ops): number {
  return turns.get(ops) ?? 0;
}

function functionEntered(found: Findings, e: EventOf<'func_enter'>): void {
  const { debts, story, turns } = found;
  const frame = contextOf(story, e).top;
  if (frame === undefined) return;
  let owed: Debt[] | undefined;
  for (const ops of story.ops) {
    if (!isRegistered(ops)) continue;
    found.registered = true;
    if (!isSelected(ops, frame.site) || !isTraced(story, ops, e.pid)) continue;
    if (story.entered === undefined || hooks(ops, story.entered) !== true) continue;
    owed ??= [];
    const { writes } = found;
    owed.push({ ops, turns: turnsOf(turns, ops), writes, paid: false, skipped: -1 });
  }
  if (owed !== undefined) debts.set(frame, owed);
}

function callbackBegan({ debts }: Findings, { hit, ops }: Callback): void {
  if (hit === undefined) return;
  for (const debt of debts.get(hit) ?? []) if (debt.ops === ops) debt.paid = true;
}

/** The list function says why a callback did not run. */
function skipped(found: Findings, e: EventOf<'skip'>): void {
  const { debts, story, words } = found;
  const frame = innermost(contextOf(story, e), e.ip);
  for (const debt of (frame === undefined ? undefined : debts.get(frame)) ?? []) {
    if (e.object !== NOBODY && e.object !== debt.ops.object) continue;
    debt.skipped = e.index;
    if (e.reason === RECURSION && isFull(words, e)) debt.paid = true;
    const needsRcu = (debt.ops.flags & FLAG_RCU) !== 0 && found.story.unwatched.has(e.cpu);
    if (e.reason === RCU && needsRcu) debt.paid = true;
  }
}

function functionReturned(found: Findings, frame: Frame, e: EventOf<'func_return'>): void {
  for (const debt of found.debts.get(frame) ?? []) {
    if (debt.turns !== turnsOf(found.turns, debt.ops) || debt.writes !== found.writes) continue;
    if (found.story.calls.length > 0) found.besides++;
    else found.alone++;
    if (!debt.paid && !found.dead) missed(found, frame, debt, e);
  }
  found.debts.delete(frame);
}

function missed(found: Findings, frame: Frame, debt: Debt, e: EventOf<'func_return'>): void {
  const { story } = found;
  const name = nameOfSite(story.functions, frame.site);
  const why =
    `${name} returned (${where(story, e)}) without the callback of ${debt.ops.name}, which was ` +
    'registered and selects it';
  found.first ??= broken(e.index, why, [frame.entered, frame.began, debt.skipped]);
}

function verdict(found: Findings, ofFprobes: FprobeStarts): Verdict {
  const { alone, besides, registered, story } = found;
  const first = earlier(found.first, ofFprobes.first);
  if (first !== undefined) return first;
  const hasFprobes = story.fprobes.all.length > 0;
  const why =
    registered || ofFprobes.registered
      ? 'No selected function was entered and left while its probe stayed as it was.'
      : 'No function was entered while a probe was registered.';
  return heldInParts(
    { alone, besides, ...(hasFprobes ? { fprobes: ofFprobes.handled } : {}) },
    why,
  );
}
