// Layer replay. Guarantee `start` for fprobes: once a register_fprobe has returned 0, each hit of a function that it
// selects runs a handler, has its return taken, or is passed over for a reason that is on the list of its hook (FP-5,
// CC-O2).
//
// Broken by a call of such a function whose site was fetched and which returns without any of these, while nobody called on
// the fprobe; and by a reason that hits of the hook do not have.
//
// Left alone: whether a reason is true, and which of them count (`nmissed`).
import type { EventOf } from '../schema.ts';
import { ENTRY, type Fprobe, isInForce, NOBODY } from './fprobes.ts';
import { nameOfSite } from './functions.ts';
import { type Frame, innermost } from './hit.ts';
import { broken, type Broken } from './judge.ts';
import type { Listeners } from './listen.ts';
import { contextOf, type Story } from './story.ts';
import { where } from './wording.ts';

/** A call of a function that is hooked for certain. */
interface Debt {
  readonly fprobe: Fprobe;
  readonly turns: number;
  isPaid: boolean;
  /** The last reason that is not on the list; undefined: none. */
  wrong: EventOf<'skip'> | undefined;
}

export interface FprobeStarts {
  readonly story: Story;
  readonly debts: WeakMap<Frame, readonly Debt[]>;
  dead: boolean;
  first: Broken | undefined;
  /** A function was entered while one was registered for certain. */
  registered: boolean;
  /** Calls that owed a handler and are over. */
  handled: number;
}

/** Why a hit runs no handler, by hook. What keeps its ops away comes before the fprobe hears of it (FP-20). */
const OF_OPS: readonly string[] = ['recursion', 'rcu', 'regs'];
const ALWAYS: readonly string[] = ['disabled', 'kprobe_running', 'not_watching', 'recursion'];
const REASONS: Readonly<Record<string, ReadonlySet<string>>> = {
  rethook: new Set([...ALWAYS, 'no_node']),
  fgraph: new Set([...ALWAYS, 'no_frame', 'no_data', 'grew']),
  ftrace: new Set([...ALWAYS, ...OF_OPS]),
};

export function newFprobeStarts(story: Story): FprobeStarts {
  const debts = new WeakMap<Frame, readonly Debt[]>();
  return { story, debts, dead: false, first: undefined, registered: false, handled: 0 };
}

export function fprobeStartListeners(found: FprobeStarts): Listeners {
  const { story } = found;
  return {
    func_enter: (e) => {
      if (story.entered !== undefined && story.fprobes.all.length > 0) entered(found, e);
    },
    func_return: (e) => {
      if (story.left !== undefined) returned(found, story.left, e);
    },
    cb_begin: (e) => {
      if (e.kind !== ENTRY) return;
      for (const debt of debtsAt(found, e)) debt.isPaid ||= debt.fprobe.object === e.object;
    },
    hook: (e) => {
      for (const debt of debtsAt(found, e)) debt.isPaid ||= debt.fprobe.object === e.object;
    },
    skip: (e) => {
      skipped(found, e);
    },
    kill: () => {
      found.dead = true;
    },
  };
}

function entered(found: FprobeStarts, e: EventOf<'func_enter'>): void {
  const { dead, debts, story } = found;
  found.registered ||= story.fprobes.all.some(isInForce);
  const frame = contextOf(story, e).top;
  if (frame === undefined || dead || story.settings.enabled.value !== true) return;
  const owed = story.fprobes.all.filter(
    (fprobe) => isInForce(fprobe) && fprobe.sites?.has(frame.site) === true,
  );
  if (owed.length === 0) return;
  debts.set(
    frame,
    owed.map((fprobe) => ({ fprobe, turns: fprobe.turns, isPaid: false, wrong: undefined })),
  );
}

function debtsAt(
  { debts, story }: FprobeStarts,
  e: EventOf<'cb_begin' | 'hook' | 'skip'>,
): readonly Debt[] {
  const frame = innermost(contextOf(story, e), e.ip);
  return (frame === undefined ? undefined : debts.get(frame)) ?? [];
}

function skipped(found: FprobeStarts, e: EventOf<'skip'>): void {
  for (const debt of debtsAt(found, e)) {
    const { object, told } = debt.fprobe;
    const isOps = e.object !== NOBODY && told?.ops === e.object;
    if (e.object !== NOBODY && e.object !== object && !isOps) continue;
    const isListed = isOps
      ? OF_OPS.includes(e.reason)
      : REASONS[told?.hook ?? '']?.has(e.reason) === true;
    if (isListed) debt.isPaid = true;
    else if (e.object === object) debt.wrong = e;
  }
}

function returned(found: FprobeStarts, frame: Frame, e: EventOf<'func_return'>): void {
  const { dead, debts, story } = found;
  const { enabled } = story.settings;
  const wasOn = enabled.value === true && enabled.since < frame.entered;
  for (const { fprobe, isPaid, turns, wrong } of debts.get(frame) ?? []) {
    if (!frame.fetched || turns !== fprobe.turns || dead || !wasOn) continue;
    found.handled++;
    if (isPaid) continue;
    const name = nameOfSite(story.functions, frame.site);
    const which =
      wrong === undefined ? 'and no reason was given' : `but as ${wrong.reason}, which is none`;
    const why = `${name} returned (${where(story, e)}) without a handler of ${fprobe.name}, which was registered and selects it, ${which}`;
    found.first ??= broken(e.index, why, [frame.entered, frame.began, wrong?.index ?? -1]);
  }
  debts.delete(frame);
}
