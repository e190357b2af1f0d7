// Layer emu. The single door through which anything unpredictable enters a run.

/** What a choice is about. Ids are pinned: they are part of the recording format. */
export const CHOICE = {
  /** Which CPU takes the next step. 0: the same one goes on. `options` holds CPU numbers. */
  schedule: 0,
  /** Which ready task a CPU takes when its own one sleeps or ends. 0: the one that waits longest. Pids. */
  pick: 1,
  /** Preempt the running task here? 0: no; else the pid of the task to run instead. */
  preempt: 2,
  /** Deliver an injected interrupt or NMI here? 0: no; else the number of the source. */
  inject: 3,
  /** A pending IPI, softirq or timer may be taken here. 0: now; 1: one boundary later. */
  deliver: 4,
  /** Which version of patched text this CPU fetches. 0: the newest. Version numbers. */
  fetch: 5,
  /** Does this allocation succeed? 0: yes; 1: no. */
  alloc: 6,
  /** A grace period may end here. 0: now; 1: later. */
  wait: 7,
} as const;

export type ChoiceKind = (typeof CHOICE)[keyof typeof CHOICE];

/** One question. The machine reuses the object: read it during `choose`, never keep it. */
export interface ChoicePoint {
  readonly kind: ChoiceKind;
  /** The CPU that the question is about. */
  readonly cpu: number;
  /** What each index stands for (see CHOICE); only the first `count` entries count. */
  readonly options: Int32Array;
}

export interface Chooser {
  /** Picks an index below `count` (at least 2). Index 0 is always calm: carry on, inject nothing. */
  choose(point: ChoicePoint, count: number): number;
  /** Left out by choosers that must see every question. */
  readonly calm?: CalmAhead;
}

/**
 * Calm answers in advance. Most boundaries are calm; a chooser that knows how many in a row lets the core
 * run over them without coming back each time. The answers are the same as `choose` would give.
 */
export interface CalmAhead {
  /** How many boundaries, at most `max`, get only calm answers if each asks one question of each kind. */
  ahead(kinds: readonly ChoiceKind[], max: number): number;
  /** So many of them passed: those questions count as asked and answered. */
  pass(kinds: readonly ChoiceKind[], boundaries: number): void;
}

/** Always calm. */
export const calmChooser: Chooser = {
  choose: () => 0,
  calm: { ahead: (_kinds, max) => max, pass: () => undefined },
};
