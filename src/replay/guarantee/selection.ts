// Layer replay. What the filter set or the notrace set of an ops may have been at each moment, told
// from the arguments and results of the control calls alone (FT-36..FT-44, CC-S6).
//
// A change takes effect at some moment between its ctl_begin and its ctl_end (one pointer store,
// FT-38), and calls of several tasks overlap although the kernel runs them one after the other:
// each order of the calls under way is followed, and "now" is a list of sets. A call that failed
// never took effect (FT-43). Where more calls overlap than can be followed, or functions come or go with their
// module or ftrace dies during a call, nothing is known of the set any more: it is taken to allow everything, so that
// nobody is blamed.

/** A set of sites. As filter, the empty set selects all functions; as notrace, none (FT-37). */
export type Hash = ReadonlySet<number>;

/** What one call asks for. */
export interface Change {
  readonly reset: boolean;
  readonly added: readonly number[];
  readonly removed: readonly number[];
  /** False: the documents refuse it whatever the set is (no match, FT-43). */
  readonly possible: boolean;
  /** Removing what is not there is refused (-ENOENT, FT-49); by pattern it is not (FT-44). */
  readonly strict: boolean;
}

interface State {
  readonly hash: Hash;
  /** Calls under way that took effect already. */
  readonly done: readonly Change[];
}

interface Phase {
  readonly hashes: readonly Hash[];
  /** Index of the event that ended it. */
  readonly until: number;
}

/** One of the two sets of an ops, over time. */
export interface HashHistory {
  /** What may be in force now: at least one set. */
  now: readonly Hash[];
  readonly past: Phase[];
  states: readonly State[];
  readonly pending: Change[];
  /** Too many orders were possible at some time. */
  lost: boolean;
}

/** Orders of overlapping calls that are followed: all those of five calls, which are 326. */
const STATES_MAX = 512;
const EMPTY: Hash = new Set();

const NOTHING: State = { hash: EMPTY, done: [] };

export function newHashHistory(): HashHistory {
  return { now: [EMPTY], past: [], states: [NOTHING], pending: [], lost: false };
}

/** `change` begins at event `index`: from here on it may be in force. */
export function beginChange(history: HashHistory, change: Change, index: number): void {
  if (history.lost) return;
  history.pending.push(change);
  const states = [...history.states];
  // The list grows while it is walked: calls may take effect one after another.
  for (const state of states) {
    for (const next of history.pending) {
      // States without the new call were followed when the others began.
      const isNew = next === change || state.done.includes(change);
      if (!isNew || state.done.includes(next)) continue;
      const hash = changedHash(state.hash, next);
      if (hash !== undefined) states.push({ hash, done: [...state.done, next] });
    }
    if (states.length > STATES_MAX) {
      lose(history, index);
      return;
    }
  }
  enter(history, states, index);
}

/**
 * `change` returned at event `index`. A success that the documents rule out (nothing matched)
 * leaves the set as it was, which is what they promise of such a call.
 */
export function endChange(
  history: HashHistory,
  change: Change,
  end: { readonly succeeded: boolean; readonly index: number },
): void {
  if (history.lost) return;
  history.pending.splice(history.pending.indexOf(change), 1);
  const without = history.states.filter((state) => !state.done.includes(change));
  const taken = history.states.filter((state) => state.done.includes(change));
  const left = end.succeeded && taken.length > 0 ? taken : without;
  const states = left.map(({ hash, done }) => ({ hash, done: done.filter((d) => d !== change) }));
  enter(history, distinct(states), end.index);
}

/**
 * At event `index` it stops being told what a call under way does: what its pattern matches changes, and it finds the
 * old functions or the new ones; or ftrace dies, and it changes sites or does not (FT-11).
 */
export function loseChanges(history: HashHistory, index: number): void {
  if (!history.lost && history.pending.length > 0) lose(history, index);
}

/** From event `index` on the empty set stands for all that may be: it selects and spares everything. */
function lose(history: HashHistory, index: number): void {
  history.lost = true;
  enter(history, [NOTHING], index);
}

/** Does `hash`, as a filter, select `site`? */
export function selects(hash: Hash, site: number): boolean {
  return hash.size === 0 || hash.has(site);
}

/** Does `hash`, as notrace, let `site` be traced? */
export function spares(hash: Hash, site: number): boolean {
  return !hash.has(site);
}

/** Was there a moment after event `since` at which some set that may have been in force passes? */
export function ever(
  history: HashHistory,
  since: number,
  passes: (hash: Hash) => boolean,
): boolean {
  if (history.now.some(passes)) return true;
  return history.past.some((phase) => phase.until >= since && phase.hashes.some(passes));
}

/** All sets that may have been in force after event `since`, oldest first. */
export function hashesSince(history: HashHistory, since: number): readonly Hash[] {
  const phases = history.past.filter((phase) => phase.until >= since).map((p) => p.hashes);
  return [...phases, history.now].flat().reduce(withHash, [] as readonly Hash[]);
}

export function sameHash(a: Hash, b: Hash): boolean {
  if (a === b) return true;
  if (a.size !== b.size) return false;
  for (const site of a) if (!b.has(site)) return false;
  return true;
}

/** The set that `change` makes of `hash`; undefined when the call is refused. */
function changedHash(hash: Hash, change: Change): Hash | undefined {
  if (!change.possible) return undefined;
  const next = new Set(change.reset ? EMPTY : hash);
  for (const site of change.added) next.add(site);
  for (const site of change.removed) {
    if (!next.delete(site) && change.strict) return undefined;
  }
  return next;
}

function enter(history: HashHistory, states: readonly State[], index: number): void {
  history.past.push({ hashes: history.now, until: index });
  history.states = states;
  history.now = states.map((state) => state.hash).reduce(withHash, [] as readonly Hash[]);
}

function withHash(hashes: readonly Hash[], hash: Hash): readonly Hash[] {
  return hashes.some((other) => sameHash(other, hash)) ? hashes : [...hashes, hash];
}

function distinct(states: readonly State[]): readonly State[] {
  const kept: State[] = [];
  for (const state of states) if (!kept.some((other) => sameState(other, state))) kept.push(state);
  return kept;
}

function sameState(a: State, b: State): boolean {
  const sameDone = a.done.length === b.done.length && a.done.every((d) => b.done.includes(d));
  return sameDone && sameHash(a.hash, b.hash);
}
