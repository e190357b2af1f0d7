// Layer replay. The recursion words of tasks as events tell them (FT-50), with who set each bit; and the interrupts that
// are open on each CPU. Told for people: nothing here judges.
import { LEVEL_NAMES } from '../../emu/event.ts';
import { flowOf, type FlowPlace } from '../flow.ts';
import type { Listeners } from '../guarantee/listen.ts';
import type { EventOf } from '../schema.ts';

const GROUP_BITS = 5;
const TRANSITION = 4;
/** By level that shows; a trap counts as an NMI (FT-56). */
const BIT_OF_LEVEL = [3, 2, 1, 0, 0] as const;
const BIT_NAMES = ['NMI', 'IRQ', 'SOFTIRQ', 'NORMAL', 'TRANSITION'] as const;
const GROUPS = [
  { name: 'the trylock of users', first: 0, isUsers: true },
  { name: 'the list function', first: GROUP_BITS, isUsers: false },
] as const;
const TASK = 0;

export interface HeldBit {
  readonly set: EventOf<'recursion_set'>;
  /** The function that was open in its context. */
  readonly by: number | undefined;
}

/** A group of bits that lets nobody in. */
interface RefusingGroup {
  /** That of callbacks, not that of the list function. */
  readonly isUsers: boolean;
  readonly bits: readonly HeldBit[];
}

export interface OpenInterrupt {
  readonly entered: EventOf<'irq_enter'> | EventOf<'trap_enter'>;
  /** The level that preempt_count shows. */
  shown: number;
}

export class RecursionBits {
  readonly #held = new Map<number, HeldBit[]>();
  readonly #interrupts = new Map<number, OpenInterrupt[]>();

  /** `innermost` is the address of the function that is open at a place. */
  listeners(innermost: (place: FlowPlace) => number | undefined): Listeners {
    const opens = (e: OpenInterrupt['entered']): void => {
      this.interrupts(e.cpu).push({ entered: e, shown: e.level });
    };
    const closes = ({ cpu }: FlowPlace): void => void this.interrupts(cpu).pop();
    return {
      irq_enter: opens,
      trap_enter: opens,
      irq_exit: closes,
      trap_exit: closes,
      level_shown: (e) => {
        const open = this.interrupts(e.cpu);
        const top = open.at(-1);
        if (top !== undefined) top.shown = e.shown ? e.level : (open.at(-2)?.shown ?? TASK);
      },
      recursion_set: (set) => {
        this.held(set).push({ set, by: innermost(set) });
      },
      recursion_clear: (e) => {
        const held = this.held(e);
        const at = held.findLastIndex(({ set }) => set.bit === e.bit);
        if (at !== -1) held.splice(at, 1);
      },
    };
  }

  /** Of the task at `place`, in the order in which they were set. */
  held(place: FlowPlace): HeldBit[] {
    return listOf(this.#held, flowOf({ ...place, level: TASK }));
  }

  /** Outermost first. */
  interrupts(cpu: number): OpenInterrupt[] {
    return listOf(this.#interrupts, cpu);
  }

  /** The groups whose two bits for `place` are both set: there a trylock is refused (FT-51). */
  refusing(place: FlowPlace): readonly RefusingGroup[] {
    const shown =
      place.level === TASK ? TASK : (this.interrupts(place.cpu).at(-1)?.shown ?? place.level);
    return GROUPS.flatMap(({ first, isUsers }) => {
      const bits = [first + (BIT_OF_LEVEL[shown] ?? 0), first + TRANSITION].flatMap((bit) =>
        this.held(place)
          .filter(({ set }) => set.bit === bit)
          .slice(-1),
      );
      return bits.length === 2 ? [{ isUsers, bits }] : [];
    });
  }
}

function listOf<T>(lists: Map<number, T[]>, key: number): T[] {
  const present = lists.get(key);
  if (present !== undefined) return present;
  const made: T[] = [];
  lists.set(key, made);
  return made;
}

/** `NORMAL of the trylock of users`. */
export function nameOfBit(bit: number): string {
  const group = GROUPS[bit < GROUP_BITS ? 0 : 1].name;
  return `${BIT_NAMES[bit % GROUP_BITS] ?? bit} of ${group}`;
}

export function nameOfLevel(level: number): string {
  return LEVEL_NAMES[level] ?? `level ${level}`;
}
