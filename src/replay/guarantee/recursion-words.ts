// Layer replay. The recursion words of all tasks, as the events tell them (FT-50): which bits are set, by whom,
// and which level an interrupt shows. A judge's own model: it is never asked what the kernel made of it.
import type { EventOf } from '../schema.ts';
import { contextKey } from './hit.ts';
import type { Listeners } from './listen.ts';

/** Groups of five bits: user trylock, and list function. */
export const GROUP = { ftrace: 0, list: 5 } as const;
/** Bits within a group, beside those of levels. */
const TRANSITION = 4;
const GROUP_BITS = 5;
/** By level: a trap counts as an NMI (FT-56). */
const BIT_OF_LEVEL = [3, 2, 1, 0, 0] as const;
/** What a bit within a group is called. */
const BIT_NAMES = ['NMI', 'IRQ', 'SOFTIRQ', 'NORMAL', 'TRANSITION'] as const;
const TASK = 0;

/** A bit that is set, and by which event. */
interface Held {
  readonly bit: number;
  readonly set: EventOf<'recursion_set'>;
}

/** An event that happened in some context. */
interface Place {
  readonly pid: number;
  readonly cpu: number;
  readonly level: number;
}

export interface RecursionWords {
  /** By task, or CPU for idle tasks. */
  readonly held: Map<number, Held[]>;
  /** By CPU: the levels of the open interrupts, as they show, outermost first. */
  readonly shown: Map<number, number[]>;
}

export function newRecursionWords(): RecursionWords {
  return { held: new Map(), shown: new Map() };
}

/** What keeps `words` up to date; a judge that looks at an event itself does so before or after. */
export function wordListeners(words: RecursionWords): Listeners {
  return {
    irq_enter: (e) => {
      shownOn(words, e.cpu).push(e.level);
    },
    trap_enter: (e) => {
      shownOn(words, e.cpu).push(e.level);
    },
    irq_exit: (e) => {
      shownOn(words, e.cpu).pop();
    },
    trap_exit: (e) => {
      shownOn(words, e.cpu).pop();
    },
    level_shown: (e) => {
      const levels = shownOn(words, e.cpu);
      levels.pop();
      levels.push(e.shown ? e.level : (levels.at(-1) ?? TASK));
    },
    recursion_set: (e) => {
      heldBy(words, e).push({ bit: e.bit, set: e });
    },
    recursion_clear: (e) => {
      const held = heldBy(words, e);
      const at = held.findLastIndex(({ bit }) => bit === e.bit);
      if (at !== -1) held.splice(at, 1);
    },
  };
}

/** The bits that are set in the word of the task of `place`, in the order in which they were. */
export function heldBy({ held }: RecursionWords, { pid, cpu }: Place): Held[] {
  const key = contextKey(pid, cpu, TASK);
  let own = held.get(key);
  if (own === undefined) {
    own = [];
    held.set(key, own);
  }
  return own;
}

/** The event that set `bit` in the word of `place`; undefined while it is clear. */
export function holderOf(
  words: RecursionWords,
  place: Place,
  bit: number,
): EventOf<'recursion_set'> | undefined {
  return heldBy(words, place).findLast((one) => one.bit === bit)?.set;
}

/** The bit that a trylock takes first at `place` (FT-51, CC-H5): that of the level which shows. */
export function ownBit(words: RecursionWords, place: Place, group: number): number {
  const level = place.level === TASK ? TASK : (shownOn(words, place.cpu).at(-1) ?? place.level);
  return group + (BIT_OF_LEVEL[level] ?? 0);
}

export function transitionBit(group: number): number {
  return group + TRANSITION;
}

export function groupOf(bit: number): number {
  return bit - (bit % GROUP_BITS);
}

/** `NORMAL of the list function`. */
export function nameOfBit(bit: number): string {
  const group = groupOf(bit) === GROUP.list ? 'the list function' : 'trylock';
  return `${BIT_NAMES[bit % GROUP_BITS] ?? bit} of ${group}`;
}

/** Are both bits set that a trylock could take at `place`, in one of the groups? Then it is refused. */
export function isFull(words: RecursionWords, place: Place): boolean {
  return Object.values(GROUP).some((group) =>
    [ownBit(words, place, group), transitionBit(group)].every(
      (bit) => holderOf(words, place, bit) !== undefined,
    ),
  );
}

function shownOn({ shown }: RecursionWords, cpu: number): number[] {
  let levels = shown.get(cpu);
  if (levels === undefined) {
    levels = [];
    shown.set(cpu, levels);
  }
  return levels;
}
