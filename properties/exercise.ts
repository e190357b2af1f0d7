// What runs did: which choice points they asked and where they left calm, which kinds of events they reported,
// which steps of the kernel's paths they reached (in a marked program, mark-programs.ts), and which rules of
// which judges they put to the test (rules-met.ts). Only a run that somebody watches is counted.
import { CHOICE, type Chooser, type ChoiceKind } from '../src/emu/choose.ts';
import type { EventLog } from '../src/replay/event-log.ts';
import type { Verdict } from '../src/replay/guarantee/judge.ts';
import { EVENT_KINDS } from '../src/replay/schema.ts';
import type { Step } from '../tidy/steps.ts';
import { reached } from './marks.ts';
import { JUDGED_RULES, nameOfRule, rulesMet } from './rules-met.ts';

export const SECTIONS = ['choice point', 'event', 'step', 'rule'] as const;
type Section = (typeof SECTIONS)[number];

/** One thing that a run can do. */
export interface Deed {
  readonly section: Section;
  readonly name: string;
}

/** How often something was done, and in how many runs. */
interface Count {
  times: number;
  runs: number;
}

/** What some runs did. */
export interface Exercise {
  runs: number;
  /** By section and name. */
  readonly counts: Map<string, Count>;
  readonly steps: readonly Step[];
}

export function newExercise(steps: readonly Step[]): Exercise {
  return { runs: 0, counts: new Map(), steps };
}

export interface WatchedRun {
  /** Answers as the chooser that is watched. */
  readonly chooser: Chooser;
  /** The run is over: adds it. */
  end(log: EventLog, verdicts: ReadonlyMap<string, Verdict>): void;
}

/** Watches one run under `chooser`, from now on. */
export function watchRun(exercise: Exercise, chooser: Chooser): WatchedRun {
  reached.fill(0);
  const questions = new Questions();
  return {
    chooser: questions.of(chooser),
    end: (log, verdicts) => {
      exercise.runs++;
      questions.tell((name, times) => add(exercise, 'choice point', name, times));
      for (const [name, times] of eventsOf(log)) add(exercise, 'event', name, times);
      exercise.steps.forEach((step, i) => add(exercise, 'step', nameOfStep(step), reached[i] ?? 0));
      for (const [rule, times] of rulesMet(log, verdicts)) add(exercise, 'rule', rule, times);
    },
  };
}

function add({ counts }: Exercise, section: Section, name: string, times: number): void {
  if (times === 0) return;
  const key = keyOf({ section, name });
  const count = counts.get(key) ?? { times: 0, runs: 0 };
  count.times += times;
  count.runs++;
  counts.set(key, count);
}

export function keyOf({ section, name }: Deed): string {
  return `${section} ${name}`;
}

export function countOf({ counts }: Exercise, deed: Deed): Readonly<Count> {
  return counts.get(keyOf(deed)) ?? { times: 0, runs: 0 };
}

/** As it stands in a table: `CC-S4.2 addFtraceOps: writeOnce(ops.next, head)`. */
function nameOfStep({ path, func, does, rules }: Step): string {
  const file = path.replace(/^.*\/|\.ts$/gu, '');
  return [rules.join(' '), `${file}:`, func, does].filter((part) => part !== '').join(' ');
}

/** Everything that a run could do, in the order of its tables. */
export function allDeeds(steps: readonly Step[]): readonly Deed[] {
  const names: Record<Section, readonly string[]> = {
    'choice point': Object.keys(CHOICE).flatMap((kind) => [kind, leaving(kind)]),
    event: EVENT_KINDS.map(({ name }) => name),
    step: [...new Set(steps.map(nameOfStep))],
    rule: JUDGED_RULES.map(nameOfRule),
  };
  return SECTIONS.flatMap((section) => names[section].map((name) => ({ section, name })));
}

/** The name for answers other than calm. */
function leaving(kind: string): string {
  return `${kind}, not calm`;
}

/** Counts the questions that a chooser is asked. */
class Questions {
  readonly #asked = new Map<ChoiceKind, number>();
  readonly #left = new Map<ChoiceKind, number>();

  /** A chooser that answers as `chooser` does. */
  of(chooser: Chooser): Chooser {
    const { calm } = chooser;
    const choose: Chooser['choose'] = (point, count) => {
      const index = chooser.choose(point, count);
      raise(this.#asked, point.kind, 1);
      if (index > 0) raise(this.#left, point.kind, 1);
      return index;
    };
    if (calm === undefined) return { choose };
    return {
      choose,
      calm: {
        ahead: (kinds, max) => calm.ahead(kinds, max),
        pass: (kinds, boundaries) => {
          for (const kind of kinds) raise(this.#asked, kind, boundaries);
          calm.pass(kinds, boundaries);
        },
      },
    };
  }

  tell(one: (name: string, times: number) => void): void {
    for (const [name, kind] of Object.entries(CHOICE)) {
      one(name, this.#asked.get(kind) ?? 0);
      one(leaving(name), this.#left.get(kind) ?? 0);
    }
  }
}

function raise(counts: Map<ChoiceKind, number>, kind: ChoiceKind, by: number): void {
  counts.set(kind, (counts.get(kind) ?? 0) + by);
}

function eventsOf(log: EventLog): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { event } of log.events()) counts.set(event, (counts.get(event) ?? 0) + 1);
  return counts;
}
